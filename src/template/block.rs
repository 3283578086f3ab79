//! The block that git-port keeps in a file of somebody else's: between two marks, and nothing outside them.

use std::ops::Range;

use super::variables::TemplateError;

/// How a file begins a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comment {
    /// `# `
    Hash,
    /// `// `
    Slashes,
    /// `<!-- … -->`
    Markup,
    /// It has no comments.
    None,
}

// The marks reach disk.
const BEGIN: &str = ">>> git-port >>>";
const END: &str = "<<< git-port <<<";

/// What the names of files end in whose comments begin with `#`, and with `//`.
#[rustfmt::skip]
const HASHED: [&str; 12] =
    ["conf", "env", "exs", "ini", "mk", "properties", "py", "rb", "sh", "toml", "yaml", "yml"];
const SLASHED: [&str; 11] = ["cjs", "cts", "go", "js", "jsonc", "jsx", "mjs", "mts", "rs", "ts", "tsx"];

impl Comment {
    /// Returns what a line of comment begins with; none where there are no comments.
    pub fn prefix(self) -> Option<&'static str> {
        match self {
            Self::Hash => Some("# "),
            Self::Slashes => Some("// "),
            Self::Markup => Some("<!-- "),
            Self::None => None,
        }
    }

    /// Returns what a line of comment ends with.
    fn suffix(self) -> &'static str {
        if self == Self::Markup { " -->" } else { "" }
    }

    /// Returns how a file of this name begins a comment, as far as it is known.
    pub fn of_file(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let lower = name.to_ascii_lowercase();
        let is_env = lower == ".envrc" || lower == ".env" || lower.starts_with(".env.");
        let named =
            ["makefile", "gnumakefile", "justfile", ".justfile", "dockerfile"].contains(&lower.as_str());
        if is_env || named || lower.starts_with("procfile") || HASHED.contains(&extension) {
            Self::Hash
        } else if SLASHED.contains(&extension) {
            Self::Slashes
        } else {
            Self::None
        }
    }
}

/// What stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No mark.
    Nothing,
    /// A block, with its marks: these bytes.
    Block(Range<usize>),
    /// Marks that do not make one block.
    Damaged,
}

/// Returns the text with the marks around it. Without comments there are no marks, and the text is all.
pub fn wrap(comment: Comment, text: &str) -> Result<String, TemplateError> {
    let Some(prefix) = comment.prefix() else { return Ok(text.to_owned()) };
    if text
        .lines()
        .any(|line| is_mark(line.as_bytes(), comment, BEGIN) || is_mark(line.as_bytes(), comment, END))
    {
        return Err(TemplateError::new("the text holds the marks of git-port's own block"));
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let suffix = comment.suffix();
    Ok(format!("{prefix}{BEGIN}{suffix}\n{text}{end}{prefix}{END}{suffix}\n"))
}

/// Returns where the block is.
pub fn find(comment: Comment, contents: &[u8]) -> Found {
    if comment == Comment::None {
        return Found::Nothing;
    }
    let mut begin = None;
    let mut block = None;
    let mut at = 0;
    for line in contents.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        if is_mark(line, comment, BEGIN) {
            if begin.is_some() || block.is_some() {
                return Found::Damaged;
            }
            begin = Some(at);
        } else if is_mark(line, comment, END) {
            let Some(start) = begin.take() else { return Found::Damaged };
            block = Some(start..end);
        }
        at = end;
    }
    match (begin, block) {
        (None, Some(block)) => Found::Block(block),
        (None, None) => Found::Nothing,
        (Some(_), _) => Found::Damaged,
    }
}

/// Returns the contents with this block (of [`wrap`]) in place of the one that is there. Everything else
/// stays as it is, byte for byte; the block has the line ends of the one before it.
pub fn replace(contents: &[u8], place: Range<usize>, block: &str) -> Vec<u8> {
    let old = contents.get(place.clone()).unwrap_or_default();
    let block = if old.split(|byte| *byte == b'\n').next().is_some_and(|line| line.ends_with(b"\r")) {
        block.replace('\n', "\r\n")
    } else {
        block.to_owned()
    };
    // A file whose last line has no end keeps it so.
    let block = if old.ends_with(b"\n") { &block[..] } else { block.trim_end_matches(['\r', '\n']) };
    [
        contents.get(..place.start).unwrap_or_default(),
        block.as_bytes(),
        contents.get(place.end..).unwrap_or_default(),
    ]
    .concat()
}

/// Returns the contents with this block behind them.
pub fn append(contents: &[u8], block: &str) -> Vec<u8> {
    let crlf = contents.windows(2).any(|pair| pair == b"\r\n");
    let end = if crlf { "\r\n" } else { "\n" };
    let between = if contents.is_empty() || contents.ends_with(b"\n") { "" } else { end };
    [contents, between.as_bytes(), block.replace('\n', end).as_bytes()].concat()
}

