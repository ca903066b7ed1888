//! Whose certificates are believed.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde::Deserialize;

/// How certificates are checked.
#[derive(Clone)]
pub(in crate::feed::upstream) struct Tls(pub(super) Arc<ClientConfig>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

/// What becomes of the built-in authorities when a file names some.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::feed::upstream) enum Trust {
    /// The file's stand in their place.
    #[default]
    Only,
    /// The file's stand beside them.
    Add,
}

impl Tls {
    /// Trusts the authorities that browsers trust, or those of a PEM file instead of or beside them.
    ///
    /// # Errors
    /// Names the file, the certificate and what is wrong with it.
    pub(in crate::feed::upstream) fn new(authorities: Option<&Path>, trust: Trust) -> Result<Self, String> {
        let roots = roots(authorities, trust)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}

fn roots(authorities: Option<&Path>, trust: Trust) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = authorities {
        if trust == Trust::Only {
            roots = RootCertStore::empty();
        }
        add(&mut roots, path).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    Ok(roots)
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let mut count = 0;
    for certificate in CertificateDer::pem_file_iter(path).map_err(|why| why.to_string())? {
        count += 1;
        let wrong = |why: &dyn std::fmt::Display| format!("certificate {count} cannot be read: {why}");
        roots.add(certificate.map_err(|why| wrong(&why))?).map_err(|why| wrong(&why))?;
    }
    if count == 0 {
        return Err("has no certificate: expected PEM, -----BEGIN CERTIFICATE-----".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_of_a_file_stand_alone_or_beside_those_that_are_built_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&path, own.cert.pem()).unwrap();
        let count = |file, trust| roots(file, trust).unwrap().len();
        let usual = webpki_roots::TLS_SERVER_ROOTS.len();
        assert_eq!(count(None, Trust::default()), usual);
        assert_eq!(count(Some(path.as_path()), Trust::default()), 1);
        assert_eq!(count(Some(path.as_path()), Trust::Add), usual + 1);
    }

    #[test]
    fn a_file_that_is_no_list_of_authorities_is_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let good = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = good.cert.pem();
        for (text, why) in [
            (certificate.clone(), None),
            (format!("a comment\n{certificate}\n{certificate}"), None),
            (String::new(), Some("has no certificate")),
            ("DER?".to_owned(), Some("has no certificate")),
            (good.signing_key.serialize_pem(), Some("has no certificate")),
            (
                format!("{certificate}-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"),
                Some("certificate 2 cannot be read"),
            ),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
                Some("certificate 1 cannot be read"),
            ),
            (certificate.replace("-----END", "----END"), Some("certificate 1 cannot be read")),
        ] {
            std::fs::write(&path, &text).unwrap();
            for trust in [Trust::Only, Trust::Add] {
                let read = Tls::new(Some(&path), trust).map(drop);
                match (&read, why) {
                    (Ok(()), None) => {}
                    (Err(found), Some(why)) => {
                        let shown = path.display().to_string();
                        assert!(found.starts_with(&shown) && found.contains(why), "{text}: {found}");
                    }
                    _ => panic!("{text}: {read:?}"),
                }
            }
        }
    }
}
