//! The command a project starts its own server with, found in the files at a worktree's root.

use serde_json::Value;

use super::server_flags;
use crate::registry::Port;

/// How a file at the worktree's root is read: its text, if it is there.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Returns the project's own dev command, `npm run dev`, without `PORT` in front. Where the program does
/// not read `PORT`, the command carries the flag with `$PORT`.
///
/// A framework's server comes before `package.json`: beside one, `scripts.dev` builds the assets.
pub fn find(read: Read<'_>) -> Option<String> {
    let exists = |name: &str| read(name).is_some();
    if exists("artisan") {
        return Some("php artisan serve --port=$PORT".to_owned());
    }
    if exists("manage.py") {
        return Some("python manage.py runserver $PORT".to_owned());
    }
    if exists("Gemfile") && (exists("bin/rails") || exists("config/application.rb")) {
        return Some("bin/rails server".to_owned());
    }
    if read("mix.exs").is_some_and(|text| text.contains(":phoenix")) {
        return Some("mix phx.server".to_owned());
    }
    package_script(read)
        .or_else(|| deno_task(read))
        .or_else(|| has_cargo_binary(read).then(|| "cargo run".to_owned()))
        .or_else(|| exists("go.mod").then(|| "go run .".to_owned()))
        .or_else(|| procfile(read))
        .or_else(|| {
            let names = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
            names.into_iter().any(exists).then(|| "docker compose up".to_owned())
        })
}

/// Returns the line that people copy, `PORT=8124 npm run dev`.
///
/// A shell expands `$PORT` before it assigns the `PORT` in front, so the number stands in its place.
pub fn usage(port: Port, command: Option<&str>) -> String {
    format!("PORT={port} {}", with_port(command.unwrap_or("<dev command>"), &port.to_string()))
}

/// Returns the command with the port for `$PORT`, `${PORT}` and `${PORT:-3000}`.
fn with_port(command: &str, port: &str) -> String {
    let mut text = String::new();
    let mut rest = command;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let braced = after.strip_prefix("{PORT").and_then(|after| after.split_once('}'));
        let bare = after.strip_prefix("PORT");
        match (braced, bare) {
            (Some((default, after)), _) if default.is_empty() || default.starts_with([':', '-']) => {
                text.push_str(port);
                rest = after;
            }
            (_, Some(after)) if !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') => {
                text.push_str(port);
                rest = after;
            }
            _ => {
                text.push('$');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text
}

fn json(read: Read<'_>, name: &str) -> Option<Value> {
    let text = read(name)?;
    serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
}

fn text_at<'v>(json: &'v Value, table: &str, key: &str) -> Option<&'v str> {
    json.get(table)?.get(key)?.as_str().filter(|text| !text.trim().is_empty())
}

fn package_script(read: Read<'_>) -> Option<String> {
    let package = json(read, "package.json")?;
    let (script, text) = ["dev", "start", "serve"]
        .into_iter()
        .find_map(|key| Some((key, text_at(&package, "scripts", key)?)))?;
    let lock = |names: &[&str]| names.iter().any(|name| read(name).is_some());
    let manager = package.get("packageManager").and_then(Value::as_str).unwrap_or_default();
    let manager = if lock(&["pnpm-lock.yaml"]) {
        "pnpm"
    } else if lock(&["yarn.lock"]) {
        "yarn"
    } else if lock(&["bun.lock", "bun.lockb"]) {
        "bun"
    } else if lock(&["package-lock.json"]) {
        "npm"
    } else {
        manager.split('@').next().unwrap_or_default()
    };
    let (command, separator) = match (manager, script) {
        ("pnpm" | "yarn", _) => (format!("{manager} {script}"), ""),
        ("bun", _) => (format!("bun run {script}"), ""),
        (_, "start") => ("npm start".to_owned(), " --"),
        _ => (format!("npm run {script}"), " --"),
    };
    // Only npm keeps flags for itself; pnpm would hand the `--` on to the program.
    Some(match server_flags::script_flags(text) {
        Some(flags) => format!("{command}{separator} {}", flags.join(" ")),
        None => command,
    })
}

