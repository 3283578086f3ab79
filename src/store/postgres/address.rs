//! Where a registry in PostgreSQL is, and how it is reached: the URL, and what libpq would fill in.
//!
//! As in libpq, the URL comes first, then the service file, then the `PG*` variables, then what is usual.
//! Passwords stay in here: they are in no name, no message and no debug print.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::passfile;
use crate::store::StoreError;
use crate::system::files;

/// How long connecting to one server may take, unless `connect_timeout` says otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// Where the server's socket lies, if it is on this machine and nothing else is said.
const SOCKET_FOLDERS: &[&str] = &["/var/run/postgresql", "/run/postgresql", "/tmp"];

/// What may be said, and the variable that says it where the URL and the service do not.
const PARAMETERS: &[(&str, Option<&str>)] = &[
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("dbname", Some("PGDATABASE")),
    ("user", Some("PGUSER")),
    ("password", Some("PGPASSWORD")),
    ("passfile", Some("PGPASSFILE")),
    ("service", Some("PGSERVICE")),
    ("servicefile", Some("PGSERVICEFILE")),
    ("sslmode", Some("PGSSLMODE")),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
    ("application_name", Some("PGAPPNAME")),
    ("options", Some("PGOPTIONS")),
];

/// What surrounds the program: the variables, and the user.
pub struct Surroundings<'a> {
    /// Returns an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The user's home.
    pub home: Option<&'a Path>,
    /// The user's name.
    pub user: Option<&'a str>,
}

/// A server that may have the registry.
#[derive(Clone)]
pub(super) struct Server {
    /// A name or an address; or the folder of a socket.
    pub(super) host: String,
    /// The address, where the name is not to be looked up.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) password: Option<String>,
}

impl Server {
    /// Says whether the way to it stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        let loopback = |text: &str| text.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match self.address {
            Some(address) => address.is_loopback(),
            None => self.is_socket() || self.host == "localhost" || loopback(&self.host),
        }
    }

    pub(super) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

/// Which server is wanted, where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    Any,
    ReadWrite,
}

/// Whether the connection is encrypted, and the server's certificate checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Never,
    /// If the server can.
    Offered,
    Always,
}

/// Where a registry in PostgreSQL is, and how it is reached.
#[derive(Clone)]
pub struct Address {
    pub(super) servers: Vec<Server>,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) encryption: Encryption,
    pub(super) root_certificates: Option<PathBuf>,
    pub(super) certificate: Option<(PathBuf, PathBuf)>,
    pub(super) connect_within: Duration,
    pub(super) session: Session,
    pub(super) application: String,
    pub(super) options: Option<String>,
    /// For people: without the user and the password.
    shown: String,
    /// Whether the URL itself carries a password.
    pub(super) carries_password: bool,
}

/// Says whether a registry of this name is in PostgreSQL.
pub fn is_url(registry: &str) -> bool {
    registry.starts_with("postgres://") || registry.starts_with("postgresql://")
}

