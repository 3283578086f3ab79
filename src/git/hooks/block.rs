//! The marked lines in a hook file: bytes in, bytes out. Opens no file.

use std::ops::Range;
use std::path::Path;

/// What git runs: the shebang, then the marked lines.
const FILE: &str = include_str!("../../../hooks/post-checkout");
const START: &[u8] = b"# >>> git-port >>>";
const END: &[u8] = b"# <<< git-port <<<";
const SHEBANG: &[u8] = b"#!/bin/sh\n";

/// Stands in [`FILE`] for the quoted path of the program.
const PLACEHOLDER: &str = "'@program@'";

/// Hands over to a hook that no shell reads. It does nothing if that is gone: a failing `exec` would be
/// the exit status of `git worktree add`.
const HAND_OVER: &[u8] = b"[ ! -x \"${0%/*}/post-checkout.git-port-orig\" ] || exec \"${0%/*}/post-checkout.git-port-orig\" \"$@\"\n";

/// What a person adds to a hook that is not ours to change.
pub(super) const BY_HAND: &str = "[ \"$3\" = 1 ] && command -v git-port >/dev/null && git-port hook post-checkout \"$@\" >&2 </dev/null || :";

/// The call itself, in our lines and in [`BY_HAND`].
pub(super) const CALL: &str = "git-port hook post-checkout";

/// Start and end do not belong together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What reads a hook file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    /// A shell that understands our lines.
    Shell,
    /// Such a shell, but its name ends in a carriage return, so that the kernel does not find it.
    UnusableShell,
    /// Anything else: another language, a binary, no shebang.
    Other,
}

/// Returns the bytes as one word of a shell.
fn quoted(program: &Path) -> Vec<u8> {
    let mut word = vec![b'\''];
    for byte in program.as_os_str().as_encoded_bytes() {
        match byte {
            b'\'' => word.extend(br"'\''"),
            byte => word.push(*byte),
        }
    }
    word.push(b'\'');
    word
}

/// Returns a text of ours with the program's path in it.
fn with_program(text: &str, program: &Path) -> Vec<u8> {
    text.split(PLACEHOLDER).map(str::as_bytes).collect::<Vec<_>>().join(&quoted(program)[..])
}

/// Returns the marked lines.
pub(super) fn block(program: &Path) -> Vec<u8> {
    let lines: String = FILE.lines().skip(1).flat_map(|line| [line, "\n"]).collect();
    with_program(&lines, program)
}

/// Returns the same as one line for `hook.git-port.command`, to whose end git adds `"$@"` (git-config(1)).
pub(super) fn command(program: &Path) -> Vec<u8> {
    let lines = FILE.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    with_program(&format!("f() {{ {}; }}; f", lines.collect::<Vec<_>>().join(" ")), program)
}

/// Returns the program that these lines start where `PATH` has none.
pub(super) fn recorded_program(lines: &[u8]) -> Option<Vec<u8>> {
    const BEFORE: &[u8] = b"elif [ -x ";
    let at = lines.windows(BEFORE.len()).position(|part| part == BEFORE)? + BEFORE.len();
    let mut rest = lines[at..].strip_prefix(b"'")?;
    let mut program = Vec::new();
    loop {
        let end = rest.iter().position(|byte| *byte == b'\'')?;
        program.extend_from_slice(&rest[..end]);
        match rest[end + 1..].strip_prefix(br"\''") {
            Some(after) => {
                program.push(b'\'');
                rest = after;
            }
            None => return Some(program),
        }
    }
}

/// Returns a hook file that has nothing but our lines.
pub(super) fn new_file(program: &Path) -> Vec<u8> {
    [SHEBANG, &block(program)].concat()
}

/// Returns a hook file that runs our lines and then the hook that was there before.
pub(super) fn wrapper(program: &Path) -> Vec<u8> {
    [SHEBANG, &block(program), HAND_OVER].concat()
}

/// Says whether nothing but [`new_file`]'s first line is left.
pub(super) fn is_nothing(rest: &[u8]) -> bool {
    rest.trim_ascii() == SHEBANG.trim_ascii()
}

/// Says whether this is what is left of [`wrapper`].
pub(super) fn is_wrapper(rest: &[u8]) -> bool {
    rest == [SHEBANG, HAND_OVER].concat()
}

/// Returns where the marked lines stand, the end of the last one included.
pub(super) fn find(file: &[u8]) -> Result<Option<Range<usize>>, Malformed> {
    let (mut starts, mut ends, mut at) = (Vec::new(), Vec::new(), 0);
    for line in file.split_inclusive(|byte| *byte == b'\n') {
        match line.trim_ascii_end() {
            START => starts.push(at),
            END => ends.push(at + line.len()),
            _ => (),
        }
        at += line.len();
    }
    match (starts[..].as_ref(), ends[..].as_ref()) {
        ([], []) => Ok(None),
        ([start], [end]) if start < end => Ok(Some(*start..*end)),
        _ => Err(Malformed),
    }
}

/// Returns the file with our lines after its first one: at the end they would stand behind the `exec` or
/// `exit` that pre-commit and others write there.
pub(super) fn insert(file: &[u8], block: &[u8]) -> Vec<u8> {
    match file.iter().position(|byte| *byte == b'\n') {
        Some(end) => [&file[..=end], block, &file[end + 1..]].concat(),
        None => [file, b"\n", block.trim_ascii_end()].concat(),
    }
}

