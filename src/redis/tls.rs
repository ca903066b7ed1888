//! Encryption: whose certificate is believed, and which one is shown.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::error::ServerError;

/// The files, which are read at each connect: certificates are renewed while a gateway runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// Authorities in place of those that browsers trust.
    pub(super) ca: Option<std::path::PathBuf>,
    /// What proves to Redis who we are: certificates and key.
    pub(super) own: Option<(std::path::PathBuf, std::path::PathBuf)>,
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    /// Names the key and the file, and says what is wrong with it.
    pub(super) fn read(&self) -> Result<Arc<ClientConfig>, ServerError> {
        let roots = match &self.ca {
            None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("ca_file", path)? {
                    let wrong = |why: rustls::Error| in_file("ca_file", path, &why);
                    roots.add(certificate).map_err(wrong)?;
                }
                roots
            }
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| ServerError::new("url", why.to_string()))?
            .with_root_certificates(roots);
        let config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates("cert_file", cert)?;
                let secret =
                    PrivateKeyDer::from_pem_file(key).map_err(|why| in_file("key_file", key, &why))?;
                builder
                    .with_client_auth_cert(chain, secret)
                    .map_err(|why| in_file("cert_file", cert, &why))?
            }
        };
        Ok(Arc::new(config))
    }
}

fn in_file(key: &str, path: &Path, why: &dyn std::fmt::Display) -> ServerError {
    ServerError::new(key, format!("{}: {why}", path.display()))
}

fn certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let found = CertificateDer::pem_file_iter(path).map_err(|why| in_file(key, path, &why))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|why| in_file(key, path, &why))?;
    if found.is_empty() {
        let why = "has no certificate: expected PEM, -----BEGIN CERTIFICATE-----";
        return Err(in_file(key, path, &why));
    }
    Ok(found)
}

/// Encrypts a connection to the server of that name.
///
/// # Errors
/// Why its certificate is not believed.
pub(super) async fn encrypt(
    config: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|why| why.to_string())?;
    TlsConnector::from(config).connect(name, stream).await.map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_certificate_or_key_is_named_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(path("cert"), own.cert.pem()).unwrap();
        std::fs::write(path("key"), own.signing_key.serialize_pem()).unwrap();
        std::fs::write(path("none"), "").unwrap();
        let files = |ca: Option<&str>, own: Option<(&str, &str)>| TlsFiles {
            ca: ca.map(path),
            own: own.map(|(cert, key)| (path(cert), path(key))),
        };
        assert!(files(None, None).read().is_ok());
        assert!(files(Some("cert"), Some(("cert", "key"))).read().is_ok());
        for (bad, key, file) in [
            (files(Some("gone"), None), "ca_file", "gone"),
            (files(Some("none"), None), "ca_file", "none"),
            (files(Some("key"), None), "ca_file", "key"),
            (files(None, Some(("none", "key"))), "cert_file", "none"),
            (files(None, Some(("cert", "cert"))), "key_file", "cert"),
        ] {
            let error = bad.read().unwrap_err();
            assert_eq!(error.key, key);
            assert!(error.why.starts_with(&path(file).display().to_string()), "{error}");
        }
    }
}
