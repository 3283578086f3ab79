//! Sets aside what belongs to git: the arguments of `worktree add` and its like are git's own, and no
//! option of ours may take one of them for itself.

use std::ffi::OsString;

use crate::ops::worktree::Verb;

/// The options of ours that may stand before the command and take a value.
const WITH_VALUE: &[&str] = &["-C", "--color", "--registry"];

/// Returns our part of the command line, and git's, if the command is one of git's own.
pub(super) fn split(mut args: Vec<OsString>) -> (Vec<OsString>, Option<Vec<OsString>>) {
    let mut index = 1;
    while let Some(arg) = args.get(index) {
        if WITH_VALUE.iter().any(|option| arg == option) {
            index += 2;
        } else if arg.as_encoded_bytes().starts_with(b"-") {
            index += 1;
        } else {
            break;
        }
    }
    let is_worktree = args.get(index).is_some_and(|arg| arg == "worktree");
    let verb = args.get(index + 1).and_then(|arg| Verb::ALL.into_iter().find(|verb| arg == verb.name()));
    if is_worktree && verb.is_some() {
        let rest = args.split_off(index + 2);
        return (args, Some(rest));
    }
    (args, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_words(line: &str) -> (String, Option<String>) {
        let words = |words: Vec<OsString>| {
            words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
        };
        let (head, rest) = split(line.split(' ').map(OsString::from).collect());
        (words(head), rest.map(words))
    }

    #[test]
    fn gits_options_stay_gits() {
        let (head, rest) = split_words("git-port -C /x --json worktree add -q -b topic ../t --json");
        assert_eq!(head, "git-port -C /x --json worktree add");
        assert_eq!(rest.as_deref(), Some("-q -b topic ../t --json"));
        assert_eq!(split_words("git-port worktree create add -q").1, None);
        assert_eq!(split_words("git-port -C worktree add").1, None);
    }
}