fn is_mark(line: &[u8], comment: Comment, mark: &str) -> bool {
    let prefix = comment.prefix().unwrap_or_default();
    let rest = line.trim_ascii().strip_prefix(prefix.trim_ascii_end().as_bytes());
    let rest = rest.and_then(|rest| rest.strip_suffix(comment.suffix().trim_ascii_start().as_bytes()));
    rest.is_some_and(|rest| rest.trim_ascii() == mark.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_marks_are_pinned() {
        assert_eq!(
            wrap(Comment::Hash, "PORT=1\n").unwrap(),
            "# >>> git-port >>>\nPORT=1\n# <<< git-port <<<\n"
        );
        assert_eq!(wrap(Comment::Slashes, "a").unwrap(), "// >>> git-port >>>\na\n// <<< git-port <<<\n");
        assert_eq!(wrap(Comment::None, "{}").unwrap(), "{}");
        let markup = wrap(Comment::Markup, "a\n").unwrap();
        assert_eq!(markup, "<!-- >>> git-port >>> -->\na\n<!-- <<< git-port <<< -->\n");
        assert_eq!(find(Comment::Markup, markup.as_bytes()), Found::Block(0..markup.len()));
        assert!(wrap(Comment::Hash, "a\n#  <<< git-port <<<\nb\n").is_err());
    }

    #[test]
    fn damaged_marks_are_told() {
        let block = wrap(Comment::Hash, "x\n").unwrap();
        for text in [
            format!("{block}{block}"),
            block.replace("# <<<", "<<<"),
            block.replace("# >>>", ">>>"),
            format!("# <<< git-port <<<\n{block}"),
        ] {
            assert_eq!(find(Comment::Hash, text.as_bytes()), Found::Damaged, "{text}");
        }
        assert_eq!(find(Comment::Hash, b"PORT=1\n"), Found::Nothing);
        assert_eq!(find(Comment::None, block.as_bytes()), Found::Nothing);
    }

    #[test]
    fn comments_are_known_by_the_name() {
        for name in [
            ".env.local",
            ".envrc",
            "Makefile",
            "justfile",
            "Procfile.dev",
            "a/compose.override.yml",
            "mise.toml",
        ] {
            assert_eq!(Comment::of_file(name), Comment::Hash, "{name}");
        }
        for name in ["vite.config.ts", "x.jsonc", "a.env/x.js"] {
            assert_eq!(Comment::of_file(name), Comment::Slashes, "{name}");
        }
        for name in ["package.json", "README", "x.md", "environment"] {
            assert_eq!(Comment::of_file(name), Comment::None, "{name}");
        }
    }

    #[test]
    fn line_ends_follow_the_file() {
        let contents = append(b"A=1\r\nB=2", &wrap(Comment::Hash, "P=1\n").unwrap());
        assert_eq!(contents, b"A=1\r\nB=2\r\n# >>> git-port >>>\r\nP=1\r\n# <<< git-port <<<\r\n");
        let Found::Block(place) = find(Comment::Hash, &contents) else { panic!() };
        assert_eq!(replace(&contents, place, &wrap(Comment::Hash, "P=1\n").unwrap()), contents);
    }

    proptest! {
        #[test]
        fn everything_else_stays_byte_for_byte(
            before in prop::collection::vec(any::<u8>(), 0..60),
            after in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let one = wrap(Comment::Hash, "PORT=1\n").unwrap();
            let two = wrap(Comment::Hash, "PORT=2\nX=3\n").unwrap();
            let mut start = before.clone();
            start.push(b'\n');
            let contents = [&start[..], one.as_bytes(), &after[..]].concat();
            let Found::Block(place) = find(Comment::Hash, &contents) else { return Ok(()) };
            let changed = replace(&contents, place, &two);
            prop_assert_eq!(&changed, &[&start[..], two.as_bytes(), &after[..]].concat());
            let Found::Block(place) = find(Comment::Hash, &changed) else { panic!() };
            prop_assert_eq!(replace(&changed, place, &one), contents);
        }

        #[test]
        fn what_is_appended_is_found(contents in prop::collection::vec(any::<u8>(), 0..80)) {
            let block = wrap(Comment::Hash, "PORT=1\n").unwrap();
            let longer = append(&contents, &block);
            prop_assert!(longer.starts_with(&contents));
            if let Found::Block(place) = find(Comment::Hash, &longer) {
                prop_assert_eq!(replace(&longer, place, &block), longer);
            } else {
                prop_assert!(find(Comment::Hash, &contents) != Found::Nothing);
            }
        }
    }
}
