//! Which dev servers ignore `PORT`, and the flags that tell them their port.
//!
//! What a server reads, and what it does when its port is taken, was tried with the versions named in
//! the table. Servers that read `PORT` (Next, Nuxt, Rails, Phoenix, Create React App …) are not in it.

use serde_json::Value;

use crate::registry::Port;

/// One way of starting a server.
struct Server {
    /// The program, by the last part of its path.
    program: &'static str,
    /// The words behind it of which one must be there; empty: none needs to be.
    subcommands: &'static [&'static str],
    /// The words behind it with which it is no server.
    not: &'static [&'static str],
    /// What it needs; `{}` is the port. The strict switch stands with it where there is one, because a
    /// server that moves to the next port moves onto a neighbour's.
    flags: &'static [&'static str],
    /// The flags that name a port; with one of them the user has chosen.
    chosen: &'static [&'static str],
}

const PORT_FLAGS: &[&str] = &["--port", "-p"];

const SERVERS: &[Server] = &[
    server("vite", &[], &["build", "optimize"], &["--port", "{}", "--strictPort"], PORT_FLAGS), // 8.3
    server("react-router", &["dev"], &[], &["--port", "{}", "--strictPort"], PORT_FLAGS),       // 8.4
    server("remix", &["vite:dev"], &[], &["--port", "{}", "--strictPort"], PORT_FLAGS),
    server("astro", &["dev", "preview"], &[], &["--port", "{}"], PORT_FLAGS), // 7.3
    server("rsbuild", &["dev", "preview"], &[], &["--port", "{}"], PORT_FLAGS),
    server("ng", &["serve", "s", "dev"], &[], &["--port", "{}"], PORT_FLAGS), // below 22
    server("expo", &["start"], &[], &["--port", "{}"], PORT_FLAGS),
    server("react-native", &["start"], &[], &["--port", "{}"], PORT_FLAGS),
    server("storybook", &["dev"], &[], &["-p", "{}", "--exact-port"], PORT_FLAGS), // below 10.5
    server("wrangler", &["dev"], &[], &["--port", "{}"], PORT_FLAGS),              // 4.164
    server("webpack", &["serve", "server"], &[], &["--port", "{}"], PORT_FLAGS),
    server("webpack-dev-server", &[], &[], &["--port", "{}"], PORT_FLAGS), // 6.1
    server("hugo", &["server", "serve"], &[], &["-p", "{}"], PORT_FLAGS),  // 0.111
    server("jekyll", &["serve", "server", "s"], &[], &["--port", "{}"], &["--port", "-P"]),
    server("deno", &["serve"], &[], &["--port", "{}"], PORT_FLAGS),
    server("uvicorn", &[], &[], &["--port", "{}"], &["--port", "--fd", "--uds"]), // 0.54
    server("flask", &["run"], &[], &["--port", "{}"], PORT_FLAGS),                // 3.1
    server("streamlit", &["run"], &[], &["--server.port", "{}"], &["--server.port"]), // 1.67
    server("artisan", &["serve"], &[], &["--port={}", "--tries=0"], PORT_FLAGS),
    server("http.server", &[], &[], &["{}"], &[]),
    server("manage.py", &["runserver"], &[], &["{}"], &[]), // Django 5.2
    server("django-admin", &["runserver"], &[], &["{}"], &[]),
];

const fn server(
    program: &'static str,
    subcommands: &'static [&'static str],
    not: &'static [&'static str],
    flags: &'static [&'static str],
    chosen: &'static [&'static str],
) -> Server {
    Server { program, subcommands, not, flags, chosen }
}

/// Words that start a program named behind them, with their own words before it.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("npx", &[]),
    ("bunx", &[]),
    ("pnpx", &[]),
    ("npm", &["exec", "x"]),
    ("yarn", &["dlx", "exec"]),
    ("pnpm", &["dlx", "exec"]),
    ("bun", &["x"]),
    ("uv", &["run"]),
    ("poetry", &["run"]),
    ("pipenv", &["run"]),
    ("bundle", &["exec"]),
    ("env", &[]),
    ("cross-env", &[]),
    ("exec", &[]),
];

/// The programs that start another by the name of a module or the path of a script.
const INTERPRETERS: &[&str] = &["python", "python3", "node", "php", "deno", "bun"];

