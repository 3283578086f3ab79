//! The built-in templates: for which tool, into which file, and how to tell that it works.

use super::block::Comment;

/// What becomes of a rendered template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file that people commit.
    File,
    /// A file of one worktree, which git is to ignore.
    Local,
    /// It belongs into code or a command, so people put it there by hand.
    ByHand,
}

/// A built-in template.
#[derive(Clone, Copy, Debug)]
pub struct Framework {
    /// Its name.
    pub name: &'static str,
    /// The file it belongs in, from the top of the worktree.
    pub file: &'static str,
    /// What it does.
    pub about: &'static str,
    /// The version it was tried with; none if it is written from the documentation alone.
    pub tried: Option<&'static str>,
    /// How to tell that it works.
    pub check: &'static str,
    /// How its file begins a comment.
    pub comment: Comment,
    /// What becomes of it.
    pub place: Place,
    /// The template.
    pub text: &'static str,
}

macro_rules! framework {
    ($name:literal, $file:literal, $comment:ident, $place:ident, $tried:expr, $about:literal, $check:literal) => {
        Framework {
            name: $name,
            file: $file,
            about: $about,
            tried: $tried,
            check: $check,
            comment: Comment::$comment,
            place: Place::$place,
            text: include_str!(concat!("builtin/", $name, ".j2")),
        }
    };
}

