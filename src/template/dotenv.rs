//! The env file that lies in a worktree, `.git-port.env`: written so that every reader takes it alike.

use super::variables::{TemplateError, Variable, check_name, is_name, printable};

/// Which worktree an env file was written for: a copy in another tree is told by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The worktree's path.
    pub path: String,
    /// The worktree's token.
    pub token: String,
}

// The header reaches disk.
const NOTICE: &str = "# Written by git-port for this worktree alone; edits are lost.";
const WORKTREE: &str = "# worktree=";
const TOKEN: &str = " token=";

/// Returns the text of the file: two header lines, then `NAME=value`.
pub fn render(identity: &Identity, variables: &[Variable]) -> Result<String, TemplateError> {
    if !is_token(&identity.token) {
        return Err(TemplateError::new(format!("'{}' is not a token", printable(&identity.token))));
    }
    let path = printable(&identity.path);
    Ok(format!("{NOTICE}\n{WORKTREE}{path}{TOKEN}{}\n{}", identity.token, lines(variables)?))
}

/// Returns whom the file was written for; none if git-port did not write it.
pub fn identity(text: &str) -> Option<Identity> {
    let mut lines = text.lines();
    lines.next().filter(|line| *line == NOTICE)?;
    // A token holds no space, a path may: the last ` token=` is the one.
    let (path, token) = lines.next()?.strip_prefix(WORKTREE)?.rsplit_once(TOKEN)?;
    is_token(token).then_some(())?;
    Some(Identity { path: unescape(path)?, token: token.to_owned() })
}

fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Returns the text that `printable` made this of.
fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        if let Some(hexadecimal) = after.strip_prefix("u{") {
            let (digits, after) = hexadecimal.split_once('}')?;
            plain.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            rest = after;
        } else {
            let mut after = after.chars();
            plain.push(match after.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                '0' => '\0',
                '\\' => '\\',
                _ => return None,
            });
            rest = after.as_str();
        }
    }
    plain.push_str(rest);
    Some(plain)
}

/// Returns the `NAME=value` lines alone.
pub(super) fn lines(variables: &[Variable]) -> Result<String, TemplateError> {
    let mut text = String::new();
    for Variable { name, value } in variables {
        check_name(name)?;
        let quoted = quote(value).ok_or_else(|| {
            let what = format!("the value of '{name}' is not read alike by all readers of env files");
            TemplateError::new(what)
                .hint(
                    r"leave out ', control characters, '\\', '\$', a final '\', and '$' before a name or '{'",
                )
                .hint("or use 'git port env --format sh' or 'git port run', which take any value")
        })?;
        text.extend([name, "=", &quoted, "\n"]);
    }
    Ok(text)
}

/// Returns how a value is written in an env file; none if no quoting is read alike by all.
///
/// What is refused in single quotes was measured: python-dotenv halves `\\` and expands `${`,
/// dotenv-expand (Vite, Next) expands `$NAME` too and drops the backslash of `\$`, python-dotenv
/// loses the lines that follow a final backslash, and a CR is read in three ways.
/// Bare, zsh takes `=ls` for the path of `ls`: hence the quotes around every `=`.
pub fn quote(value: &str) -> Option<String> {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b"_./:@%+,-".contains(&b);
    if value.bytes().all(bare) {
        return Some(value.to_owned());
    }
    let line_end = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let expanded = value.match_indices('$').any(|(at, _)| {
        value.as_bytes().get(at + 1).is_some_and(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'{'))
    });
    let refused = expanded
        || value.contains('\'')
        || value.contains(line_end)
        || value.contains(r"\\")
        || value.contains(r"\$")
        || value.ends_with('\\');
    (!refused).then(|| format!("'{value}'"))
}

