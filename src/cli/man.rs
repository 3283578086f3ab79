//! `git port man`

use std::path::PathBuf;

use clap_mangen::Man;

use crate::error::{Error, Result};
use crate::output::Output;
use crate::system::SystemError;

/// Print the manual page, or write all pages into a folder
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write git-port(1) and a page for each command here
    #[arg(long, value_name = "folder")]
    dir: Option<PathBuf>,
}

impl Args {
    pub(super) fn run(self, out: &Output) -> Result<u8> {
        let command = super::command();
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            let written = Man::new(command).render(&mut page);
            written.map_err(|error| Error::from(SystemError::file("write", "the page".as_ref())(error)))?;
            out.raw(&page);
            return Ok(0);
        };
        let failed = |error| Error::from(SystemError::file("write", &dir)(error));
        std::fs::create_dir_all(&dir).map_err(failed)?;
        clap_mangen::generate_to(command, &dir).map_err(failed)?;
        out.status(&format!("Wrote the manual pages to {}", dir.display()));
        Ok(0)
    }
}
