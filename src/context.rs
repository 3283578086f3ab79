//! Everything an operation needs from outside, opened on first use.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{self, Environment, Settings, Sources};
use crate::error::{Error, ErrorKind, Result};
use crate::git::Repo;
use crate::registry::RangeRecord;
use crate::store::postgres::{self, Address, PostgresStore, Surroundings};
use crate::store::{self, Store, sqlite::SqliteStore};
use crate::system::clock::Clock;
use crate::system::dirs::Dirs;
use crate::system::files;
use crate::system::host::Host;
use crate::system::lock::Patience;
use crate::system::slow::{GoingOn, Tell};

/// How long a writer waits in line for the registry.
const PATIENCE: Patience = Patience { standstill: Duration::from_secs(10), at_most: Duration::from_mins(1) };

/// The variables that name a repository instead of the current folder (git(1), "The Git Repository").
const REDIRECTIONS: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
];

/// What an operation works with.
pub struct Context {
    /// The environment variables.
    pub environment: Environment,
    /// The clock.
    pub clock: Clock,
    /// This machine.
    pub host: Host,
    /// The user's folders.
    pub dirs: Dirs,
    /// The user's name.
    pub user: Option<String>,
    /// `--registry`, which wins over the configuration.
    registry: Option<String>,
    /// What the configuration says of it, once that is known.
    named: OnceCell<Option<String>>,
    patience: Patience,
    /// Where one stands, if it is not the current folder.
    folder: Option<PathBuf>,
    /// Tells what is waited for.
    tell: Option<Tell>,
    repo: OnceCell<Repo>,
    store: Option<Box<dyn Store>>,
    notes: Vec<String>,
}

impl Context {
    /// Returns a context for this environment. Nothing is opened yet.
    pub fn new(environment: Environment, registry: Option<String>) -> Result<Self> {
        let path = |name: &str| environment.os(name).map(Path::new);
        let dirs = Dirs::new(path("HOME"), path("XDG_CONFIG_HOME"), path("XDG_STATE_HOME"))?;
        let clock = match environment.text("GIT_PORT_TIME")? {
            // For tests: every time in the registry and in the output follows it.
            Some(time) => Clock::Fixed(time.parse().map_err(|error| {
                Error::new(ErrorKind::Config, format!("the variable 'GIT_PORT_TIME' is no time: {error}"))
            })?),
            None => Clock::System,
        };
        let host = Host::this(environment.text("GIT_PORT_HOST")?);
        let user = ["USER", "LOGNAME", "USERNAME"]
            .iter()
            .find_map(|name| environment.os(name).map(|user| user.to_string_lossy().into_owned()));
        Ok(Self {
            environment,
            clock,
            host,
            dirs,
            user,
            registry,
            named: OnceCell::new(),
            patience: PATIENCE,
            folder: None,
            tell: None,
            repo: OnceCell::new(),
            store: None,
            notes: Vec::new(),
        })
    }

    /// Returns a context as this one, in which nothing is opened, for one who stands in this folder. A
    /// server has one for each request: what was opened for the last may not hold any more.
    #[must_use]
    pub fn standing_in(&self, folder: Option<PathBuf>) -> Self {
        Self {
            environment: self.environment.clone(),
            clock: self.clock,
            host: self.host.clone(),
            dirs: self.dirs.clone(),
            user: self.user.clone(),
            registry: self.registry.clone(),
            named: OnceCell::new(),
            patience: self.patience,
            tell: self.tell.clone(),
            folder,
            repo: OnceCell::new(),
            store: None,
            notes: Vec::new(),
        }
    }

    /// Returns the folder one stands in, if it is not the current one.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Has somebody told what keeps one waiting.
    pub fn tell_waiting(&mut self, tell: Tell) {
        self.tell = Some(tell);
    }

    /// Has this told after a second, unless what is returned is dropped before.
    pub fn going_on(&self, message: impl FnOnce() -> String) -> GoingOn {
        self.tell.clone().map_or_else(GoingOn::default, |tell| GoingOn::new(tell, message()))
    }

    /// Waits for locks no longer than this. To be said before the registry is asked for: one that is open
    /// goes on waiting as long as before.
    pub fn limit_patience(&mut self, patience: Duration) {
        self.patience = patience.into();
    }

    /// Notes what the user should know, whatever the command answers; once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Returns what was noted.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Says whether variables name the repository, or say where to look for it.
    pub fn is_redirected(&self) -> bool {
        REDIRECTIONS.iter().any(|name| self.environment.os(name).is_some())
    }

    /// Returns the repository one stands in.
    pub fn repo(&self) -> Result<Repo> {
        if let Some(repo) = self.repo.get() {
            return Ok(repo.clone());
        }
        if let Some(folder) = &self.folder {
            let repo = Repo::at(folder)?;
            return Ok(self.repo.get_or_init(|| repo).clone());
        }
        let repo = Repo::discover(self.is_redirected())?;
        Ok(self.repo.get_or_init(|| repo).clone())
    }

