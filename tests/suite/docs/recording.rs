//! The recording at the top of the README: an SVG, drawn from what the commands print when they are run.

use std::fmt::Write;
use std::fs;

use crate::support::TestEnv;

use super::console::Stage;
use super::is_as_made;

const COMMANDS: &[&str] = &[
    "git port worktree create feature-cart",
    "git port worktree create fix-login",
    "git port list",
    "git -C ../shop-fix-login port run -- sh -c 'echo listening on $PORT'",
    "rm -rf ../shop-fix-login",
    "git port cleanup",
    "git port worktree remove feature-cart",
];

/// In pixels: a character of 14 px in the fonts that are named below, and a line.
pub(super) const CHARACTER: f32 = 8.43;
pub(super) const LINE: usize = 20;
pub(super) const MARGIN: u8 = 20;

/// In seconds: how long a command is typed, and how long one reads what it printed.
const TYPED: f32 = 0.9;
const READ: f32 = 1.6;

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Draws commands with what they printed, which come one after the other, and stay.
fn draw(shown: &[(String, String)]) -> String {
    let mut lines: Vec<(f32, bool, &str)> = Vec::new();
    let mut at = 0.5;
    for (command, printed) in shown {
        lines.push((at, true, command));
        at += TYPED;
        lines.extend(printed.lines().map(|line| (at, false, line)));
        at += READ;
    }
    let columns = lines.iter().map(|(_, typed, line)| line.chars().count() + usize::from(*typed) * 2).max();
    let columns = u16::try_from(columns.unwrap_or_default()).unwrap();
    let width = f32::from(columns) * CHARACTER + f32::from(2 * MARGIN);
    let height = lines.len() * LINE + usize::from(2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height}\" \
         width=\"{width:.0}\" height=\"{height}\" role=\"img\" aria-labelledby=\"t d\">\n\
         <title id=\"t\">git-port in a terminal</title>\n<desc id=\"d\">"
    );
    for (command, printed) in shown {
        write!(svg, "$ {}\n{}", escaped(command), escaped(printed)).unwrap();
    }
    svg.push_str(
        "</desc>\n<style>\n\
         text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d8dee9; \
         white-space: pre; animation: come 0.2s both; }\n\
         .typed { fill: #ffffff; font-weight: bold; }\n\
         .sign { fill: #88c0d0; }\n\
         @keyframes come { from { opacity: 0; } to { opacity: 1; } }\n\
         @media (prefers-reduced-motion: reduce) { text { animation: none; } }\n\
         </style>\n",
    );
    writeln!(svg, "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#242933\"/>").unwrap();
    for (index, (at, typed, line)) in lines.iter().enumerate() {
        let y = usize::from(MARGIN) + index * LINE + 14;
        let line = escaped(line);
        let line = if *typed { format!("<tspan class=\"sign\">$ </tspan>{line}") } else { line };
        let class = if *typed { " class=\"typed\"" } else { "" };
        writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{y}\"{class} style=\"animation-delay:{at:.1}s\">{line}</text>"
        )
        .unwrap();
    }
    svg.push_str("</svg>\n");
    svg
}

#[test]
fn the_recording_is_of_this_program() {
    let mut env = TestEnv::new();
    env.set("GIT_PORT_TIME", "2026-01-01T00:00:00Z");
    let repo = env.repo("shop");
    fs::write(repo.join(".git-port.toml"), "[services.web]\n[services.api]\n").unwrap();
    fs::write(repo.join("package.json"), "{\"scripts\": {\"dev\": \"vite\"}}\n").unwrap();
    env.git(&repo, ["add", "."]);
    env.git(&repo, ["commit", "--quiet", "-m", "services"]);
    let mut stage = Stage::new(env, &repo, false);
    let shown: Vec<(String, String)> =
        COMMANDS.iter().map(|command| ((*command).to_owned(), stage.run(command))).collect();
    let svg = draw(&shown);
    is_as_made("docs/recording.svg", &svg);
}