/// Returns what to add behind a command so that the server it starts uses the port; none if it needs
/// nothing, is not known, or names a port already. `$PORT` stands for the port.
///
/// `read` returns a file at the worktree's root: a package manager's `run dev` is looked up in
/// `package.json`.
pub fn missing(words: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Option<Vec<String>> {
    let words = behind_wrappers(words);
    if let Some((script, separator)) = script(words, read) {
        return script_flags(&script).map(|flags| separator.into_iter().chain(flags).collect());
    }
    server_flags(words)
}

/// Returns what to add behind the server that a script ends in.
pub fn script_flags(script: &str) -> Option<Vec<String>> {
    let last = script.rsplit("&&").next().unwrap_or_default();
    // What is appended to a pipeline, or to what runs in the background, reaches some other program.
    if last.contains(['|', '&', ';', '"', '\'', '#', '<', '>', '(', '`']) {
        return None;
    }
    let words: Vec<&str> = last.split_whitespace().collect();
    server_flags(behind_wrappers(&words))
}

/// Servers that read `PORT` by themselves, and so are not in the table; a flag of theirs wins over it.
const READERS: &[&str] =
    &["next", "nuxt", "nuxi", "gunicorn", "fastapi", "rails", "puma", "rackup", "foreman"];

/// Says whether this command starts a server that is known.
pub fn is_server(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let words = behind_wrappers(&words);
    let known = |program| READERS.contains(&program) || SERVERS.iter().any(|one| one.program == program);
    words.first().is_some_and(|program| known(base(program)))
}

/// Returns the port that is written into a script, whatever the variables say.
pub fn fixed_port(script: &str) -> Option<Port> {
    // In the quotes of 'concurrently' stand scripts, too.
    let clean = script.replace(['"', '\'', '\\'], " ");
    let words: Vec<&str> = clean.split_whitespace().collect();
    let number = |word: &str| word.rsplit(':').next().and_then(|port| port.parse().ok());
    let mut server = false;
    for (at, word) in words.iter().enumerate() {
        if let Some(port) = word.strip_prefix("PORT=") {
            return number(port);
        }
        if matches!(*word, "&&" | "||" | ";" | "|" | "&") {
            server = false;
        }
        let program = base(word);
        server |= READERS.contains(&program) || SERVERS.iter().any(|one| one.program == program);
        let flag = ["--port", "-p", "-P", "--server.port", "--bind", "-b"]
            .into_iter()
            .find_map(|flag| word.strip_prefix(flag));
        let value = match flag {
            Some("") => words.get(at + 1).copied(),
            Some(value) => Some(value.trim_start_matches('=')),
            // `runserver 8123`
            None if matches!(*word, "runserver" | "http.server") => words.get(at + 1).copied(),
            None => None,
        };
        if let Some(port) = value.filter(|_| server).and_then(number) {
            return Some(port);
        }
    }
    None
}

/// Returns the program that a script ends in, without what only starts it.
pub fn program(script: &str) -> Option<String> {
    let last = script.rsplit("&&").next().unwrap_or_default();
    let words: Vec<&str> = last.split_whitespace().collect();
    behind_wrappers(&words).first().map(|program| base(program).to_owned())
}

/// Returns the words with the port in place of `$PORT`.
pub fn with_port(words: &[String], port: Port) -> Vec<String> {
    words.iter().map(|word| word.replace("$PORT", &port.to_string())).collect()
}

fn server_flags(words: &[&str]) -> Option<Vec<String>> {
    let (program, arguments) = words.split_first()?;
    let program = base(program);
    let server = SERVERS.iter().find(|server| server.program == program)?;
    let bare: Vec<&str> = arguments.iter().copied().filter(|word| !word.starts_with('-')).collect();
    let first = bare.first().copied();
    // Options with a value may stand before it: `flask --app shop run`.
    if !server.subcommands.is_empty() && !bare.iter().any(|word| server.subcommands.contains(word)) {
        return None;
    }
    if first.is_some_and(|word| server.not.contains(&word)) {
        return None;
    }
    let chosen = |word: &&str| {
        server
            .chosen
            .iter()
            .any(|flag| word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')))
    };
    // A port as a word of its own: `runserver 8123`, `runserver 127.0.0.1:8123`, `runserver ${PORT:-8000}`.
    let is_port = |word: &&str| {
        word.contains('$') || word.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok())
    };
    let positional = server.flags == ["{}"] && bare.iter().any(is_port);
    if arguments.iter().any(chosen) || positional {
        return None;
    }
    Some(server.flags.iter().map(|flag| flag.replace("{}", "$PORT")).collect())
}

fn base(program: &str) -> &str {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    name.strip_suffix(".cmd").or_else(|| name.strip_suffix(".exe")).unwrap_or(name)
}

/// Returns the command without what only starts it.
fn behind_wrappers<'w>(mut words: &'w [&'w str]) -> &'w [&'w str] {
    loop {
        let is_option = |word: &str| word.starts_with('-') || (word.contains('=') && !word.contains('/'));
        words = &words[words.iter().take_while(|word| is_option(word)).count()..];
        let Some((program, rest)) = words.split_first() else { return words };
        let program = base(program);
        if INTERPRETERS.contains(&program) {
            // `python -m flask run`, `python manage.py runserver`, `node node_modules/.bin/vite`.
            let target = match rest {
                ["-m", ..] => &rest[1..],
                [first, ..] if !first.starts_with('-') => rest,
                _ => return words,
            };
            if target.first().is_some_and(|word| SERVERS.iter().any(|server| server.program == base(word))) {
                return target;
            }
            return words;
        }
        let Some((_, own)) = WRAPPERS.iter().find(|(wrapper, _)| *wrapper == program) else { return words };
        match (own.is_empty(), rest) {
            (true, _) => words = rest,
            (false, [word, ..]) if own.contains(word) => words = &rest[1..],
            _ => return words,
        }
    }
}

/// Returns the script that a package manager is asked to run, and what stands between it and more flags.
fn script(words: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Option<(String, Option<String>)> {
    let (manager, arguments) = words.split_first()?;
    let name = match (base(manager), arguments) {
        ("npm" | "pnpm" | "yarn" | "bun", ["run" | "run-script", name, ..])
        | ("npm" | "pnpm" | "yarn", [name @ ("start" | "dev" | "serve"), ..]) => *name,
        _ => return None,
    };
    let package: Value = serde_json::from_str(read("package.json")?.trim_start_matches('\u{feff}')).ok()?;
    let script = package.get("scripts")?.get(name)?.as_str()?;
    // Whoever gave flags of his own may have given the port.
    let given: Vec<&str> =
        arguments.iter().copied().filter(|word| word.starts_with('-') && *word != "--").collect();
    if given.iter().any(|word| word.starts_with("--port") || word.starts_with("-p")) {
        return None;
    }
    // Only npm keeps flags for itself; pnpm would hand the `--` on to the program.
    let needs_separator = base(manager) == "npm" && !arguments.contains(&"--");
    Some((script.to_owned(), needs_separator.then(|| "--".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(line: &str) -> Option<String> {
        let package = r#"{"scripts":{"dev":"tsc -b && vite","start":"next start","web":"vite --port 1"}}"#;
        let words: Vec<&str> = line.split_whitespace().collect();
        missing(&words, &|name| (name == "package.json").then(|| package.to_owned()))
            .map(|flags| flags.join(" "))
    }

    #[test]
    fn servers_that_ignore_the_variable_get_their_flag() {
        for (line, flags) in [
            ("vite", "--port $PORT --strictPort"),
            ("npx --yes vite dev", "--port $PORT --strictPort"),
            ("node_modules/.bin/vite --host", "--port $PORT --strictPort"),
            ("node ./node_modules/.bin/vite", "--port $PORT --strictPort"),
            ("env A=1 pnpm exec astro dev", "--port $PORT"),
            ("storybook dev", "-p $PORT --exact-port"),
            ("python manage.py runserver", "$PORT"),
            ("uv run python -m flask --app x run", "--port $PORT"),
            ("python3 -m flask run", "--port $PORT"),
            ("python -m http.server", "$PORT"),
            ("uvicorn main:app --reload", "--port $PORT"),
            ("php artisan serve", "--port=$PORT --tries=0"),
            ("npm run dev", "-- --port $PORT --strictPort"),
            ("npm run dev -- --host", "--port $PORT --strictPort"),
            ("pnpm dev", "--port $PORT --strictPort"),
            ("bun run dev", "--port $PORT --strictPort"),
        ] {
            assert_eq!(added(line).as_deref(), Some(flags), "{line}");
        }
    }

    #[test]
    fn a_port_that_is_written_into_a_script_is_seen() {
        for (script, port) in [
            ("next dev --port 3000", Some(3000)),
            ("next dev -p3001", Some(3001)),
            ("tsc && vite --port=4000 --strictPort", Some(4000)),
            ("concurrently \"vite --port 5\" \"tsc -w\"", Some(5)),
            ("PORT=3000 node .", Some(3000)),
            ("cross-env PORT=3000 next dev", Some(3000)),
            ("storybook dev -p 6006", Some(6006)),
            ("python manage.py runserver 0.0.0.0:8000", Some(8000)),
            ("python3 -m http.server 8001 --bind 127.0.0.1", Some(8001)),
            ("python3 -m http.server $PORT", None),
            ("gunicorn app:app --bind 0.0.0.0:8000", Some(8000)),
            ("bin/rails server -p 3000", Some(3000)),
            ("next dev", None),
            ("vite --port $PORT", None),
            ("vite --port ${PORT:-5173}", None),
            ("mkdir -p 3 && vite", None),
            ("vite && ssh -p 22 host", None),
            ("", None),
        ] {
            assert_eq!(fixed_port(script).map(Port::number), port, "{script}");
        }
    }

    #[test]
    fn whoever_names_a_port_keeps_it_and_others_are_left_alone() {
        for line in [
            "vite --port 3000",
            "vite --port=3000",
            "vite build",
            "npx vite -p 3",
            "python manage.py runserver 0.0.0.0:8123",
            "python manage.py runserver 0.0.0.0:${PORT:-8000}",
            "python3 -m http.server $PORT",
            "python manage.py migrate",
            "next dev",
            "npm start",
            "npm run web",
            "npm run dev -- --port 4",
            "npm run absent",
            "node server.js",
            "cargo run",
            "",
        ] {
            assert_eq!(added(line), None, "{line}");
        }
    }
}
