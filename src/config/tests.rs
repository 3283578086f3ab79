//! Durations, names of variables, and what is shown.

use std::path::Path;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

#[test]
fn durations_are_read_as_people_write_them() {
    for (text, hours) in [("30d", 720), ("1h", 1), ("1d 12h", 36), ("1 week", 168), (" 2 days ", 48)] {
        assert_eq!(duration(text), Ok(SignedDuration::from_hours(hours)), "{text:?}");
    }
    assert_eq!(duration("90s"), Ok(SignedDuration::from_secs(90)));
    assert_eq!(
        duration("0s"),
        Ok(SignedDuration::ZERO),
        "'cleanup --older-than 0s' forgets all that was released"
    );
}

#[test]
fn lengths_that_are_no_lengths_are_refused() {
    for text in ["", "30", "x", "-1h", "1d ago", "1 month", "1y", "36501d", "9999999999d"] {
        let error = duration(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("'{text}' is not a duration (")), "{error}");
    }
    assert!(duration("36500d").is_ok());
}

#[test]
fn variables_that_run_or_redirect_programs_are_denied() {
    let denied = "PATH HOME SHELL IFS ENV BASH_ENV PROMPT_COMMAND PS1 PS4 USER TMPDIR LD_PRELOAD LD_ \
                  DYLD_INSERT_LIBRARIES GIT_DIR GIT_PORT_PROJECT SSH_ASKPASS NODE_OPTIONS NODE_PATH \
                  PYTHONPATH PYTHON PERL5LIB PERL5OPT RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS _JAVA_OPTIONS \
                  EDITOR VISUAL PAGER BROWSER HTTP_PROXY ALL_PROXY";
    for name in denied.split_whitespace() {
        let error = check_variable_name(name).unwrap_err().to_string();
        assert!(error.contains(&format!("'{name}'")) && error.contains("may run or redirect"), "{error}");
    }
    for name in
        ["PORT", "API_PORT", "_X", "PATHS", "MY_PATH", "LDAP_PORT", "GITEA_PORT", "ENV2", "PROXY_PORT"]
    {
        assert_eq!(check_variable_name(name), Ok(()), "{name}");
    }
}

#[test]
fn only_plain_names_are_variables() {
    let long = "A".repeat(65);
    for name in ["", "1A", "a", "Port", "A-B", "A B", "A=B", "A\nB", "É", "$(id)", &long] {
        assert!(check_variable_name(name).is_err(), "{name:?}");
    }
    assert_eq!(check_variable_name(&long[1..]), Ok(()));
}

#[test]
fn an_error_is_one_harmless_line() {
    let error = ConfigError::new("a\n\u{1b}[31m\u{202e}b").hint("c\rd");
    assert_eq!(error.message, "a\\n\\u{1b}[31m\\u{202e}b");
    assert_eq!(error.hints, ["c\\rd"]);
    assert!(ConfigError::new("x".repeat(1_000_000)).message.len() < 1100);
}

#[test]
fn the_file_a_variable_names_must_be_there() {
    let usual = user_file(Path::new("config"), &Environment::from_vars([("GIT_PORT_CONFIG", "")]));
    assert_eq!(usual, (Path::new("config").join("config.toml"), false));
    let named = user_file(Path::new("config"), &Environment::from_vars([("GIT_PORT_CONFIG", "x.toml")]));
    assert_eq!(named, ("x.toml".into(), true));
}

#[test]
fn origins_are_words() {
    assert_eq!(Origin::BuiltIn.to_string(), "built in");
    assert_eq!(Origin::Registry.to_string(), "the registry");
    assert_eq!(Origin::File("a/b.toml".into()).to_string(), "a/b.toml");
    assert_eq!(Origin::Variable("X".into()).to_string(), "the variable 'X'");
}

proptest! {
    #[test]
    fn whatever_is_asked_for_is_answered(text in any::<String>()) {
        if let Ok(length) = duration(&text) {
            prop_assert!(!length.is_negative());
        }
        if check_variable_name(&text).is_ok() {
            prop_assert!(text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
        }
        prop_assert!(!printable(&text).chars().any(is_unprintable));
    }
}
