//! Certificates: each way in which one cannot be believed is named, with whose it is and what to do.

use std::{fs, net::SocketAddr, sync::Arc};

use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tickcast::{cli::venue::Rules, dialect::Venue};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{Examined, SYMBOLS, define, run_here};

/// A certificate for a name, valid in these years.
struct Made {
    pem: String,
    acceptor: TlsAcceptor,
}

fn made(name: &str, (from, until): (i32, i32)) -> Made {
    let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, "Test Venue");
    parameters.not_before = date_time_ymd(from, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    Made { pem: certificate.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
}

/// TLS in front of an address.
async fn front(acceptor: TlsAcceptor, behind: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us goes away here.
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut venue = TcpStream::connect(behind).await.unwrap();
                let _ended = copy_bidirectional(&mut stream, &mut venue).await;
            });
        }
    });
    port
}

async fn examined(made: Made, is_trusted: bool) -> Examined {
    let examined = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), "").await;
    let port = front(made.acceptor, examined.mock.address()).await;
    fs::write(examined.folder.path().join("ca.pem"), made.pem).unwrap();
    let keys = if is_trusted { "tls_ca_file = \"ca.pem\"" } else { "" };
    let url = format!("wss://localhost:{port}/");
    define(examined.folder.path(), Venue::Kraken, &[&url], &SYMBOLS, keys);
    examined
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_certificate_is_told_with_protocol_names_and_end() {
    let examined = examined(made("localhost", (2024, 2090)), true).await;
    let report = examined.report(&[]).await;
    report.outcomes(&[("tls", "ok"), ("handshake", "ok"), ("data", "ok")]);
    let tls = report.step("tls")["what"].as_str().unwrap();
    assert!(
        tls.contains("TLSv1_3") && tls.contains("\"Test Venue\"") && tls.contains("to 2090-01-01"),
        "{tls}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_family_that_leads_nowhere_is_told_and_costs_the_other_nothing() {
    let made = made("venue.example", (2024, 2090));
    let examined = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), "").await;
    let port = front(made.acceptor, examined.mock.address()).await;
    fs::write(examined.folder.path().join("ca.pem"), made.pem).unwrap();
    // Nothing listens at the IPv6 address.
    let keys = "tls_ca_file = \"ca.pem\"\nresolve = { \"venue.example\" = [\"::1\", \"127.0.0.1\"] }";
    let url = format!("wss://venue.example:{port}/");
    define(examined.folder.path(), Venue::Kraken, &[&url], &SYMBOLS, keys);
    let report = examined.report(&[]).await;
    report.outcomes(&[("dns", "ok"), ("tcp", "warning"), ("tls", "ok"), ("handshake", "ok"), ("data", "ok")]);
    let tcp = report.step("tcp")["what"].as_str().unwrap();
    assert!(
        tcp.contains(&format!("[::1]:{port} fails")) && tcp.contains(&format!("127.0.0.1:{port} in")),
        "{tcp}"
    );
    let dns = &report.step("dns")["measured"]["hosts"][0];
    assert_eq!((dns["ipv4"].as_u64(), dns["ipv6"].as_u64()), (Some(1), Some(1)), "{dns}");
    assert_eq!(report.code, Some(0), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_certificate_that_is_not_believed_is_named_for_what_is_wrong() {
    for (made, is_trusted, what, remedy) in [
        (made("localhost", (2001, 2002)), true, "expired", "the machine's clock first"),
        (made("localhost", (2080, 2090)), true, "not valid", "the machine's clock first"),
        (made("elsewhere.example", (2024, 2090)), true, "not valid for name", "check the host in url"),
        (made("localhost", (2024, 2090)), false, "Test Venue", "tls_ca_file"),
    ] {
        let examined = examined(made, is_trusted).await;
        let report = examined.report_without_data().await;
        report.fails("tls", 13, what, remedy);
        report.outcomes(&[("dns", "ok"), ("tcp", "ok"), ("handshake", "skipped"), ("data", "skipped")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_speaks_no_tls_is_named() {
    let examined = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), "").await;
    let url = format!("wss://localhost:{}/", examined.mock.address().port());
    define(examined.folder.path(), Venue::Kraken, &[&url], &SYMBOLS, "connect_timeout_ms = 2000");
    let arguments = ["doctor", "--feed", "feed.toml", "--json"];
    run_here(examined.folder.path(), &arguments).await.fails("tls", 13, "", "scheme and port in url");
}
