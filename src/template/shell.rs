//! The variables as a shell, a program or a CI system takes them.

use std::str::FromStr;

use super::dotenv;
use super::variables::{TemplateError, Variable, check_name, printable};

/// Who is to read the variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// sh, dash, bash, zsh: for `eval`.
    Sh,
    /// fish: for `source`.
    Fish,
    /// Windows PowerShell and pwsh: for `Invoke-Expression`.
    PowerShell,
    /// An env file.
    Dotenv,
    /// One JSON object.
    Json,
    /// The file `$GITHUB_ENV` of GitHub Actions.
    Github,
}

impl FromStr for Format {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        match text {
            "sh" | "bash" | "zsh" => Ok(Self::Sh),
            "fish" => Ok(Self::Fish),
            "powershell" | "pwsh" => Ok(Self::PowerShell),
            "dotenv" => Ok(Self::Dotenv),
            "json" => Ok(Self::Json),
            "github" => Ok(Self::Github),
            _ => Err(TemplateError::new(format!("'{}' is not a format", printable(text)))
                .hint("choose one of sh, fish, powershell, dotenv, json, github")),
        }
    }
}

/// Returns the variables as this reader takes them, with a line end at the end.
///
/// A value that cannot be an environment variable's (it holds a NUL) is an error, save in JSON.
pub fn render(format: Format, variables: &[Variable]) -> Result<String, TemplateError> {
    for Variable { name, value } in variables {
        check_name(name)?;
        if value.contains('\0') && format != Format::Json {
            return Err(TemplateError::new(format!("the value of '{name}' holds a NUL character")));
        }
    }
    let write: fn(&str, &str) -> String = match format {
        Format::Dotenv => return dotenv::lines(variables),
        Format::Json => return Ok(json(variables)),
        Format::Sh => sh,
        Format::Fish => fish,
        Format::PowerShell => powershell,
        Format::Github => github,
    };
    Ok(variables.iter().map(|Variable { name, value }| write(name, value) + "\n").collect())
}

fn sh(name: &str, value: &str) -> String {
    format!("export {name}='{}'", value.replace('\'', r"'\''"))
}

/// In single quotes fish knows `\\` and `\'`, and nothing else.
fn fish(name: &str, value: &str) -> String {
    format!("set -gx {name} '{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// PowerShell takes typographic quotes for `'` (`about_Quoting_Rules`); each is doubled by itself.
fn powershell(name: &str, value: &str) -> String {
    let mut quoted = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    format!("$env:{name} = '{quoted}'")
}

/// A value with a line end takes the form of a here-document, which must not end within the value.
fn github(name: &str, value: &str) -> String {
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}");
    }
    let mut delimiter = "GIT_PORT_EOF".to_owned();
    while value.contains(&delimiter) {
        delimiter.push('_');
    }
    format!("{name}<<{delimiter}\n{value}\n{delimiter}")
}

/// The order is kept, which `serde_json`'s own map would not do.
fn json(variables: &[Variable]) -> String {
    let members: Vec<String> = variables
        .iter()
        .map(|Variable { name, value }| format!("{}:{}", json_string(name), json_string(value)))
        .collect();
    format!("{{\"version\":1,\"variables\":{{{}}}}}\n", members.join(","))
}