/// All of them, in the order in which they are listed.
#[rustfmt::skip]
pub const FRAMEWORKS: &[Framework] = &[
    framework!("dotenv", ".git-port.env", Hash, Local, Some("python-dotenv, dotenv and sh"),
        "all variables, for whatever reads such files",
        "the program says this worktree's port"),
    framework!("docker-compose", "compose.override.yaml", Hash, Local, None,
        "publishes the services of the Compose file on this worktree's ports, to this machine alone",
        "'docker compose config' (2.24.4 or newer) shows one published port for each"),
    framework!("vite", "vite.config.js", Slashes, ByHand, Some("Vite 8.3"),
        "takes the port, and does not move to a neighbour's",
        "'git port run -- npx vite' prints this worktree's port, and a second one fails"),
    framework!("next", "package.json", None, ByHand, Some("Next.js 16.4"),
        "takes the port, and fails if it is taken",
        "'git port run -- npm run dev' prints this worktree's port"),
    framework!("nuxt", "nuxt.config.ts", Slashes, ByHand, Some("Nuxt 4.5"),
        "takes the port; Nuxt moves to 3000 if it is taken",
        "'git port run -- npx nuxt dev' prints this worktree's port, and git-port does not warn"),
    framework!("astro", "astro.config.mjs", Slashes, ByHand, Some("Astro 7.3"),
        "takes the port, and does not move to a neighbour's",
        "'git port run -- npx astro dev' prints this worktree's port"),
    framework!("angular", "package.json", None, ByHand, Some("Angular 22.2"),
        "takes the port, and fails if it is taken",
        "'git port run -- npm start' prints this worktree's port"),
    framework!("webpack", "webpack.config.js", Slashes, ByHand, Some("webpack-dev-server 6.1"),
        "takes the port, and fails if it is taken",
        "'git port run -- npx webpack serve' prints this worktree's port"),
    framework!("storybook", "package.json", None, ByHand, Some("Storybook 10.6"),
        "takes the port, and does not move to a neighbour's",
        "'git port run -- npm run storybook' prints this worktree's port"),
    framework!("express", "server.js", Slashes, ByHand, Some("Node 24"),
        "listens on the port, on this machine alone",
        "'git port run -- node server.js', then 'git port audit' shows it active"),
    framework!("django", "bin/dev", Hash, ByHand, Some("Django 5.2"),
        "takes the port, and fails if it is taken",
        "'git port run -- sh bin/dev' prints this worktree's port"),
    framework!("flask", "bin/dev", Hash, ByHand, Some("Flask 3.1"),
        "takes the port, and fails if it is taken",
        "'git port run -- sh bin/dev' prints this worktree's port"),
    framework!("uvicorn", "bin/dev", Hash, ByHand, Some("uvicorn 0.54"),
        "takes the port, and fails if it is taken",
        "'git port run -- sh bin/dev' prints this worktree's port"),
    framework!("fastapi", "bin/dev", Hash, ByHand, Some("FastAPI CLI 0.0.34"),
        "takes the port, and fails if it is taken",
        "'git port run -- sh bin/dev' prints this worktree's port"),
    framework!("rails", "config/puma.rb", Hash, ByHand, None,
        "takes the port, and a pid file of its own where PIDFILE names one",
        "'git port run -- bin/rails server' prints this worktree's port"),
    framework!("laravel", "bin/dev", Hash, ByHand, None,
        "takes the port, and does not try the ten that follow",
        "'git port run -- sh bin/dev' prints this worktree's port"),
    framework!("phoenix", "config/dev.exs", Hash, ByHand, None,
        "takes the port; put your application's names in place of my_app and MyAppWeb",
        "'git port run -- mix phx.server' prints this worktree's port"),
    framework!("spring", "src/main/resources/application.properties", Hash, File, None,
        "takes the port, and fails if it is taken",
        "'git port run -- ./mvnw spring-boot:run' prints this worktree's port"),
    framework!("aspnet", "bin/dev", Hash, ByHand, None,
        "takes the port; --urls wins over launchSettings.json",
        "'git port run -- sh bin/dev' prints this worktree's port"),
    framework!("playwright", "playwright.config.ts", Slashes, ByHand, Some("Playwright 1.65"),
        "tests the server of this worktree, never a stranger's",
        "'git port run -- npx playwright test' starts its own server"),
    framework!("turborepo", "turbo.json", None, ByHand, Some("Turborepo 2.11"),
        "lets the ports through to the tasks, which are otherwise started without them",
        "'git port run -- npx turbo run dev' prints this worktree's ports"),
    framework!("wrangler", "package.json", None, ByHand, Some("wrangler 4.164"),
        "takes the port, and fails if it is taken",
        "'git port run -- npm run dev' prints this worktree's port"),
    framework!("direnv", ".envrc", Hash, File, Some("direnv 2.32"),
        "loads the variables on 'cd', after 'direnv allow' in each worktree",
        "'cd' into the worktree, and 'echo $PORT'"),
    framework!("mise", "mise.toml", Hash, File, Some("mise 2026.9"),
        "loads the variables; linked worktrees share the trust of the main one",
        "'mise env' shows PORT"),
    framework!("vscode", ".vscode/tasks.json", Slashes, File, None,
        "a task for each service",
        "'Tasks: Run Task' lists the services, and each starts on its port"),
    framework!("procfile", "Procfile.dev", Hash, ByHand, Some("honcho 2.0"),
        "a process for each service, with its own port for PORT; put your commands in",
        "'git port run -- foreman start -f Procfile.dev' prints this worktree's ports"),
    framework!("just", "justfile", Hash, File, Some("just 1.59"),
        "loads the variables for all recipes",
        "'just --evaluate PORT' prints this worktree's port"),
    framework!("make", "Makefile", Hash, File, Some("GNU Make 4.3"),
        "loads the variables for all recipes",
        "'make -pn' shows this worktree's port for PORT"),
];

impl Framework {
    /// Returns the template of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FRAMEWORKS.iter().find(|framework| framework.name == name)
    }

    /// Returns on what the template rests, in words.
    pub fn tried(&self) -> String {
        self.tried
            .map_or_else(|| "from its documentation".to_owned(), |version| format!("tried with {version}"))
    }

    /// Returns what a comment above the text says: nothing where the file has no comments.
    pub fn header(&self, file: &str) -> String {
        let Some(prefix) = self.comment.prefix() else { return String::new() };
        format!("{prefix}{file}: {} ({})\n{prefix}it works if {}\n", self.about, self.tried(), self.check)
    }
}

#[cfg(test)]
mod checks;
