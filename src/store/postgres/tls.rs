//! How a connection is encrypted: who is trusted, and who we are.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::Address;

/// Returns what makes encrypted connections to this registry. The server's certificate must be signed by
/// one that is trusted, and must be for the host that was named, whatever `sslmode` says.
pub(super) fn connector(address: &Address) -> Result<MakeRustlsConnect, String> {
    let mut roots = RootCertStore::empty();
    match &address.root_certificates {
        Some(path) => {
            let (added, _) = roots.add_parsable_certificates(certificates(path)?);
            if added == 0 {
                return Err(format!("there is no certificate in '{}'", path.display()));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match &address.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let secret =
                PrivateKeyDer::from_pem_file(key).map_err(|error| format!("'{}': {error}", key.display()))?;
            builder
                .with_client_auth_cert(certificates(certificate)?, secret)
                .map_err(|error| format!("'{}': {error}", certificate.display()))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| format!("'{}': {error}", path.display()))
}
