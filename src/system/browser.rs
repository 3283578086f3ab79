//! Opens a page in the user's browser.

use super::SystemError;

/// Opens this URL in the user's browser, and does not wait for it.
pub fn open(url: &str) -> Result<(), SystemError> {
    open::that_detached(url)
        .map_err(|source| SystemError::Program { program: "the browser".to_owned(), source })
}
