//! The difference between two texts, as `git diff` shows it.

use std::path::Path;

use super::GitError;

/// Returns the unified diff of a file's contents; empty if they are the same.
pub fn unified(path: &Path, old: &[u8], new: &[u8]) -> Result<String, GitError> {
    let failed = |error: git2::Error| GitError::Failed {
        command: "diff".to_owned(),
        status: 128,
        stderr: error.message().to_owned(),
    };
    let patch = git2::Patch::from_buffers(old, Some(path), new, Some(path), None);
    let mut patch = patch.map_err(failed)?;
    let text = patch.to_buf().map_err(failed)?;
    let text = String::from_utf8_lossy(&text);
    // Before it come lines about blobs, which these texts are not.
    Ok(match text.find("\n--- ") {
        Some(at) => text.get(at + 1..).unwrap_or_default().to_owned(),
        None => text.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_gits_own() {
        let diff = unified(Path::new("a/b.env"), b"A=1\nB=2\n", b"A=1\nB=3\n").unwrap();
        assert_eq!(diff, "--- a/a/b.env\n+++ b/a/b.env\n@@ -1,2 +1,2 @@\n A=1\n-B=2\n+B=3\n");
        assert_eq!(unified(Path::new("x"), b"same\n", b"same\n").unwrap(), "");
    }
}