/// Returns the file with other lines of ours in place of those there.
pub(super) fn replace(file: &[u8], place: Range<usize>, block: &[u8]) -> Vec<u8> {
    let ends_line = file[place.clone()].ends_with(b"\n");
    let block = if ends_line { block } else { block.trim_ascii_end() };
    [&file[..place.start], block, &file[place.end..]].concat()
}

/// Returns the file without our lines, exactly as it was before [`insert`].
pub(super) fn remove(file: &[u8], place: Range<usize>) -> Vec<u8> {
    let mut before = &file[..place.start];
    if !file[place.clone()].ends_with(b"\n") {
        // The first line had no end before we gave it one.
        before = before.strip_suffix(b"\n").unwrap_or(before);
    }
    [before, &file[place.end..]].concat()
}

/// Says whether two blocks are the same but for the recorded program.
pub(super) fn same_but_program(one: &[u8], other: &[u8]) -> bool {
    let lines = |block: &[u8]| -> Vec<Vec<u8>> {
        let lines = block.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"  elif [ -x "));
        lines.map(|line| line.trim_ascii_end().to_owned()).filter(|line| !line.is_empty()).collect()
    };
    lines(one) == lines(other)
}

/// Returns what reads this file, by its first line (execve(2)).
pub(super) fn interpreter(file: &[u8]) -> Interpreter {
    let line = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Some(line) = line.strip_prefix(b"#!") else { return Interpreter::Other };
    let text = String::from_utf8_lossy(line);
    let mut words = text.split_ascii_whitespace().map(|word| {
        let name = word.rsplit(['/', '\\']).next().unwrap_or(word);
        name.strip_suffix(".exe").unwrap_or(name)
    });
    let mut name = words.next().unwrap_or_default();
    if name == "env" {
        name = words.find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or_default();
    }
    if name == "busybox" {
        name = words.next().unwrap_or_default();
    }
    match name {
        "sh" | "ash" | "dash" | "bash" | "ksh" | "ksh93" | "mksh" | "zsh" if line.ends_with(b"\r") => {
            Interpreter::UnusableShell
        }
        "sh" | "ash" | "dash" | "bash" | "ksh" | "ksh93" | "mksh" | "zsh" => Interpreter::Shell,
        _ => Interpreter::Other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shell_that_git_runs_is_ten_lines_at_most() {
        assert!(FILE.lines().count() <= 10);
        assert!(FILE.lines().nth(1).unwrap().as_bytes() == START);
        assert!(FILE.lines().last().unwrap().as_bytes() == END);
        assert_eq!(FILE.matches(PLACEHOLDER).count(), 2);
    }

    #[test]
    fn shells_are_known_by_their_first_line() {
        for shell in [
            "#!/bin/sh",
            "#! /bin/sh -e",
            "#!/usr/bin/env bash",
            "#!/usr/bin/env -S bash -e",
            "#!/usr/bin/env -S A=b zsh",
            "#!/bin/busybox sh",
            "#!/usr/bin/ksh",
            "#!C:/Git/bin/sh.exe",
        ] {
            assert_eq!(interpreter(format!("{shell}\nx").as_bytes()), Interpreter::Shell, "{shell}");
        }
        for other in
            ["#!/usr/bin/python3", "#!/bin/csh", "#!/usr/bin/env fish", "echo", "", "\u{7f}ELF\n#!/bin/sh"]
        {
            assert_eq!(interpreter(format!("{other}\nx").as_bytes()), Interpreter::Other, "{other}");
        }
        assert_eq!(interpreter(b"#!/bin/sh\r\nx"), Interpreter::UnusableShell);
        assert_eq!(interpreter(b"#!/bin/sh\nx\r\n"), Interpreter::Shell);
    }

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(quoted(Path::new("/a b/it's $x")), br"'/a b/it'\''s $x'");
        for lines in [block(Path::new("/a b/it's $x")), command(Path::new("/a b/it's $x"))] {
            assert_eq!(recorded_program(&lines).as_deref(), Some(&b"/a b/it's $x"[..]));
        }
    }

    #[test]
    fn a_start_without_its_end_is_not_a_block() {
        for file in [
            &b"# >>> git-port >>>\n"[..],
            b"# <<< git-port <<<\n",
            b"# <<< git-port <<<\n# >>> git-port >>>\n",
            b"# >>> git-port >>>\n# >>> git-port >>>\n# <<< git-port <<<\n",
        ] {
            assert_eq!(find(file), Err(Malformed));
        }
        assert_eq!(find(b"echo '# >>> git-port >>>'\n"), Ok(None));
    }

    proptest! {
        #[test]
        fn what_is_inserted_is_removed_exactly(rest in "(\n[\\PC\r\n]{0,80})?") {
            let file = format!("#!/bin/bash{rest}").into_bytes();
            let ours = block(Path::new("/a b/git-port"));
            let with = insert(&file, &ours);
            let place = find(&with).unwrap().unwrap();
            prop_assert_eq!(&replace(&with, place.clone(), &ours), &with);
            prop_assert!(same_but_program(&with[place.clone()], &block(Path::new("/else"))));
            prop_assert_eq!(recorded_program(&with), Some(b"/a b/git-port".to_vec()));
            prop_assert_eq!(remove(&with, place), file);
        }
    }
}
