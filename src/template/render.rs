//! Renders a template. It sees values and a few filters: no file, no variable, no program, no template
//! but itself.

use std::fmt;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, filters, tests};
use serde::Serialize;

use super::compose::Override;
use super::variables::{TemplateError, printable};

/// A service as a template sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceValues {
    /// Its name.
    pub name: String,
    /// Its port; not defined if it has none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The variable that carries its port.
    pub variable: String,
    /// Its URL, where it has a port and speaks HTTP; else not defined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The port where nobody has set the variable.
    pub default_port: u16,
    /// Whether `PORT` stands for it.
    pub primary: bool,
}

/// What a template is rendered with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Values {
    /// The project.
    pub project: String,
    /// The worktree's label, a safe slug.
    pub worktree: String,
    /// The branch as a safe slug; empty if HEAD is detached.
    pub branch: String,
    /// The environment.
    pub environment: String,
    /// The services, in the order of the configuration.
    pub services: Vec<ServiceValues>,
    /// The primary one, with `PORT` for its variable.
    pub primary: ServiceValues,
    /// The one that is asked for; the primary one if none is.
    pub service: ServiceValues,
    /// The project's own dev command, with `$PORT` where it wants its port as a flag.
    pub command: String,
    /// The name of the file of variables.
    pub env_file: String,
    /// The lines of that file.
    pub variables: Vec<String>,
    /// What the override file for Compose publishes; none but for its template.
    pub compose: Option<Override>,
}

/// How many steps a template may take: the largest built-in one takes some hundreds.
const FUEL: u64 = 200_000;
/// The longest text that a template may render, in bytes.
const LONGEST: usize = 1024 * 1024;

/// Returns the text that the template renders. `label` is the file or the name that an error names.
pub fn render(label: &str, source: &str, values: &Values) -> Result<String, TemplateError> {
    let text = environment()
        .render_named_str(label, source, minijinja::Value::from(Serde(values)))
        .map_err(|error| bad(label, &error))?;
    if text.len() > LONGEST {
        return Err(TemplateError::new(format!(
            "the template '{}' renders more than {} KiB",
            printable(label),
            LONGEST / 1024
        )));
    }
    Ok(text)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Delimiters are the usual ones, so this cannot fail.
    let syntax =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_fuel(Some(FUEL));
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_filter("json", json);
    environment.add_filter("port", |command: &str, port: &str| command.replace("$PORT", port));
    environment
        .add_filter("shell", |name: &str, default: minijinja::Value| format!("${{{name}:-{default}}}"));
    environment.add_filter("sh", |text: &str| format!("'{}'", text.replace('\'', r"'\''")));
    environment.add_test("defined", tests::is_defined);
    environment.add_test("undefined", tests::is_undefined);
    environment
}

/// A string of JSON is one of JavaScript, of YAML and of TOML too.
#[expect(clippy::unnecessary_wraps, reason = "a filter that may fail says so")]
fn json(value: minijinja::Value) -> Result<String, Error> {
    Ok(serde_json::to_string(&value).unwrap_or_default())
}

fn bad(label: &str, error: &Error) -> TemplateError {
    let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    let why = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    TemplateError::new(format!("bad template '{}'{line}: {}", printable(label), printable(&why)))
        .hint("values and filters are described in docs/templates.md")
}

impl fmt::Display for ServiceValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The names of programs by which a service is often called, with the ports that they have by default.
const USUAL: &[(&[&str], u16)] = &[
    (&["db", "database", "postgres", "postgresql", "pg"], 5432),
    (&["mysql", "mariadb"], 3306),
    (&["redis", "valkey", "cache"], 6379),
    (&["mongo", "mongodb"], 27017),
    (&["rabbitmq", "queue"], 5672),
    (&["mail", "mailpit", "smtp"], 1025),
    (&["api", "backend", "server"], 8000),
    (&["storybook"], 6006),
];

/// Returns the port that a service of this name, the `index`-th, has where nobody says so: that of the
/// program it is called after, else one from 3000 on, so that two services differ.
pub fn usual_port(name: &str, index: usize) -> u16 {
    known_port(name).unwrap_or_else(|| 3000_u16.saturating_add(u16::try_from(index).unwrap_or(0)))
}

/// Returns the port of the program that a service of this name is called after.
pub fn known_port(name: &str) -> Option<u16> {
    USUAL.iter().find(|(names, _)| names.contains(&name)).map(|(_, port)| *port)
}

#[cfg(test)]
pub(super) mod samples;

#[cfg(test)]
mod checks {
    use super::samples::values;
    use super::*;

    fn rendered(source: &str) -> Result<String, TemplateError> {
        render("mine.j2", source, &values(3, true))
    }

    #[test]
    fn values_and_filters_are_there() {
        for (source, text) in [
            (
                "{{ project }} {{ worktree }} {{ branch }} {{ environment }}\n",
                "shop feature-api topic-x dev\n",
            ),
            ("{% for s in services %}{{ s.name }}={{ s.port }} {% endfor %}", "web=8001 api=8002 db=8003 "),
            ("{{ primary.variable }}:{{ service.variable }}", "PORT:PORT"),
            ("{{ services|length }} {{ services[1].url }}", "3 http://localhost:8002"),
            ("{{ services[2].url|default('-') }}", "-"),
            ("{{ project|upper|json }} {{ \"it's\"|sh }}", "\"SHOP\" 'it'\\''s'"),
            ("{{ 'WEB_PORT'|shell(3000) }}", "${WEB_PORT:-3000}"),
            ("  {% if services[2].url is not defined %}\nx\n  {% endif %}\n", "x\n"),
        ] {
            assert_eq!(rendered(source).unwrap(), text, "{source}");
        }
    }

    #[test]
    fn an_error_names_the_file_and_the_line() {
        for (source, line) in
            [("a\n{{ nope }}\n", 2), ("{% if %}", 1), ("\n\n{{ x|nope }}", 3), ("{{ services.x.y }}", 1)]
        {
            let error = rendered(source).unwrap_err();
            let start = format!("bad template 'mine.j2', line {line}: ");
            assert!(error.message.starts_with(&start), "{error}");
            assert!(!error.message.contains('\n'));
        }
        let error = render("a\nb", "{{", &values(1, false)).unwrap_err();
        assert!(error.message.starts_with("bad template 'a\\nb', line 1: "), "{error}");
    }

    #[test]
    fn a_template_reaches_nothing_outside() {
        for source in [
            "{% include '/etc/passwd' %}",
            "{% extends 'x' %}",
            "{% import 'x' as y %}",
            "{{ env('HOME') }}",
            "{{ debug() }}",
            "{{ range(9) }}",
            "{{ self }}",
            "{{ HOME }}",
        ] {
            assert!(rendered(source).is_err(), "{source}");
        }
    }

    #[test]
    fn a_template_cannot_keep_us_busy() {
        let nested = "{% for a in s %}".repeat(8) + "x" + &"{% endfor %}".repeat(8);
        let source = format!("{{% set s = services + services + services %}}{nested}");
        assert!(rendered(&source).is_err());
        assert!(rendered("{{ 'x' * 1048577 }}").is_err());
    }

    #[test]
    fn usual_ports_differ() {
        assert_eq!((usual_port("db", 2), usual_port("web", 0), usual_port("x", 1)), (5432, 3000, 3001));
    }
}
