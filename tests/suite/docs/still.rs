//! The picture of a terminal of 80 columns, with its colours, for a light and a dark theme: an SVG, drawn from
//! what the commands print when they are run.

use std::fmt::Write;
use std::fs;

use crate::support::{Run, TestEnv};

use super::is_as_made;
use super::recording::{CHARACTER, LINE, MARGIN, escaped};

const COLUMNS: u8 = 80;

const COMMANDS: &[&str] = &[
    "git port worktree list",
    "git port list",
    "git port check 20003",
    "git port release admin",
    "git port cleanup --dry-run",
];

/// What the program's colours mean here, by the codes of ECMA-48, 8.3.117.
fn class(codes: &str) -> &'static str {
    match codes {
        "1" => "strong",
        "2" => "faint",
        "31" => "bad",
        "32" => "good",
        "33" => "warn",
        other => panic!("the program has a colour that has no name here: {other:?}"),
    }
}

/// Draws a line that has colours in it. Each begins with its codes and ends with 0.
fn line(text: &str) -> String {
    let mut drawn = String::new();
    for (index, part) in text.split("\u{1b}[").enumerate() {
        let Some((codes, words)) = part.split_once('m').filter(|_| index > 0) else {
            drawn.push_str(&escaped(part));
            continue;
        };
        match codes {
            "0" => drawn.push_str(&format!("</tspan>{}", escaped(words))),
            codes => drawn.push_str(&format!("<tspan class=\"{}\">{}", class(codes), escaped(words))),
        }
    }
    drawn
}

fn draw(lines: &[String]) -> String {
    let width = f32::from(COLUMNS) * CHARACTER + f32::from(2 * MARGIN);
    let height = lines.len() * LINE + usize::from(2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height}\" \
         width=\"{width:.0}\" height=\"{height}\" role=\"img\" aria-labelledby=\"t\">\n\
         <title id=\"t\">git-port in a terminal of {COLUMNS} columns</title>\n<style>\n\
         rect {{ fill: #ffffff; stroke: #d0d7de; }}\n\
         text {{ font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #24292f; \
         white-space: pre; }}\n\
         .strong {{ font-weight: bold; }} .faint {{ fill: #57606a; }}\n\
         .bad {{ fill: #b31d28; }} .good {{ fill: #116329; }} .warn {{ fill: #7d4e00; }}\n\
         @media (prefers-color-scheme: dark) {{\n\
         rect {{ fill: #0d1117; stroke: #30363d; }} text {{ fill: #e6edf3; }} .faint {{ fill: #8d96a0; }}\n\
         .bad {{ fill: #ff7b72; }} .good {{ fill: #7ee787; }} .warn {{ fill: #e3b341; }}\n}}\n</style>\n"
    );
    svg.push_str("<rect x=\"0.5\" y=\"0.5\" width=\"99.8%\" height=\"99.8%\" rx=\"8\"/>\n");
    for (index, line) in lines.iter().enumerate() {
        let y = usize::from(MARGIN) + index * LINE + 14;
        writeln!(svg, "<text x=\"{MARGIN}\" y=\"{y}\">{line}</text>").unwrap();
    }
    svg.push_str("</svg>\n");
    svg
}

#[test]
fn the_picture_of_the_terminal_is_of_this_program() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    env.set("COLUMNS", COLUMNS);
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "services"]);
    for branch in ["feature-cart", "fix-login"] {
        env.ok(&repo, &format!("worktree create {branch}"));
    }
    fs::remove_dir_all(env.root().join("shop-fix-login")).unwrap();
    // As long as they are, so that the columns stay where they were.
    let ports: Vec<(String, String)> =
        (0..4).map(|index| (env.port(index).to_string(), (20_001 + index).to_string())).collect();
    let mut lines = Vec::new();
    for command in COMMANDS {
        let mut words = command.replace("git port", "exec 2>&1; git port --color always");
        for (real, shown) in &ports {
            words = words.replace(shown, real);
        }
        let run = Run::of(env.command("sh", &repo).args(["-c", &words]).output().unwrap());
        let mut printed = run.stdout.replace(env.root().to_str().unwrap(), "/home/me");
        for (real, shown) in &ports {
            assert_eq!(real.len(), shown.len());
            printed = printed.replace(real, shown);
        }
        lines.push(format!("<tspan class=\"good\">$ </tspan><tspan class=\"strong\">{command}</tspan>"));
        for text in printed.lines() {
            let drawn = line(text);
            let shown = drawn.split('<').map(|part| part.split_once('>').map_or(part, |(_, rest)| rest));
            let width = shown.collect::<String>().chars().count();
            assert!(width <= usize::from(COLUMNS), "{width} columns: {text}");
            lines.push(drawn);
        }
        lines.push(String::new());
    }
    lines.pop();
    let svg = draw(&lines);
    is_as_made("docs/terminal.svg", &svg);
}
