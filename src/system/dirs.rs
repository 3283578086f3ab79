//! Where a user's files go: the XDG folders on every Unix (as git and most tools do on macOS too), the
//! usual ones on Windows.

use std::path::{Path, PathBuf};

use super::SystemError;

/// The folders of git-port, from the variables of the environment that move them.
#[derive(Clone, Debug)]
pub struct Dirs {
    /// The user's home; none where the system does not say.
    pub home: Option<PathBuf>,
    /// Configuration: `~/.config/git-port`.
    pub config: PathBuf,
    /// State, where the registry is: `~/.local/state/git-port`.
    pub state: PathBuf,
}

impl Dirs {
    /// Returns the folders, given the values of `HOME`, `XDG_CONFIG_HOME` and `XDG_STATE_HOME`.
    ///
    /// A relative value counts as unset (XDG Base Directory Specification).
    pub fn new(
        home: Option<&Path>,
        xdg_config: Option<&Path>,
        xdg_state: Option<&Path>,
    ) -> Result<Self, SystemError> {
        let given = |path: Option<&Path>| path.filter(|path| path.is_absolute()).map(Path::to_owned);
        let home = given(home).or_else(dirs::home_dir);
        let under_home = |rest: &str| home.as_ref().map(|home| home.join(rest)).ok_or(SystemError::NoHome);
        let (config, state) = if cfg!(windows) {
            (
                dirs::config_dir().ok_or(SystemError::NoHome)?,
                dirs::data_local_dir().ok_or(SystemError::NoHome)?,
            )
        } else {
            (
                given(xdg_config).map_or_else(|| under_home(".config"), Ok)?,
                given(xdg_state).map_or_else(|| under_home(".local/state"), Ok)?,
            )
        };
        Ok(Self { config: config.join("git-port"), state: state.join("git-port"), home })
    }
}
