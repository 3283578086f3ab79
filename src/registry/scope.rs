//! The names an allocation is filed under: project, service, environment.
//!
//! A name that gets this far is safe to print, to put into a variable's name and to store. Everything
//! typed, read from a file or taken from a folder passes through here.

use std::fmt;
use std::str::FromStr;

/// What is wrong with a name as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is not {what} ({rule})")]
pub struct InvalidName {
    name: String,
    what: &'static str,
    rule: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    return Ok(Self(text.to_owned()));
                }
                Err(InvalidName { name: text.to_owned(), what: $what, rule: $rule })
            }
        }
    };
}

/// The longest service name, in bytes: a DNS label (RFC 1035), so that it can stand in a URL.
const SERVICE_MAX: usize = 63;

name_type!(
    /// A named listener of a project: `web`, `api`, `db`.
    ServiceName,
    "a service name",
    "it begins with a lower-case letter, then come lower-case letters, digits, '-' and '_'; 63 at most",
    |text| is_word(text, SERVICE_MAX)
);

name_type!(
    /// A named set of services: `dev`, `test`, `production`.
    EnvironmentName,
    "an environment",
    "it begins with a lower-case letter, then come lower-case letters, digits, '-' and '_'; 32 at most",
    |text| is_word(text, 32)
);

name_type!(
    /// One repository with all its worktrees.
    ProjectName,
    "a project name",
    "letters, digits, '.', '-' and '_', beginning with a letter or digit; 100 at most",
    |text| {
        text.chars().next().is_some_and(char::is_alphanumeric)
            && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))
            && text.chars().count() <= 100
    }
);

fn is_word(text: &str, max: usize) -> bool {
    text.len() <= max
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

/// Fails unless the text can stand where a URL has its host: a name or an address.
pub fn check_hostname(name: &str) -> Result<(), InvalidName> {
    let harmful = |c: char| c.is_whitespace() || c.is_control() || "/\\@?#\"'<>".contains(c);
    if !name.is_empty() && name.len() <= 253 && !name.contains(harmful) {
        return Ok(());
    }
    let rule = "no space and no '/', '@', '?', '#', quote or bracket; 253 at most";
    Err(InvalidName { name: name.to_owned(), what: "a host name", rule })
}

/// A service as one names it: of the project one stands in, or, as `project/service`, of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePath {
    /// The other project.
    pub project: Option<ProjectName>,
    /// The service.
    pub service: ServiceName,
}

impl FromStr for ServicePath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let Some((project, service)) = text.split_once('/') else {
            return Ok(Self { project: None, service: text.parse()? });
        };
        let whole = |error: InvalidName| InvalidName { name: text.to_owned(), ..error };
        let project = project.parse().map(Some).map_err(whole)?;
        Ok(Self { project, service: service.parse().map_err(whole)? })
    }
}

impl EnvironmentName {
    /// Returns `dev`, the environment meant when none is named.
    pub fn dev() -> Self {
        Self("dev".to_owned())
    }

    /// Returns `test`.
    pub fn test() -> Self {
        Self("test".to_owned())
    }

    /// Returns `production`.
    pub fn production() -> Self {
        Self("production".to_owned())
    }

    /// Says whether it is `production`, where any port may be asked for by number.
    pub fn is_production(&self) -> bool {
        self.0 == "production"
    }
}

impl ProjectName {
    /// Returns the project name for a folder's name: what a project name may not hold becomes `-`.
    pub fn from_folder(folder: &str) -> Self {
        let mut name: String = folder
            .chars()
            .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
            .take(100)
            .collect();
        let begins = name.find(char::is_alphanumeric).unwrap_or(name.len());
        name.drain(..begins);
        if name.is_empty() {
            name.push_str("project");
        }
        Self(name)
    }
}

impl ServiceName {
    /// Returns `{project}-{branch}`, the one service of a project without configuration.
    pub fn for_branch(project: &ProjectName, branch: &str) -> Self {
        Self::from_text(&format!("{project}-{branch}"))
    }

    /// Returns a service name made from any text. Two texts that differ may give the same name only if
    /// they differ in letter case or in which character stands between two words.
    pub fn from_text(text: &str) -> Self {
        let mut name = String::new();
        let mut lost = false;
        for c in text.chars() {
            match c {
                'a'..='z' | '0'..='9' | '_' => name.push(c),
                'A'..='Z' => name.push(c.to_ascii_lowercase()),
                '-' | '/' | '.' | ' ' => name.push('-'),
                _ => {
                    lost = true;
                    name.push('-');
                }
            }
        }
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            name.insert_str(0, "s-");
        }
        if lost || name.len() > SERVICE_MAX {
            name.truncate(SERVICE_MAX - 9);
            name += &hash_suffix(text);
        }
        Self(name)
    }

    /// Returns the name in upper case, with `_` for `-`: the stem of its variables.
    pub fn variable_stem(&self) -> String {
        self.0.to_ascii_uppercase().replace('-', "_")
    }
}

/// Returns the 32-bit FNV-1a hash, which tells apart names that a slug would make equal.
///
/// It reaches disk in folder and service names, so it must never change
/// (<http://www.isthe.com/chongo/tech/comp/fnv/>).
pub fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

fn hash_suffix(text: &str) -> String {
    format!("-{:08x}", fnv1a(text.as_bytes()))
}