impl Address {
    /// Returns what the URL, the service file and the variables say together.
    pub fn resolve(url: &str, around: &Surroundings<'_>) -> Result<Self, StoreError> {
        let mut said = parse(url)?;
        let carries_password = said.contains_key("password");
        if let Some(service) = lookup(&said, around, "service") {
            for (key, value) in load_service(&service, &said, around)? {
                said.entry(key).or_insert(value);
            }
        }
        let get = |key: &str| lookup(&said, around, key);
        let user = get("user").or_else(|| around.user.map(str::to_owned));
        let user = user.ok_or_else(|| wrong("it does not say which user to connect as"))?;
        let database = get("dbname").unwrap_or_else(|| user.clone());
        let servers = servers(&said, around, &database, &user)?;
        let encryption = match get("sslmode").as_deref() {
            // Off this machine anybody may listen, or pretend to be the server.
            None if servers.iter().all(Server::is_local) => Encryption::Never,
            Some("disable") => Encryption::Never,
            Some("allow" | "prefer") => Encryption::Offered,
            None | Some("require" | "verify-ca" | "verify-full") => Encryption::Always,
            Some(_) => return Err(wrong("'sslmode' is none of disable, prefer, require, verify-full")),
        };
        let session = match get("target_session_attrs").as_deref() {
            // A standby cannot be written.
            None if servers.len() > 1 => Session::ReadWrite,
            None | Some("any") => Session::Any,
            Some("read-write" | "primary") => Session::ReadWrite,
            Some(_) => return Err(wrong("'target_session_attrs' is neither any nor read-write")),
        };
        let connect_within = match get("connect_timeout") {
            None => CONNECT_WITHIN,
            Some(text) => match text.parse::<u64>() {
                Ok(seconds @ 1..=3600) => Duration::from_secs(seconds),
                _ => return Err(wrong("'connect_timeout' is no number of seconds")),
            },
        };
        let certificate = match (get("sslcert"), get("sslkey")) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            _ => return Err(wrong("'sslcert' and 'sslkey' belong together")),
        };
        let usual = around.home.map(|home| home.join(".postgresql/root.crt")).filter(|path| path.is_file());
        let root_certificates = match get("sslrootcert") {
            Some(system) if system == "system" => None,
            Some(path) => Some(path.into()),
            None => usual,
        };
        let shown = shown(&servers, &database);
        Ok(Self {
            servers,
            database,
            user,
            encryption,
            root_certificates,
            certificate,
            connect_within,
            session,
            application: get("application_name").unwrap_or_else(|| "git-port".to_owned()),
            options: get("options"),
            shown,
            carries_password,
        })
    }

    /// Returns the address for people: without the user and the password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Says whether the URL itself carries a password, which then stands wherever the URL does.
    pub fn carries_password(&self) -> bool {
        self.carries_password
    }
}

fn shown(servers: &[Server], database: &str) -> String {
    let hosts: Vec<String> = servers
        .iter()
        .map(|server| match server.host.as_str() {
            socket if server.is_socket() => format!("{}:{}", socket.replace('/', "%2F"), server.port),
            host if host.contains(':') => format!("[{host}]:{}", server.port),
            host => format!("{host}:{}", server.port),
        })
        .collect();
    format!("postgres://{}/{database}", hosts.join(","))
}

/// An address that makes no sense. Nothing of what was written is repeated: a password may be anywhere in
/// it, if it was not encoded.
fn wrong(why: &str) -> StoreError {
    StoreError::Address { why: why.to_owned() }
}

fn lookup(said: &BTreeMap<String, String>, around: &Surroundings<'_>, key: &str) -> Option<String> {
    let variable = PARAMETERS.iter().find(|(name, _)| *name == key).and_then(|(_, variable)| *variable);
    let value = said.get(key).cloned().or_else(|| (around.variable)(variable?));
    value.filter(|value| !value.is_empty())
}

/// Returns the parts of a URL (libpq, "Connection URIs").
fn parse(url: &str) -> Result<BTreeMap<String, String>, StoreError> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    if database.contains('@') {
        // What follows would be shown as the name of the database.
        return Err(wrong("a '/' in a user or a password is written %2F, an '@' %40"));
    }
    let mut said = BTreeMap::new();
    let (who, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = who.split_once(':').unwrap_or((who, ""));
    let mut say = |key: &str, value: String| {
        if !value.is_empty() {
            said.insert(key.to_owned(), value);
        }
    };
    say("user", decode(user)?);
    say("password", decode(password)?);
    say("dbname", decode(database)?);
    let mut names = Vec::new();
    let mut ports = Vec::new();
    for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
        let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, port)) => (name, port.strip_prefix(':').unwrap_or(port)),
            None => host.rsplit_once(':').unwrap_or((host, "")),
        };
        names.push(decode(name)?);
        ports.push(port.to_owned());
    }
    if names.iter().any(|name| !name.is_empty()) {
        say("host", names.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        say("port", ports.join(","));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| wrong("a parameter has no value"))?;
        let key = if key == "ssl" { "sslmode" } else { key };
        if !PARAMETERS.iter().any(|(name, _)| *name == key) {
            let known: Vec<&str> = PARAMETERS.iter().map(|(name, _)| *name).collect();
            return Err(wrong(&format!("it has a parameter that is none of {}", known.join(", "))));
        }
        let value = if value == "true" && key == "sslmode" { "require" } else { value };
        said.insert(key.to_owned(), decode(value)?);
    }
    Ok(said)
}