fn deno_task(read: Read<'_>) -> Option<String> {
    let has_task = |name: &str| {
        let deno = json(read, name);
        deno.is_some_and(|deno| deno.get("tasks").and_then(|tasks| tasks.get("dev")).is_some())
    };
    ["deno.json", "deno.jsonc"].into_iter().any(has_task).then(|| "deno task dev".to_owned())
}

/// A workspace alone, or a library, runs nothing.
fn has_cargo_binary(read: Read<'_>) -> bool {
    let Some(manifest) = read("Cargo.toml") else { return false };
    let has_line = |header: &str| manifest.lines().any(|line| line.trim() == header);
    has_line("[package]") && (has_line("[[bin]]") || read("src/main.rs").is_some())
}

fn procfile(read: Read<'_>) -> Option<String> {
    let (name, text) = ["Procfile.dev", "Procfile"].into_iter().find_map(|name| Some((name, read(name)?)))?;
    let processes: Vec<(&str, &str)> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(process, command)| (process.trim(), command.trim()))
        .collect();
    let (_, command) =
        processes.iter().find(|(process, command)| *process == "web" && !command.is_empty())?;
    // One plain command is run as it stands. In a longer one `PORT=…` in front would reach its first
    // part alone, and what a terminal would obey is not repeated from a file.
    let plain = |c: char| c.is_ascii_alphanumeric() || " _./:@%+,=-${}".contains(c);
    if processes.len() == 1 && command.chars().all(plain) && !command.starts_with("cd ") {
        return Some((*command).to_owned());
    }
    Some(if name == "Procfile" { "foreman start".to_owned() } else { format!("foreman start -f {name}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        find(&|name| files.iter().find(|file| file.0 == name).map(|file| file.1.to_owned()))
    }

    #[test]
    fn each_kind_of_project_has_its_command() {
        let dev = r#"{"scripts":{"dev":"next dev"}}"#;
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[("package.json", dev)], "npm run dev"),
            (&[("package.json", r#"{"scripts":{"start":"node ."}}"#)], "npm start"),
            (&[("package.json", r#"{"scripts":{"dev":" ","serve":"x"}}"#)], "npm run serve"),
            (&[("package.json", dev), ("pnpm-lock.yaml", "")], "pnpm dev"),
            (&[("package.json", dev), ("yarn.lock", "")], "yarn dev"),
            (&[("package.json", dev), ("bun.lockb", "")], "bun run dev"),
            (&[("package.json", dev), ("bun.lock", ""), ("Cargo.toml", "[package]")], "bun run dev"),
            (&[("package.json", r#"{"packageManager":"pnpm@9.1","scripts":{"dev":"x"}}"#)], "pnpm dev"),
            (&[("package.json", "\u{feff}{\"scripts\":{\"dev\":\"x\"}}")], "npm run dev"),
            (&[("Cargo.toml", "[package]\n"), ("src/main.rs", "")], "cargo run"),
            (&[("Cargo.toml", "[package]\nname='x'\n[[bin]]\n")], "cargo run"),
            (&[("manage.py", "")], "python manage.py runserver $PORT"),
            (&[("Gemfile", ""), ("bin/rails", ""), ("package.json", dev)], "bin/rails server"),
            (&[("Gemfile", ""), ("config/application.rb", "")], "bin/rails server"),
            (&[("mix.exs", "{:phoenix, \"~> 1.8\"}")], "mix phx.server"),
            (&[("artisan", ""), ("package.json", dev)], "php artisan serve --port=$PORT"),
            (&[("go.mod", "module x")], "go run ."),
            (&[("Procfile", "# all\nweb: bundle exec puma -p $PORT\n")], "bundle exec puma -p $PORT"),
            (&[("Procfile", "web: a\nworker: b\n")], "foreman start"),
            (
                &[("Procfile.dev", "web: cd x && y\n"), ("Procfile", "web: z")],
                "foreman start -f Procfile.dev",
            ),
            (&[("Procfile", "web: x\u{1b}[2J\n")], "foreman start"),
            (&[("deno.json", r#"{"tasks":{"dev":"deno run x.ts"}}"#)], "deno task dev"),
            (&[("compose.yaml", "")], "docker compose up"),
            (&[("docker-compose.yml", ""), ("package.json", "{nonsense")], "docker compose up"),
        ];
        for (files, command) in cases {
            assert_eq!(found(files).as_deref(), Some(*command), "{files:?}");
        }
    }

    #[test]
    fn nothing_is_made_up() {
        for files in [
            &[][..],
            &[("package.json", r#"{"scripts":{"build":"x"}}"#)],
            &[("package.json", r#"{"scripts":["dev"]}"#)],
            &[("package.json", "")],
            &[("Cargo.toml", "[workspace]\n"), ("src/main.rs", "")],
            &[("Cargo.toml", "[package]\n[lib]\n")],
            &[("mix.exs", "plug")],
            &[("Procfile", "worker: x")],
            &[("Gemfile", "")],
            &[("deno.json", "// comment\n{}")],
        ] {
            assert_eq!(found(files), None, "{files:?}");
        }
    }

    #[test]
    fn servers_that_ignore_the_variable_get_the_flag() {
        for script in [
            "vite",
            "vite dev",
            "vite --host 0.0.0.0",
            "tsc -b && vite",
            "NODE_ENV=x vite",
            "cross-env A=1 npx vite dev",
            "node_modules/.bin/vite",
            "astro dev",
            "react-router dev",
            "wrangler dev",
            "ng serve",
            "webpack serve --mode development",
        ] {
            assert!(server_flags::script_flags(script).is_some(), "{script}");
        }
        for script in [
            "next dev",
            "nuxt dev",
            "vite --port 3000",
            "vite --port=$PORT",
            "vite build --watch",
            "vite & node api.js",
            "concurrently \"vite\" \"node api.js\"",
            "vite | tee log",
            "vite && node x",
            "node server.js",
            "wrangler deploy",
            "",
        ] {
            assert_eq!(server_flags::script_flags(script), None, "{script}");
        }
        let package = ("package.json", r#"{"devDependencies":{"vite":"8"},"scripts":{"dev":"vite"}}"#);
        assert_eq!(found(&[package]).unwrap(), "npm run dev -- --port $PORT --strictPort");
        assert_eq!(found(&[package, ("pnpm-lock.yaml", "")]).unwrap(), "pnpm dev --port $PORT --strictPort");
        assert_eq!(found(&[package, ("yarn.lock", "")]).unwrap(), "yarn dev --port $PORT --strictPort");
        assert_eq!(found(&[package, ("bun.lock", "")]).unwrap(), "bun run dev --port $PORT --strictPort");
    }

    #[test]
    fn the_line_to_copy_works_in_a_shell() {
        let port = Port::new(8124).unwrap();
        for (command, line) in [
            (Some("npm run dev"), "PORT=8124 npm run dev"),
            (None, "PORT=8124 <dev command>"),
            (Some("npm run dev -- --port $PORT"), "PORT=8124 npm run dev -- --port 8124"),
            (Some("puma -p ${PORT:-3000} -b ${PORT}"), "PORT=8124 puma -p 8124 -b 8124"),
            (Some("x $PORTS ${PORTS} $HOME ${PORT $"), "PORT=8124 x $PORTS ${PORTS} $HOME ${PORT $"),
        ] {
            assert_eq!(usage(port, command), line);
        }
    }

    proptest! {
        #[test]
        fn no_file_is_too_damaged(text in "\\PC{0,40}|[{}\\[\\]\":,a-z]{0,40}") {
            let _ = find(&|_| Some(text.clone()));
            for name in ["package.json", "deno.json", "Procfile", "Cargo.toml", "mix.exs"] {
                let _ = find(&|asked| (asked == name).then(|| text.clone()));
            }
            let _ = usage(Port::new(1).unwrap(), Some(&text));
            prop_assert!(with_port(&text, "1").len() <= text.len());
        }
    }
}
