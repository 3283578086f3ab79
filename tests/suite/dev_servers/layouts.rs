//! `git port init` in projects as the frameworks' own generators make them: in reduced copies always, and
//! in freshly generated ones where the long tests are wanted.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::lab;
use crate::support::TestEnv;

/// A project: how it is made, what matters of it, and what is to be found.
struct Layout {
    name: &'static str,
    /// The words for npx; none where the generator is no program of npm, or takes its templates from a host
    /// that the tests do not ask.
    generator: &'static [&'static str],
    files: &'static [(&'static str, &'static str)],
    services: &'static [&'static str],
    /// The codes of what is not wired.
    unwired: &'static [&'static str],
}

const LAYOUTS: &[Layout] = &[
    Layout {
        name: "vite",
        generator: &["create-vite@9.3.0", "app", "--template", "react-ts", "--no-interactive"],
        files: &[
            (
                "package.json",
                r#"{"scripts":{"dev":"vite","build":"tsc -b && vite build","preview":"vite preview"},
                "devDependencies":{"@vitejs/plugin-react":"^6.1.2","vite":"^8.3.4"}}"#,
            ),
            ("vite.config.ts", "export default defineConfig({ plugins: [react()] })\n"),
        ],
        services: &["web"],
        unwired: &["port-not-read"],
    },
    Layout {
        name: "vue",
        generator: &["create-vue@3.24.0", "app", "--default"],
        files: &[
            (
                "package.json",
                r#"{"scripts":{"dev":"vite"},"dependencies":{"vue":"3"},"devDependencies":{"vite":"8"}}"#,
            ),
            ("vite.config.ts", "export default defineConfig({ plugins: [vue()] })\n"),
        ],
        services: &["web"],
        unwired: &["port-not-read"],
    },
    Layout {
        name: "next",
        generator: &[
            "create-next-app@16.4.3",
            "app",
            "--ts",
            "--no-eslint",
            "--no-tailwind",
            "--app",
            "--no-src-dir",
            "--use-npm",
            "--skip-install",
            "--yes",
            "--disable-git",
        ],
        files: &[(
            "package.json",
            r#"{"scripts":{"dev":"next dev","start":"next start"},"dependencies":{"next":"16.4.3"}}"#,
        )],
        services: &["web"],
        unwired: &[],
    },
    Layout {
        name: "angular",
        generator: &["@angular/cli@22.2.7", "new", "app", "--skip-install", "--skip-git", "--defaults"],
        files: &[(
            "package.json",
            r#"{"scripts":{"ng":"ng","start":"ng serve"},"dependencies":{"@angular/core":"^22.2.0"},
            "devDependencies":{"@angular/build":"^22.2.7","@angular/cli":"^22.2.7"}}"#,
        )],
        services: &["web"],
        unwired: &[],
    },
    Layout {
        name: "svelte",
        generator: &[
            "sv@0.17.1",
            "create",
            "app",
            "--template",
            "minimal",
            "--types",
            "ts",
            "--no-add-ons",
            "--no-install",
        ],
        files: &[(
            "package.json",
            r#"{"scripts":{"dev":"vite dev"},"devDependencies":{"@sveltejs/kit":"^2.63.0","vite":"^8.0.16"}}"#,
        )],
        services: &["web"],
        unwired: &["port-not-read"],
    },
    Layout {
        name: "nest",
        generator: &["@nestjs/cli@12.0.8", "new", "app", "--skip-install", "--skip-git", "-p", "npm"],
        files: &[
            (
                "package.json",
                r#"{"scripts":{"start":"nest start","start:dev":"nest start --watch"},
                "dependencies":{"@nestjs/core":"^12.0.1","@nestjs/platform-express":"^12.0.1"}}"#,
            ),
            ("src/main.ts", "await app.listen(process.env.PORT ?? 3000);\n"),
        ],
        services: &["api"],
        unwired: &[],
    },
    Layout {
        name: "worker",
        generator: &[
            "create-cloudflare@2.74.0",
            "app",
            "--type",
            "hello-world",
            "--lang",
            "ts",
            "--no-deploy",
            "--no-git",
            "--no-agents",
            "--accept-defaults",
        ],
        files: &[(
            "package.json",
            r#"{"scripts":{"dev":"wrangler dev","start":"wrangler dev"},"devDependencies":{"wrangler":"^4.164.0"}}"#,
        )],
        services: &["worker"],
        unwired: &["port-not-read"],
    },
    Layout {
        name: "express",
        generator: &["express-generator@4.16.1", "app", "--no-view"],
        files: &[
            (
                "package.json",
                r#"{"scripts":{"start":"node ./bin/www"},"dependencies":{"express":"~4.16.1"}}"#,
            ),
            ("app.js", "module.exports = express()\n"),
        ],
        services: &["api"],
        unwired: &[],
    },
    Layout {
        name: "fastify",
        generator: &["fastify-cli@8.0.2", "generate", "app"],
        files: &[(
            "package.json",
            r#"{"scripts":{"start":"fastify start -l info app.js","dev":"fastify start -w -P app.js"},
            "dependencies":{"fastify":"^5.0.0","fastify-cli":"^8.0.2"}}"#,
        )],
        services: &["api"],
        unwired: &[],
    },
    Layout {
        name: "expo",
        generator: &["create-expo-app@5.0.0", "app", "--no-install", "--template", "blank"],
        files: &[(
            "package.json",
            r#"{"scripts":{"start":"expo start"},"dependencies":{"expo":"~58.0.0","react-native":"0.88"}}"#,
        )],
        services: &["web"],
        unwired: &["port-not-read"],
    },
    Layout {
        name: "turborepo",
        generator: &[],
        files: &[
            ("package.json", r#"{"scripts":{"dev":"turbo run dev"},"workspaces":["apps/*","packages/*"]}"#),
            (
                "turbo.json",
                r#"{"tasks":{"build":{"dependsOn":["^build"]},"dev":{"cache":false,"persistent":true}}}"#,
            ),
            (
                "apps/docs/package.json",
                r#"{"scripts":{"dev":"next dev --port 3001"},"dependencies":{"next":"16"}}"#,
            ),
            (
                "apps/web/package.json",
                r#"{"scripts":{"dev":"next dev --port 3000"},"dependencies":{"next":"16"}}"#,
            ),
            ("packages/ui/package.json", r#"{"scripts":{"lint":"eslint"},"dependencies":{"react":"19"}}"#),
        ],
        services: &["web", "docs"],
        unwired: &["fixed-port", "fixed-port", "turborepo"],
    },
    Layout {
        name: "laravel",
        generator: &[],
        files: &[
            ("artisan", "#!/usr/bin/env php\n"),
            ("composer.json", r#"{"require":{"php":"^8.2","laravel/framework":"^12.0"}}"#),
            (
                "package.json",
                r#"{"scripts":{"build":"vite build","dev":"vite"},
                "devDependencies":{"laravel-vite-plugin":"^2.0.0","vite":"^7.0.7"}}"#,
            ),
            ("vite.config.js", "export default defineConfig({ plugins: [laravel({})] })\n"),
            (
                ".env.example",
                "APP_URL=http://localhost\nDB_CONNECTION=mysql\nDB_HOST=127.0.0.1\nDB_PORT=3306\n\
                REDIS_HOST=127.0.0.1\nREDIS_PORT=6379\nMAIL_HOST=127.0.0.1\nMAIL_PORT=2525\n",
            ),
        ],
        services: &["web", "vite", "mail", "db", "redis"],
        unwired: &["port-not-read"],
    },
    Layout {
        name: "rails",
        generator: &[],
        files: &[
            ("Gemfile", "gem \"rails\", \"~> 8.0\"\ngem \"puma\", \">= 5.0\"\n"),
            ("config/application.rb", "module Shop\n"),
            ("config/puma.rb", "port ENV.fetch(\"PORT\", 3000)\n"),
            ("Procfile.dev", "web: env RUBY_DEBUG_OPEN=true bin/rails server\ncss: yarn build:css --watch\n"),
        ],
        services: &["web"],
        unwired: &[],
    },
    Layout {
        name: "compose",
        generator: &[],
        files: &[(
            "compose.yaml",
            "services:\n  backend:\n    build: backend\n    ports: [80:80, 9229:9229]\n  db:\n    image: mariadb:10.6\n\
            \x20   ports: ['3306:3306']\n  frontend:\n    build: frontend\n    ports:\n      - 3000:3000\n",
        )],
        services: &["frontend", "backend", "db"],
        unwired: &["compose-port"],
    },
    Layout {
        name: "procfile",
        generator: &[],
        files: &[
            ("requirements.txt", "gunicorn==27\nfastapi==0.165\n"),
            (
                "Procfile",
                "web: gunicorn shop.wsgi --bind 0.0.0.0:$PORT\nfeed: uvicorn feed:app --port 8001\nworker: rq\n",
            ),
        ],
        services: &["web", "api", "feed"],
        unwired: &["fixed-port"],
    },
];

/// Sets a project up twice, without a terminal.
fn is_set_up(layout: &Layout, fill: impl Fn(&TestEnv, &Path)) {
    let env = TestEnv::new();
    let repo = env.repo("shop");
    fill(&env, &repo);
    let name = layout.name;
    let services = |object: &Value| -> Vec<String> {
        let services = object["services"].as_array().unwrap().iter();
        services.map(|one| one["service"].as_str().unwrap().to_owned()).collect()
    };
    let codes = |object: &Value| -> Vec<String> {
        let gaps = object["unwired"].as_array().unwrap().iter();
        assert!(object["unwired"].as_array().unwrap().iter().all(|one| one["fix"].is_string()));
        gaps.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    let planned = env.json(&repo, "init --dry-run");
    assert_eq!(services(&planned), layout.services, "{name}: {planned}");
    let first = env.json(&repo, "init");
    assert_eq!(services(&first), layout.services, "{name}");
    assert_eq!(codes(&first), layout.unwired, "{name}: {first}");
    assert_eq!(first["allocations"].as_array().unwrap().len(), layout.services.len(), "{name}: {first}");
    let state = || {
        let files = [".git-port.toml", ".git-port.env", ".git/hooks/post-checkout", ".git/info/exclude"];
        (
            files.map(|file| fs::read(repo.join(file)).ok()),
            env.git(&repo, ["status", "--porcelain"]),
            env.books(),
        )
    };
    let before = state();
    let second = env.json(&repo, "init");
    assert_eq!(second["written"], false, "{name}: {second}");
    let again = codes(&second);
    assert!(again.iter().all(|code| layout.unwired.contains(&code.as_str())), "{name}: {second}");
    assert!(second["allocations"].as_array().unwrap().iter().all(|one| one["created"] == false), "{name}");
    assert_eq!(before, state(), "{name}: the second run changed something");
    for database in second["allocations"].as_array().unwrap().iter().filter(|one| one["service"] == "db") {
        // MariaDB and MySQL are known by 3306.
        assert_eq!(database["port"].as_u64().unwrap() % 100, 6, "{database}");
    }
}

#[test]
fn init_knows_the_layouts_of_fifteen_frameworks() {
    for layout in LAYOUTS {
        is_set_up(layout, |_, repo| {
            for (name, text) in layout.files {
                let file = repo.join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
        });
    }
}

#[test]
fn init_knows_what_the_generators_make() {
    if !lab::is_long("Generating ten projects") {
        return;
    }
    let Some(bin) = lab::node() else { return };
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&path))).unwrap();
    for layout in LAYOUTS.iter().filter(|layout| !layout.generator.is_empty()) {
        is_set_up(layout, |env, repo| {
            let made = Command::new("npx")
                .arg("--yes")
                .args(layout.generator)
                .current_dir(env.root())
                .env("PATH", &path)
                .env("CI", "1")
                .env("NEXT_TELEMETRY_DISABLED", "1")
                .env("NG_CLI_ANALYTICS", "false")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(made.status.success(), "{}: {made:?}", layout.name);
            let _ = fs::remove_dir_all(env.root().join("app/node_modules"));
            lab::copy(&env.root().join("app"), repo);
        });
    }
}

#[test]
fn init_knows_what_django_makes() {
    let Some(bin) = lab::python("django-app") else { return };
    let layout = Layout {
        name: "django",
        generator: &[],
        files: &[],
        services: &["web"],
        unwired: &["port-not-read"],
    };
    is_set_up(&layout, |_, repo| {
        let made = Command::new(bin.join("django-admin"))
            .args(["startproject", "shop", "."])
            .current_dir(repo)
            .status()
            .unwrap();
        assert!(made.success());
    });
}
