//! What an address says, and in which order it is asked.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

const SECRET: &str = "canary:p@ss/w%rd";
const ENCODED: &str = "canary%3Ap%40ss%2Fw%25rd";

fn resolve_with(url: &str, variables: &[(&str, &str)], home: Option<&Path>) -> Result<Address, StoreError> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    Address::resolve(url, &Surroundings { variable: &variable, home, user: Some("me") })
}

fn resolve(url: &str) -> Address {
    resolve_with(url, &[], None).unwrap()
}

fn write(path: &Path, text: &str) {
    files::replace(path, text.as_bytes(), files::Access::Public).unwrap();
}

fn refusal(url: &str) -> String {
    resolve_with(url, &[], None).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn a_url_says_all() {
    let address = resolve(&format!(
        "postgresql://ann%20e:{ENCODED}@one.example:6432,[::1],10.0.0.1:7/my%2Fdb?sslmode=disable&\
         connect_timeout=7&target_session_attrs=any&application_name=x&hostaddr=,,127.0.0.1"
    ));
    let hosts: Vec<(&str, u16)> =
        address.servers.iter().map(|server| (server.host.as_str(), server.port)).collect();
    assert_eq!(hosts, [("one.example", 6432), ("::1", 5432), ("10.0.0.1", 7)]);
    assert_eq!((address.user.as_str(), address.database.as_str()), ("ann e", "my/db"));
    assert!(address.servers.iter().all(|server| server.password.as_deref() == Some(SECRET)));
    assert_eq!(address.servers.iter().map(Server::is_local).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!((address.encryption, address.session), (Encryption::Never, Session::Any));
    assert_eq!((address.connect_within, address.application.as_str()), (Duration::from_secs(7), "x"));
    assert!(address.carries_password());
    assert_eq!(address.shown(), "postgres://one.example:6432,[::1]:5432,10.0.0.1:7/my/db");
}

#[test]
fn what_is_not_said_is_as_in_libpq() {
    let address = resolve("postgres://h");
    assert_eq!((address.user.as_str(), address.database.as_str()), ("me", "me"));
    assert_eq!(address.servers[0].port, 5432);
    assert!(!address.carries_password());
    let socket = resolve("postgres://%2Fvar%2Flib:5/db");
    assert!(socket.servers[0].is_socket() && socket.servers[0].is_local());
}

#[test]
fn off_this_machine_the_server_must_prove_who_it_is() {
    let encryption = |url: &str| resolve(url).encryption;
    for url in ["postgres://localhost", "postgres://127.0.0.2", "postgres://[::1]", "postgres://%2Ftmp"] {
        assert_eq!(encryption(url), Encryption::Never, "{url}");
    }
    for url in ["postgres://db.example", "postgres://10.0.0.1", "postgres://localhost,db.example"] {
        assert_eq!(encryption(url), Encryption::Always, "{url}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        assert_eq!(encryption(&format!("postgres://localhost?sslmode={mode}")), Encryption::Always);
    }
    assert_eq!(encryption("postgres://h?sslmode=prefer"), Encryption::Offered);
}

#[test]
fn of_several_servers_one_that_can_be_written_is_wanted() {
    assert_eq!(resolve("postgres://a").session, Session::Any);
    assert_eq!(resolve("postgres://a,b").session, Session::ReadWrite);
    assert_eq!(resolve("postgres://a?target_session_attrs=read-write").session, Session::ReadWrite);
}

#[test]
fn the_url_comes_before_the_service_and_the_service_before_the_variables() {
    let home = tempfile::tempdir().unwrap();
    let services =
        "# ours\n[other]\nhost=other\n\n[team]\nhost = db.example\nport=6\nuser=s\n[last]\nport=9\n";
    write(&home.path().join(".pg_service.conf"), services);
    let variables = [
        ("PGSERVICE", "team"),
        ("PGUSER", "v"),
        ("PGPORT", "7"),
        ("PGDATABASE", "vdb"),
        ("PGPASSWORD", SECRET),
    ];
    let address = resolve_with("postgres://url@", &variables, Some(home.path())).unwrap();
    let server = &address.servers[0];
    assert_eq!((server.host.as_str(), server.port), ("db.example", 6));
    assert_eq!((address.user.as_str(), address.database.as_str()), ("url", "vdb"));
    assert_eq!(server.password.as_deref(), Some(SECRET));
    let address = resolve_with("postgres://?service=other", &variables, Some(home.path())).unwrap();
    assert_eq!((address.servers[0].host.as_str(), address.servers[0].port), ("other", 7));
    let error = resolve_with("postgres://?service=none", &[], Some(home.path())).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no service 'none'"), "{error}");
}

#[test]
fn a_password_comes_from_the_users_file_if_nobody_else_can_read_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".pgpass");
    let lines = "# host:port:database:user:password\nother:*:*:*:no\na:5432:db:me:for\\:a\n*:6:*:*:for:b\n";
    write(&file, lines);
    let passwords = |url: &str, variables: &[(&str, &str)]| {
        let address = resolve_with(url, variables, Some(home.path())).unwrap();
        address.servers.into_iter().map(|server| server.password).collect::<Vec<_>>()
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(passwords("postgres://a/db", &[]), [None]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let both = [Some("for:a".to_owned()), Some("for:b".to_owned())];
    assert_eq!(passwords("postgres://a,b:6/db", &[]), both);
    assert_eq!(passwords("postgres://a/db", &[("PGPASSWORD", "x")]), [Some("x".to_owned())]);
    assert_eq!(passwords("postgres://a/else", &[]), [None]);
}

#[test]
fn what_makes_no_sense_is_refused_without_being_repeated() {
    let wrong = [
        "postgres://u:CANARY@h:port/db",
        "postgres://u:CANARY@h:0/db",
        "postgres://u:CANARY%/db",
        "postgres://u:CANARY%00@h/db",
        "postgres://u@h/db?sslmode=CANARY",
        "postgres://u@h/db?CANARY",
        "postgres://u@h/db?CANARY=1",
        "postgres://u@h/db?password=CANARY&connect_timeout=0",
        "postgres://u@h/db?hostaddr=CANARY",
        "postgres://u@h/db?sslcert=CANARY",
        "postgres://u:CAN/ARY@h/db",
        "postgres://u:5/CANARY@h/db",
        "postgres://u:5?CANARY@h/db",
    ];
    for url in wrong {
        let message = refusal(url);
        assert!(!message.contains("CANARY") && !message.contains("ARY"), "{message}");
    }
}
