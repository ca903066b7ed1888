//! A venue with TLS, under a name that only this machine's tests know.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tickcast::{
    cli::venue::{MockVenue, Rules, Script},
    dialect::Venue,
};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{mock, tape};

/// The venue's name.
pub(crate) const HOST: &str = "venue.test";

/// The stand-in of a venue behind TLS, at a port of its own.
pub(crate) struct Front {
    pub(crate) mock: MockVenue,
    pub(crate) port: u16,
    /// For a proxy that speaks TLS itself.
    pub(crate) acceptor: TlsAcceptor,
    /// Connections that came.
    pub(crate) came: Arc<AtomicUsize>,
    folder: tempfile::TempDir,
}

impl Front {
    /// Binance with BTC-USD, on this machine.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let frames = tape::session(Venue::Binance, &["BTC-USD"], 1);
        let script = Script {
            venue: Venue::Binance,
            frames,
            faults: Vec::new(),
            speed: None,
            lose: 0,
            held: true,
            list_faults: Vec::new(),
            rules: Rules::default(),
        };
        let mock = mock(script).await;
        let names = [HOST.to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(made.cert.der().to_vec())], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let came: Arc<AtomicUsize> = Arc::default();
        let (to, accepting, counted) = (mock.address(), acceptor.clone(), Arc::clone(&came));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let acceptor = accepting.clone();
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(stream).await.ok()?;
                    let mut inside = TcpStream::connect(to).await.ok()?;
                    copy_bidirectional(&mut outside, &mut inside).await.ok()
                });
            }
        });
        Self { mock, port, acceptor, came, folder }
    }

    /// A file in a folder of the test's.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The keys of a feed that wants stream, list and first values of the venue under that name.
    pub(crate) fn keys(&self, host: &str) -> String {
        let (port, list) = (self.port, self.mock.list_path());
        let values = self.mock.values_path().unwrap();
        let authority = self.folder.path().join("ca.pem");
        format!(
            "url = \"wss://{host}:{port}/\"\nproducts_url = \"https://{host}:{port}{list}\"\n\
             first_values_url = \"https://{host}:{port}{values}\"\nsymbols = [\"BTC-USD\", \"*-EUR\"]\n\
             demand = \"always\"\nretry_ms = 20\nretry_max_ms = 40\ntls_ca_file = {:?}\n",
            authority.display().to_string()
        )
    }
}
