//! `git port man`

use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::error::{Error, Result};
use crate::output::Output;
use crate::system::SystemError;
use crate::system::files::{self, Access};

/// Print the manual page, or write all pages into a folder
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write git-port(1) and a page for each command here
    #[arg(long, value_name = "folder")]
    dir: Option<PathBuf>,
}

/// Exit statuses, for the page of the program.
const STATUS: &[(&str, &str)] = &[
    ("0", "Done."),
    ("1", "A negative answer: not free, not found, not installed."),
    ("3", "It cannot be determined."),
    ("4", "Somebody else has the port, or no port is left."),
    ("5", "Refused without --force."),
    ("6", "The registry is busy or cannot be reached; the same may work a moment later."),
    ("128", "Not a repository, a bad configuration, a damaged registry."),
    ("129", "A malformed command line."),
];

/// Variables, for the page of the program.
const VARIABLES: &[(&str, &str)] = &[
    ("GIT_PORT_REGISTRY", "The file the registry is kept in; --registry wins over it."),
    ("GIT_PORT_CONFIG", "The user's configuration file, in place of the usual one."),
    ("GIT_PORT_<SECTION>_<KEY>", "Any setting, as GIT_PORT_RANGES_DEV."),
    ("GIT_PORT_SESSION", "Which conversation or agent asks, where --session does not say."),
    ("GIT_PORT_DISABLE", "With 1, the hooks do nothing."),
    ("NO_COLOR, CLICOLOR_FORCE", "Never, or always, use colour."),
];

/// Files, for the page of the program.
const FILES: &[(&str, &str)] = &[
    (".git-port.toml", "The configuration of a repository, committed with it."),
    ("$GIT_COMMON_DIR/git-port.toml", "The configuration of one clone."),
    ("~/.config/git-port/config.toml", "The configuration of the user."),
    ("~/.local/state/git-port/registry.db", "The registry, unless it is named otherwise."),
    (".git-port.env", "The variables of a worktree, at its top; git ignores it."),
    ("~/.config/git-port/templates/<name>.j2", "The user's own templates."),
    (".git-port/templates/<name>.j2", "Those of a repository, used after 'git port trust'."),
    ("~/.local/state/git-port/trust.json", "Which repositories' templates are trusted."),
];

impl Args {
    pub(super) fn run(self, out: &Output) -> Result<u8> {
        let mut command = super::grammar::command().disable_help_subcommand(true);
        command.build();
        let Some(dir) = self.dir else {
            out.raw(&page(&command, None)?);
            return Ok(0);
        };
        std::fs::create_dir_all(&dir).map_err(|error| failed(&dir, error))?;
        write_pages(&command, None, &dir)?;
        out.status(&format!("Wrote the manual pages to {}", dir.display()));
        Ok(0)
    }
}

fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::from(SystemError::file("write", path)(error))
}

/// Writes the page of a command and, below it, those of its subcommands.
fn write_pages(command: &Command, parent: Option<&str>, dir: &Path) -> Result<()> {
    let name = page_name(command);
    files::replace(&dir.join(format!("{name}.1")), &page(command, parent)?, Access::Public)?;
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_pages(subcommand, Some(name), dir)?;
    }
    Ok(())
}

fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Returns the page of a command whose parent has this page.
fn page(command: &Command, parent: Option<&str>) -> Result<Vec<u8>> {
    // The usage as it is shown, for clap_mangen would leave out the values of short options.
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let man = Man::new(command.clone().override_usage(usage))
        .source(format!("git-port {}", env!("CARGO_PKG_VERSION")))
        .manual("git-port manual");
    let mut text = Vec::new();
    let written = man
        .render_title(&mut text)
        .and_then(|()| man.render_name_section(&mut text))
        .and_then(|()| man.render_synopsis_section(&mut text))
        .and_then(|()| match command.get_long_about() {
            Some(_) => man.render_description_section(&mut text),
            // The name says it already.
            None => Ok(()),
        })
        .and_then(|()| man.render_options_section(&mut text));
    written.map_err(|error| failed("the page".as_ref(), error))?;

    let mut rest = Roff::new();
    if command.has_subcommands() {
        rest.control("SH", ["COMMANDS"]);
        for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
            let about = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
            item(&mut rest, &format!("{}(1)", page_name(subcommand)), &about);
        }
    }
    if let Some(examples) = examples(command) {
        rest.control("SH", ["EXAMPLES"]);
        rest.control("nf", []);
        for line in examples.lines() {
            rest.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        rest.control("fi", []);
    }
    if parent.is_none() {
        for (heading, items) in [("EXIT STATUS", STATUS), ("ENVIRONMENT", VARIABLES), ("FILES", FILES)] {
            rest.control("SH", [heading]);
            for (name, meaning) in items {
                item(&mut rest, name, meaning);
            }
        }
    }
    rest.control("SH", ["SEE ALSO"]);
    let related = parent.map_or("git-worktree(1), githooks(5)".to_owned(), |parent| format!("{parent}(1)"));
    rest.text([roman(related)]);
    text.extend(rest.to_roff().into_bytes());
    Ok(ascii(&String::from_utf8_lossy(&text)).into_bytes())
}

/// Returns the text with groff's escapes for what is not ASCII, which not every reader of pages decodes.
fn ascii(text: &str) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    text.chars().map(escaped).collect()
}

fn item(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(meaning)]);
}

/// Returns the examples that the help of a command ends with.
fn examples(command: &Command) -> Option<String> {
    let help = command.get_after_help()?.to_string();
    let examples = help.split("\n\n").find_map(|part| part.strip_prefix("Examples:\n"))?;
    Some(examples.to_owned())
}