/// Returns the variables that a reader gets from such a file, in its order. A line that is none of
/// ours is passed over.
pub fn parse(text: &str) -> Vec<Variable> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Variable> {
    let (name, written) = line.split_once('=')?;
    let value = match written.strip_prefix('\'') {
        Some(quoted) => quoted.strip_suffix('\'')?,
        None => written,
    };
    // What we would not write so is not ours, and readers may differ on it.
    let ours = is_name(name) && quote(value).as_deref() == Some(written);
    ours.then(|| Variable { name: name.to_owned(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn variable(name: &str, value: &str) -> Variable {
        Variable { name: name.to_owned(), value: value.to_owned() }
    }

    fn identity_of(path: &str) -> Identity {
        Identity { path: path.to_owned(), token: "00112233445566778899aabbccddeeff".to_owned() }
    }

    #[test]
    fn the_file_is_pinned() {
        let variables = [variable("PORT", "8124"), variable("EMPTY", ""), variable("MOTTO", "two words #1")];
        let text = render(&identity_of("/home/me/shop-été x\n"), &variables).unwrap();
        assert_eq!(
            text,
            "# Written by git-port for this worktree alone; edits are lost.\n\
             # worktree=/home/me/shop-été x\\n token=00112233445566778899aabbccddeeff\n\
             PORT=8124\nEMPTY=\nMOTTO='two words #1'\n"
        );
        assert_eq!(identity(&text), Some(identity_of("/home/me/shop-été x\n")));
        assert_eq!(identity(&text.replace('\n', "\r\n")), identity(&text));
        assert_eq!(parse(&text), variables);
    }

    #[test]
    fn a_file_of_somebody_else_has_no_identity() {
        let ours = render(&identity_of("/w"), &[]).unwrap();
        let damaged = [
            ours.replace("token=", "tokens="),
            ours.replace("/w", "/w\\"),
            ours.replace("/w", "/w\\u{110000}"),
            ours.replace("/w", "/w\\q"),
            format!("\n{ours}"),
            format!("{NOTICE}\n"),
            "PORT=1\n".to_owned(),
            String::new(),
        ];
        for text in damaged {
            assert_eq!(identity(&text), None, "{text:?}");
        }
    }

    #[test]
    fn values_are_bare_or_quoted_or_refused() {
        for value in ["", "8124", "http://localhost:8124/a%20b", "-x", "user@host"] {
            assert_eq!(quote(value).as_deref(), Some(value));
        }
        for value in [
            "a b",
            "`touch x`",
            "$(touch x)",
            "a;b",
            "\"",
            "a\\b",
            "5$",
            "$5",
            "été",
            "\u{2018}",
            "#",
            "~",
            "=ls",
        ] {
            assert_eq!(quote(value), Some(format!("'{value}'")));
        }
        for value in
            ["it's", "a\nb", "a\rb", "\t", "\u{1b}[0m", "\u{85}", "\u{2028}", "a\\", "a\\\\b", "\\$x"]
        {
            assert_eq!(quote(value), None, "{value:?}");
        }
        for value in ["${HOME}", "$HOME", "x$_", "a b\0"] {
            assert_eq!(quote(value), None, "{value:?}");
        }
        let error = render(&identity_of("/w"), &[variable("PASSWORD", "it's")]).unwrap_err();
        assert!(error.message.starts_with("the value of 'PASSWORD' is not read alike"), "{error}");
        assert!(render(&identity_of("/w"), &[variable("A\nB", "x")]).is_err());
        assert!(render(&Identity { path: String::new(), token: "a b".into() }, &[]).is_err());
    }

    #[test]
    fn lines_that_are_not_ours_are_passed_over() {
        let text =
            "# x=1\n\nA=1\nB=a b\nC='x\nexport D=1\nE='1'\nF= 1\nlower=1\nG='a b'\r\nH=$HOME\nI=\"x\"\n";
        assert_eq!(parse(text), [variable("A", "1"), variable("G", "a b")]);
    }

    proptest! {
        #[test]
        fn any_path_is_read_back_from_one_printable_line(path in any::<String>(), lead in "[ -~]{0,9}( token=)?") {
            let identity_written = identity_of(&format!("{lead}{path}"));
            let text = render(&identity_written, &[]).unwrap();
            prop_assert_eq!(text.lines().count(), 2);
            prop_assert!(!text.replace('\n', "").contains(char::is_control));
            prop_assert_eq!(identity(&text), Some(identity_written));
        }

        #[test]
        fn what_is_written_is_read_back(values in prop::collection::vec("[ -~\n\\PC]{0,12}", 0..9)) {
            let variables: Vec<Variable> = values
                .iter()
                .filter(|value| quote(value).is_some())
                .enumerate()
                .map(|(at, value)| variable(&format!("V{at}"), value))
                .collect();
            let text = render(&identity_of("/w"), &variables).unwrap();
            prop_assert_eq!(text.lines().count(), 2 + variables.len());
            prop_assert_eq!(parse(&text), variables);
        }

        #[test]
        fn reading_never_fails(text in any::<String>()) {
            let _ = parse(&text);
            prop_assert_eq!(identity(&text), None);
            let _ = identity(&format!("{NOTICE}\n{WORKTREE}{text}{TOKEN}0"));
        }
    }
}