    /// Returns the repository one stands in; none outside of one. A repository that git refuses to use,
    /// or that is damaged, is an error all the same.
    pub fn find_repo(&self) -> Result<Option<Repo>> {
        match self.repo() {
            Ok(repo) => Ok(Some(repo)),
            Err(error) if error.kind == ErrorKind::NotARepository && is_plain_absence(&error.message) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the settings that hold in this worktree of this repository, or outside of any.
    pub fn settings(&mut self, repo: Option<&Repo>, worktree: Option<&Path>) -> Result<Settings> {
        let settings = self.load_settings(repo, worktree, &[])?;
        settings.passed_over.iter().for_each(|warning| self.note(warning.clone()));
        match self.registry_ranges() {
            ranges if ranges.is_empty() => Ok(settings),
            ranges => self.load_settings(repo, worktree, &ranges),
        }
    }

    /// Returns the settings as far as they are known without the registry, which keeps nothing but ranges.
    pub fn settings_without_registry(&self, repo: &Repo, worktree: &Path) -> Result<Settings> {
        self.load_settings(Some(repo), Some(worktree), &[])
    }

    /// Returns the settings that hold in this worktree of this repository; where its files are wrong,
    /// those that hold without them, and what is wrong. git's part must be done all the same.
    pub fn settings_or_default(
        &mut self,
        repo: &Repo,
        worktree: Option<&Path>,
    ) -> Result<(Settings, Option<Error>)> {
        match self.settings(Some(repo), worktree) {
            Ok(settings) => Ok((settings, None)),
            Err(error) => {
                let nothing = Environment::default();
                let built_in = || -> Result<Settings> {
                    Ok(config::load(&Sources {
                        environment: &nothing,
                        user_file: None,
                        user_file_required: false,
                        worktree_root: None,
                        common_dir: None,
                        registry_ranges: &[],
                    })?)
                };
                Ok((self.settings(None, None).or_else(|_| built_in())?, Some(error)))
            }
        }
    }

    fn load_settings(
        &self,
        repo: Option<&Repo>,
        worktree: Option<&Path>,
        registry_ranges: &[RangeRecord],
    ) -> Result<Settings> {
        let (user_file, user_file_required) = config::user_file(&self.dirs.config, &self.environment);
        let settings = config::load(&Sources {
            environment: &self.environment,
            // A sandbox hides the home; whoever only reads goes on without it.
            user_file: Some(user_file).filter(|file| user_file_required || !files::is_hidden(file)),
            user_file_required,
            worktree_root: worktree,
            common_dir: repo.map(|repo| repo.common_dir.as_path()),
            registry_ranges,
        })?;
        // The registry may be named by the user's file or a variable, never by a repository.
        let _ = self.named.set(settings.registry.clone());
        Ok(settings)
    }

    /// What the registry says of ranges; nothing if it cannot be asked, for reading must go on without it.
    fn registry_ranges(&mut self) -> Vec<RangeRecord> {
        let Ok(store) = self.store() else { return Vec::new() };
        store::read(store, |rows| rows.ranges()).unwrap_or_default()
    }

    /// Returns the registry.
    pub fn store(&mut self) -> Result<&mut dyn Store> {
        let store = match self.store.take() {
            Some(store) => store,
            None => self.open_store()?,
        };
        Ok(self.store.insert(store).as_mut())
    }

    /// Returns the registry if it was asked for already.
    pub fn opened_store(&mut self) -> Option<&mut dyn Store> {
        match &mut self.store {
            Some(store) => Some(store.as_mut()),
            None => None,
        }
    }

    fn open_store(&self) -> Result<Box<dyn Store>> {
        let named = match (&self.registry, self.named.get()) {
            (Some(registry), _) => Some(registry.clone()),
            (None, Some(named)) => named.clone(),
            (None, None) => self.load_settings(None, None, &[])?.registry,
        };
        self.registry_at(named.as_deref())
    }

    /// Returns the registry of this name: a URL or a path; the usual one, if none is given.
    pub fn registry_at(&self, name: Option<&str>) -> Result<Box<dyn Store>> {
        let path = match name {
            Some(url) if postgres::is_url(url) => {
                let address = self.address(url)?;
                let store = PostgresStore::new(address, &self.host.key, self.patience);
                return Ok(Box::new(store.telling(self.tell.clone())));
            }
            Some(path) => PathBuf::from(path),
            None => self.dirs.state.join("registry.db"),
        };
        Ok(Box::new(SqliteStore::new(&path, self.patience).in_home(self.dirs.home.as_deref())))
    }

    /// Refuses a URL that carries a password, where it is to be written down.
    pub fn refuse_password(&self, url: &str) -> Result<()> {
        if self.address(url)?.carries_password() {
            return Err(Error::usage(
                "the URL carries a password, which does not belong into a configuration",
            )
            .hint("put it into ~/.pgpass (mode 0600): <host>:<port>:<database>:<user>:<password>"));
        }
        Ok(())
    }

    fn address(&self, url: &str) -> Result<Address> {
        let variable =
            |name: &str| self.environment.os(name).and_then(|value| value.to_str()).map(str::to_owned);
        let (home, user) = (self.dirs.home.as_deref(), self.user.as_deref());
        Ok(Address::resolve(url, &Surroundings { variable: &variable, home, user })?)
    }
}

/// git has many words for a repository it will not use, and two for there being none.
fn is_plain_absence(message: &str) -> bool {
    message.starts_with("not a git repository")
        || message.starts_with("this operation must be run in a work tree")
}
