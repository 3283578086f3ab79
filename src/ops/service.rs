//! Runs the watch from now on: a systemd user unit, or a launchd agent.

use std::path::PathBuf;

use crate::context::Context;
use crate::error::{Error, ErrorKind, Result};
use crate::system::command::Command;
use crate::system::files::{self, Access};

/// What became of the service.
#[derive(Clone, Debug)]
pub struct ServiceChanged {
    /// Its file.
    pub path: PathBuf,
    /// Whether anything changed.
    pub changed: bool,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// The name of the launchd agent, and of its file.
const LABEL: &str = "org.git-port.watch";
/// The name of the systemd unit.
const UNIT: &str = "git-port-watch.service";

/// Writes the service's file and starts it. Twice is once.
pub fn install(ctx: &Context) -> Result<ServiceChanged> {
    let path = path(ctx)?;
    let program = std::env::current_exe().map_err(|error| {
        Error::new(ErrorKind::Internal, format!("cannot tell where this program is: {error}"))
    })?;
    let program = program.to_str().filter(|program| !program.contains(['"', '\\', '\n', '%', '<', '&', '$']));
    let Some(program) = program else {
        return Err(Error::new(ErrorKind::Config, "the path of this program cannot stand in a service file")
            .hint("install it elsewhere: PREFIX=~/.local ./install.sh"));
    };
    let text = if cfg!(target_os = "macos") { agent(program) } else { unit(program) };
    let changed = files::load_text(&path)?.as_deref() != Some(text.as_str());
    if changed {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::from(crate::system::SystemError::file("create", folder)(error)))?;
        }
        files::replace(&path, text.as_bytes(), Access::Public)?;
    }
    Ok(ServiceChanged { notes: start(&path), path, changed })
}

/// Stops the service and removes its file.
pub fn uninstall(ctx: &Context) -> Result<ServiceChanged> {
    let path = path(ctx)?;
    let changed = files::load(&path)?.is_some();
    let mut notes = Vec::new();
    if changed {
        notes = stop(&path);
        files::remove(&path)?;
    }
    Ok(ServiceChanged { path, changed, notes })
}

fn path(ctx: &Context) -> Result<PathBuf> {
    if cfg!(target_os = "macos") {
        let home = ctx.environment.os("HOME").map(PathBuf::from);
        let home =
            home.ok_or_else(|| Error::new(ErrorKind::Config, "cannot tell where the home directory is"))?;
        return Ok(home.join("Library/LaunchAgents").join(format!("{LABEL}.plist")));
    }
    if cfg!(target_os = "linux") {
        // The folder of git-port's configuration lies beside systemd's.
        let base = ctx.dirs.config.parent().map(PathBuf::from).unwrap_or_default();
        return Ok(base.join("systemd/user").join(UNIT));
    }
    Err(Error::new(ErrorKind::Usage, "there is no service to install on this system")
        .hint("start 'git port watch' when you log in"))
}

fn unit(program: &str) -> String {
    format!(
        "[Unit]\n\
         Description=Ports of git worktrees that disappear\n\
         Documentation=man:git-port(1)\n\
         \n\
         [Service]\n\
         ExecStart=\"{program}\" watch\n\
         Restart=on-failure\n\
         RestartSec=10\n\
         Nice=10\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    )
}

fn agent(program: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\"><dict>\n\
         <key>Label</key><string>{LABEL}</string>\n\
         <key>ProgramArguments</key><array><string>{program}</string><string>watch</string></array>\n\
         <key>RunAtLoad</key><true/>\n\
         <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>\n\
         <key>ProcessType</key><string>Background</string>\n\
         </dict></plist>\n"
    )
}

/// Starts it. Where the manager does not answer, as over SSH or in a container, it says what to run.
fn start(path: &std::path::Path) -> Vec<String> {
    if cfg!(target_os = "macos") {
        let loaded = run("launchctl", &["load", "-w", &path.to_string_lossy()]);
        return (!loaded)
            .then(|| format!("start it yourself: launchctl load -w '{}'", path.display()))
            .into_iter()
            .collect();
    }
    let started = run("systemctl", &["--user", "daemon-reload"])
        && run("systemctl", &["--user", "enable", "--now", UNIT]);
    if !started {
        return vec![format!(
            "systemd does not answer here; start it yourself: systemctl --user enable --now {UNIT}"
        )];
    }
    vec!["it runs while you are logged in; to keep it running: loginctl enable-linger".to_owned()]
}

fn stop(path: &std::path::Path) -> Vec<String> {
    let stopped = if cfg!(target_os = "macos") {
        run("launchctl", &["unload", "-w", &path.to_string_lossy()])
    } else {
        run("systemctl", &["--user", "disable", "--now", UNIT])
    };
    (!stopped).then(|| "it could not be stopped; it ends when you log out".to_owned()).into_iter().collect()
}

fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
