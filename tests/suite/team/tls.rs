//! The connection is encrypted, and the server proves who it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use crate::support::TestEnv;
use crate::support::postgres::{self, CANARY, Server};

/// Makes an authority, and a certificate of it for `localhost`.
fn certificates(folder: &Path) {
    let openssl = |words: &str| {
        let output =
            Command::new("openssl").args(words.split_whitespace()).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for authority in ["ca", "other"] {
        openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN={authority} \
             -keyout {authority}.key -out {authority}.crt -addext basicConstraints=critical,CA:TRUE"
        ));
    }
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=db -keyout server.key -out server.csr",
    );
    fs::write(folder.join("extensions"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        "x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile extensions \
         -out server.crt",
    );
}

#[test]
fn only_a_server_that_proves_who_it_is_is_spoken_to() {
    if !postgres::is_installed() {
        return;
    }
    let env = TestEnv::new();
    let folder = env.root();
    certificates(&folder);
    let kept = tempfile::Builder::new().prefix("git-port-tls-").tempdir().unwrap();
    fs::set_permissions(kept.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["server.key", "server.crt"] {
        fs::copy(folder.join(name), kept.path().join(name)).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(kept.path().join(name), Some(65534), Some(65534)).unwrap();
        }
        fs::set_permissions(kept.path().join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let path = |name: &str| kept.path().join(name).display().to_string();
    let server = Server::new(&[
        ("ssl", "on"),
        ("ssl_cert_file", &path("server.crt")),
        ("ssl_key_file", &path("server.key")),
    ]);
    let hba = server.folder.join("data/pg_hba.conf");
    let text = fs::read_to_string(&hba).unwrap().replace("\nhost ", "\nhostssl ");
    fs::write(&hba, text).unwrap();
    server.psql("postgres", "SELECT pg_reload_conf()").unwrap();
    let database = server.database();
    let mut env = env;
    env.set("PGPASSWORD", CANARY);
    let root = env.root();
    let mut answer = |host: &str, query: &str| {
        let url = format!("postgres://postgres@{host}:{}/{}?{query}", server.port, database.name);
        env.set("GIT_PORT_REGISTRY", &url);
        env.git_port(&root, ["allocate", "web", "--project", "shop"])
    };
    let trusted = format!("sslrootcert={}", folder.join("ca.crt").display());
    let distrusted = format!("sslrootcert={}", folder.join("other.crt").display());

    answer("localhost", &format!("sslmode=verify-full&{trusted}")).success();
    answer("localhost", &format!("sslmode=require&{trusted}")).success();
    let in_plain = answer("localhost", "sslmode=disable").exits_with(128);
    assert!(in_plain.stderr.contains("no encryption") || in_plain.stderr.contains("SSL off"), "{in_plain:?}");
    let unknown = answer("localhost", &format!("sslmode=verify-full&{distrusted}")).exits_with(6);
    assert!(unknown.stderr.contains("UnknownIssuer"), "{unknown:?}");
    let of_nobody = answer("localhost", "sslmode=require").exits_with(6);
    assert!(of_nobody.stderr.contains("certificate"), "{of_nobody:?}");
    // The certificate is not for this name.
    let misnamed = answer("127.0.0.1", &format!("sslmode=require&{trusted}")).exits_with(6);
    assert!(misnamed.stderr.contains("not valid for"), "{misnamed:?}");
    let missing = answer("localhost", "sslmode=require&sslrootcert=/nowhere.crt").exits_with(6);
    assert!(missing.stderr.contains("'/nowhere.crt'"), "{missing:?}");
}
