//! The grammar of the command line: all of it, or that of one command.

use std::ffi::{OsStr, OsString};
use std::mem::ManuallyDrop;

use clap::{Args, CommandFactory, FromArgMatches};

use super::{Cli, Global, allocate, check, env, get, hook, list, run, url, worktree};

/// Parses the command line. What one does not understand with the grammar of one command, is for the whole
/// one to answer.
pub(super) fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let short = args.get(1).and_then(|name| parse_with(short_grammar(name)?, args).ok());
    short.map_or_else(|| parse_with(command(), args), Ok)
}

/// Taking a grammar apart again would cost as much as making it, and the process ends soon.
fn parse_with(grammar: clap::Command, args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut grammar = ManuallyDrop::new(grammar);
    let mut matches = grammar.try_get_matches_from_mut(args)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut grammar))
}

/// Returns the grammar that has this command alone, if it is one that prompts, scripts and agents run: to
/// make that of all commands costs half as much as `get` does besides.
fn short_grammar(name: &OsStr) -> Option<clap::Command> {
    let name = name.to_str()?;
    let arguments = match name {
        "get" => get::Args::augment_args,
        "env" => env::Args::augment_args,
        "url" => url::Args::augment_args,
        "run" => run::Args::augment_args,
        "list" => list::Args::augment_args,
        "check" => check::Args::augment_args,
        "allocate" => allocate::Args::augment_args,
        "worktree" => worktree::Args::augment_args,
        "hook" => hook::Args::augment_args,
        _ => return None,
    };
    let all = Global::augment_args(clap::Command::new("git-port"));
    Some(all.subcommand(arguments(clap::Command::new(name.to_owned()))))
}

/// Returns the whole command line, for manual pages and completions.
pub(super) fn command() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_the_short_grammar_a_line_says_the_same() {
        let lines = [
            "get",
            "get web",
            "get --no-allocate --environment test shop/api",
            "get -C a -C b --json -qv",
            "get nope nope",
            "env",
            "env --format fish --registry /x",
            "env --format=json -e test --color never",
            "env --nope",
            "url",
            "url web",
            "url --help",
            "run -- npm run dev -- --x",
            "run npm",
            "run",
            "list --all --json",
            "list -V",
            "check 8000",
            "check",
            "check 8000 --protocol udp",
            "allocate web api --port 1",
            "allocate --type",
            "worktree create a",
            "worktree create a b --from c -f",
            "worktree",
            "worktree list",
            "worktree ls",
            "worktree nope",
            "worktree remove --force a",
            "worktree lock",
            "hook post-checkout 0 1 1",
            "hook",
            "hook install --global",
        ];
        let mut understood = 0;
        for line in lines {
            let args: Vec<OsString> =
                ["git-port"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
            let short = parse_with(short_grammar(&args[1]).unwrap(), &args);
            let whole = parse_with(command(), &args);
            assert_eq!(short.is_ok(), whole.is_ok(), "{line}");
            if let (Ok(short), Ok(whole)) = (short, whole) {
                assert_eq!(format!("{short:?}"), format!("{whole:?}"), "{line}");
                understood += 1;
            }
        }
        assert!(understood > 18, "{understood}");
    }
}