/// Returns a JSON string without anything that a terminal would obey or hide.
fn json_string(text: &str) -> String {
    let mut escaped = String::new();
    for c in serde_json::Value::from(text).to_string().chars() {
        if c.is_ascii_graphic() || c == ' ' || c.escape_debug().len() == 1 {
            escaped.push(c);
            continue;
        }
        let mut units = [0; 2];
        escaped.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(format: Format, value: &str) -> String {
        render(format, &[Variable { name: "X".to_owned(), value: value.to_owned() }]).unwrap()
    }

    #[test]
    fn each_format_has_its_form() {
        for (text, written) in [
            ("sh", "export X='a b'\n"),
            ("bash", "export X='a b'\n"),
            ("zsh", "export X='a b'\n"),
            ("fish", "set -gx X 'a b'\n"),
            ("powershell", "$env:X = 'a b'\n"),
            ("pwsh", "$env:X = 'a b'\n"),
            ("dotenv", "X='a b'\n"),
            ("json", "{\"version\":1,\"variables\":{\"X\":\"a b\"}}\n"),
            ("github", "X=a b\n"),
        ] {
            assert_eq!(one(text.parse().unwrap(), "a b"), written);
        }
        let error = "c\u{1b}sh".parse::<Format>().unwrap_err();
        assert_eq!(error.message, "'c\\u{1b}sh' is not a format");
        assert_eq!(render(Format::Sh, &[]).unwrap(), "");
        assert_eq!(render(Format::Json, &[]).unwrap(), "{\"version\":1,\"variables\":{}}\n");
    }

    #[test]
    fn quotes_are_escaped_as_each_shell_wants_it() {
        assert_eq!(one(Format::Sh, "it's\n$(x)"), "export X='it'\\''s\n$(x)'\n");
        assert_eq!(one(Format::Fish, "it's \\n"), "set -gx X 'it\\'s \\\\n'\n");
        assert_eq!(
            one(Format::PowerShell, "' \u{2018} \u{2019} \u{201a} \u{201b} \u{201c} $x"),
            "$env:X = ''' \u{2018}\u{2018} \u{2019}\u{2019} \u{201a}\u{201a} \u{201b}\u{201b} \u{201c} $x'\n"
        );
    }

    #[test]
    fn github_values_cannot_set_another_variable() {
        assert_eq!(one(Format::Github, "a<<b"), "X=a<<b\n");
        assert_eq!(one(Format::Github, "a\nY=1"), "X<<GIT_PORT_EOF\na\nY=1\nGIT_PORT_EOF\n");
        assert_eq!(
            one(Format::Github, "a\nGIT_PORT_EOF\nY=1"),
            "X<<GIT_PORT_EOF_\na\nGIT_PORT_EOF\nY=1\nGIT_PORT_EOF_\n"
        );
    }

    #[test]
    fn json_keeps_the_order_and_shows_what_is_hidden() {
        let variables =
            ["Z", "A"].map(|name| Variable { name: name.to_owned(), value: "\u{202e}é\u{7f}\"".into() });
        assert_eq!(
            render(Format::Json, &variables).unwrap(),
            "{\"version\":1,\"variables\":{\"Z\":\"\\u202eé\\u007f\\\"\",\"A\":\"\\u202eé\\u007f\\\"\"}}\n"
        );
    }

    #[test]
    fn names_and_nul_are_refused() {
        for format in
            [Format::Sh, Format::Fish, Format::PowerShell, Format::Dotenv, Format::Json, Format::Github]
        {
            for name in ["", "x", "A B", "A;B", "A=B", "1A", "A\n"] {
                let variable = Variable { name: name.to_owned(), value: String::new() };
                assert!(render(format, &[variable]).is_err(), "{name:?}");
            }
            let nul = Variable { name: "X".to_owned(), value: "a\0b".to_owned() };
            assert_eq!(render(format, &[nul]).is_ok(), format == Format::Json);
        }
    }

    /// Reads PowerShell's single quotes: a doubled quote is one, a single one ends the string.
    fn powershell_reads(line: &str) -> Option<(String, &str)> {
        let quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
        let mut rest = line.strip_prefix("$env:X = ")?.strip_prefix(quote)?.chars();
        let mut value = String::new();
        while let Some(c) = rest.next() {
            if quote(c) {
                if !rest.as_str().starts_with(quote) {
                    return Some((value, rest.as_str()));
                }
                rest.next();
            }
            value.push(c);
        }
        None
    }

    proptest! {
        #[test]
        fn powershell_gets_the_value_back(value in "[a'\u{2018}-\u{201c}$`\n\\PC]{0,12}") {
            let line = one(Format::PowerShell, &value);
            prop_assert_eq!(powershell_reads(&line), Some((value, "\n")));
        }

        #[test]
        fn json_gets_the_value_back(value in any::<String>()) {
            let read: serde_json::Value = serde_json::from_str(&one(Format::Json, &value)).unwrap();
            prop_assert_eq!(read["variables"]["X"].as_str(), Some(value.as_str()));
        }

        #[test]
        fn github_delimiters_are_not_in_the_value(value in "[GIT_PORTEOF_\n]{0,6}(GIT_PORT_EOF_{0,3}\n?){0,4}\n") {
            let text = one(Format::Github, &value);
            let delimiter = text.lines().next().unwrap().strip_prefix("X<<").unwrap();
            prop_assert!(!value.contains(delimiter));
            prop_assert_eq!(text.clone(), format!("X<<{delimiter}\n{value}\n{delimiter}\n"));
        }
    }
}