/// Returns a folder name for any text: ASCII letters, digits, `.`, `_` and `-`, at most 80 bytes, never
/// hidden, never a Windows device name. `/` becomes `-`; when anything else had to go, a hash of the
/// text is added, so that two branches do not meet in one folder.
pub fn folder_slug(text: &str) -> String {
    const MAX: usize = 80;
    let mut slug: String = text.replace('/', "-");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let device = ["con", "prn", "aux", "nul", "com", "lpt"].iter().any(|device| {
        let stem = slug.split('.').next().unwrap_or_default().to_ascii_lowercase();
        stem.strip_prefix(device)
            .is_some_and(|rest| rest.len() <= 1 && rest.chars().all(|c| c.is_ascii_digit()))
    });
    let lossy = device || slug.len() > MAX || slug.starts_with(['.', '-']) || !slug.chars().all(plain);
    if lossy {
        slug = slug.chars().map(|c| if plain(c) { c } else { '-' }).collect();
        slug = slug.trim_start_matches(['.', '-']).to_owned();
        if device {
            slug.insert_str(0, "w-");
        }
        slug.truncate(MAX - 9);
        slug += &hash_suffix(text);
    }
    slug.trim_start_matches('-').to_owned()
}

/// Returns a label of a host name for any text (RFC 1035): lower-case letters, digits and `-`, at most 63. When
/// more than capitals and separators had to go, a hash of the text is added.
pub fn host_label(text: &str) -> String {
    const MAX: usize = 63;
    let lower = text.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let separated: String =
        lower.chars().map(|c| if matches!(c, '.' | '_' | '/' | ' ') { '-' } else { c }).collect();
    let label = separated.trim_matches('-');
    if !label.is_empty() && label.len() <= MAX && label.chars().all(plain) {
        return label.to_owned();
    }
    let kept: String = label.chars().filter(|c| plain(*c)).take(MAX - 9).collect();
    format!("{}{}", kept.trim_end_matches('-'), hash_suffix(text)).trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_of_host_names() {
        for (text, label) in
            [("shop", "shop"), ("Shop.io", "shop-io"), ("feature/api_2", "feature-api-2"), ("--x--", "x")]
        {
            assert_eq!(host_label(text), label);
        }
        assert_ne!(host_label("été"), host_label("ete"));
        assert_ne!(host_label("日本"), host_label("中国"));
    }

    #[test]
    fn hostile_names_are_refused() {
        for name in ["", "Web", "1web", "-x", "we b", "a/b", "$(id)", "a\u{202e}b", "a\nb", &"a".repeat(64)] {
            let error = name.parse::<ServiceName>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("'{name}' is not a service name")));
        }
        assert!("a".repeat(63).parse::<ServiceName>().is_ok());
        assert!("../x".parse::<ProjectName>().is_err());
        assert!("été.2".parse::<ProjectName>().is_ok());
    }

    #[test]
    fn a_host_name_cannot_lead_a_url_elsewhere() {
        for name in ["", "a b", "a/b", "me@b", "a?b", "a#b", "a\\b", "a\nb", "<b>", &"a".repeat(254)] {
            assert!(check_hostname(name).is_err(), "{name:?}");
        }
        for name in ["consilio.153.se", "localhost", "münchen.example", "[::1]"] {
            assert!(check_hostname(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_branch_gives_the_service_of_the_seeds() {
        let project = ProjectName::from_folder("scar");
        assert_eq!(
            ServiceName::for_branch(&project, "issue-6/feature-API").as_str(),
            "scar-issue-6-feature-api"
        );
    }

    #[test]
    fn folders_of_hostile_branches_stay_apart_and_harmless() {
        assert_eq!(folder_slug("feature/api"), "feature-api");
        assert_eq!(folder_slug("v1.2_x"), "v1.2_x");
        let one = folder_slug("feat/$(touch${IFS}x)");
        assert!(one.starts_with("feat---touch--IFS-x--"), "{one}");
        assert_ne!(one, folder_slug("feat/#(touch${IFS}x)"));
        assert_ne!(folder_slug("nul.txt"), "nul.txt");
        assert!(folder_slug("con").starts_with("w-con-"));
        assert_eq!(folder_slug("console"), "console");
        assert_eq!(folder_slug("日本語"), format!("{:08x}", fnv1a("日本語".as_bytes())));
    }

    proptest! {
        #[test]
        fn any_text_has_a_label(text in any::<String>()) {
            let label = host_label(&text);
            prop_assert!(!label.is_empty() && label.len() <= 63, "{label}");
            prop_assert!(!label.starts_with('-') && !label.ends_with('-'), "{label}");
            prop_assert!(label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }

        #[test]
        fn whatever_the_text_the_derived_names_are_valid(text in any::<String>()) {
            let project = ProjectName::from_folder(&text);
            prop_assert!(project.as_str().parse::<ProjectName>().is_ok());
            let service = ServiceName::for_branch(&project, &text);
            prop_assert!(service.as_str().parse::<ServiceName>().is_ok(), "{service}");
            let folder = folder_slug(&text);
            prop_assert!(folder.len() <= 80);
            prop_assert!(!folder.starts_with(['.', '-']));
            prop_assert!(folder.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
        }
    }
}