/// Takes the percent signs out of a part of a URL.
fn decode(text: &str) -> Result<String, StoreError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|byte| *byte != 0);
        bytes.push(byte.ok_or_else(|| wrong("a '%' in it is not followed by two hexadecimal digits"))?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text"))
}

fn servers(
    said: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
    database: &str,
    user: &str,
) -> Result<Vec<Server>, StoreError> {
    let get = |key: &str| lookup(said, around, key);
    let list = |text: Option<String>| -> Vec<String> {
        text.map(|text| text.split(',').map(str::to_owned).collect()).unwrap_or_default()
    };
    let (mut names, addresses, ports) = (list(get("host")), list(get("hostaddr")), list(get("port")));
    if names.is_empty() {
        names = if addresses.is_empty() { vec![String::new()] } else { addresses.clone() };
    }
    if addresses.len() > 1 && addresses.len() != names.len() {
        return Err(wrong("there are not as many addresses as hosts"));
    }
    if ports.len() > 1 && ports.len() != names.len() {
        return Err(wrong("there are not as many ports as hosts"));
    }
    let password = get("password");
    let passfile = get("passfile").map(PathBuf::from).or_else(|| Some(around.home?.join(".pgpass")));
    let known = match (&password, passfile) {
        (None, Some(path)) => passfile::load(&path),
        _ => Vec::new(),
    };
    let mut servers = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let port = ports.get(index).or(ports.first()).filter(|port| !port.is_empty());
        let port = match port.map(|port| port.parse::<u16>()) {
            None => 5432,
            Some(Ok(port @ 1..)) => port,
            Some(_) => return Err(wrong("its port is no number from 1 to 65535")),
        };
        let host = if name.is_empty() { usual_host(port) } else { name };
        let address = match addresses.get(index).filter(|address| !address.is_empty()) {
            Some(address) => Some(address.parse().map_err(|_| wrong("'hostaddr' is no address"))?),
            None => None,
        };
        let mut server = Server { host, address, port, password: password.clone() };
        if server.password.is_none() {
            server.password = passfile::find(&known, &server, database, user);
        }
        servers.push(server);
    }
    Ok(servers)
}

/// Where the server is if nothing is said: at its socket on this machine, else at the loopback address.
fn usual_host(port: u16) -> String {
    let there = |folder: &&&str| Path::new(folder).join(format!(".s.PGSQL.{port}")).exists();
    SOCKET_FOLDERS.iter().find(there).map_or_else(|| "localhost".to_owned(), |folder| (*folder).to_owned())
}

/// Returns what the service file says of a service (libpq, "The Connection Service File").
fn load_service(
    service: &str,
    said: &BTreeMap<String, String>,
    around: &Surroundings<'_>,
) -> Result<BTreeMap<String, String>, StoreError> {
    let own = lookup(said, around, "servicefile").map(PathBuf::from);
    let own = own.or_else(|| Some(around.home?.join(".pg_service.conf")));
    let systems = (around.variable)("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    for path in own.into_iter().chain([Path::new(&systems).join("pg_service.conf")]) {
        let Ok(Some(text)) = files::load_text(&path) else { continue };
        let wanted = format!("[{service}]");
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != wanted);
        if lines.next().is_none() {
            continue;
        }
        let mut found = BTreeMap::new();
        for line in lines.take_while(|line| !line.starts_with('[')) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key, value) =
                line.split_once('=').ok_or_else(|| wrong("a line of its service has no '='"))?;
            found.entry(key.trim().to_owned()).or_insert_with(|| value.trim().to_owned());
        }
        return Ok(found);
    }
    Err(wrong(&format!("there is no service '{service}'")))
}

#[cfg(test)]
mod tests;
