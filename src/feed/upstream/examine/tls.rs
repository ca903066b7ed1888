//! Encryption with the venue, and what its server's certificate says, whether it is believed or not.

use std::sync::Arc;

use parking_lot::Mutex;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::MaybeTlsStream;

use super::{
    super::{
        UpstreamPlan,
        network::{Address, ConnectError, Journey, connect, within},
    },
    certificate::Certificate,
    finding::{Finding, Step},
    remedy,
    words::shown,
};
use crate::limits::DOCTOR_CERTIFICATE_ENDS;

/// Encrypts a connection as the feed does.
///
/// # Errors
/// The finding of the failure.
pub(super) async fn encrypt(plan: &UpstreamPlan, address: &Address) -> Result<Finding, Finding> {
    if !address.is_tls {
        let why = "the url is not encrypted, which is for this machine only";
        return Ok(Finding::skipped(Step::Tls, why));
    }
    let journey = Journey::default();
    let connected = match within(plan.connect_timeout, connect(&plan.network, address, &journey)).await {
        Ok(connected) => connected,
        Err(_late) => Err(journey.late(plan.connect_timeout)),
    };
    match connected {
        Ok(MaybeTlsStream::Rustls(stream)) => {
            let (_, session) = stream.get_ref();
            let version =
                session.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
            let own = session.peer_certificates().and_then(|chain| chain.first());
            Ok(believed(plan, address, &version, own.and_then(|own| Certificate::read(own))))
        }
        Ok(_plain) => Ok(believed(plan, address, "", None)),
        Err(why) => Err(refused(plan, address, &why).await),
    }
}

fn believed(plan: &UpstreamPlan, address: &Address, version: &str, own: Option<Certificate>) -> Finding {
    let what = format!("{}: {version}", shown(address));
    let Some(own) = own else { return Finding::ok(Step::Tls, what).with("protocol", version) };
    let left = own.until.0.saturating_sub(plan.clock.now().0);
    let ends_soon = u64::try_from(left).unwrap_or(0) < micros(DOCTOR_CERTIFICATE_ENDS);
    let what = format!("{what}, {own}");
    let finding = if ends_soon {
        Finding::warning(Step::Tls, what, remedy::CERTIFICATE_ENDS)
    } else {
        Finding::ok(Step::Tls, what)
    };
    finding
        .with("protocol", version)
        .with("subject", own.subject)
        .with("issuer", own.issuer)
        .with("days_left", left / 86_400_000_000)
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

async fn refused(plan: &UpstreamPlan, address: &Address, why: &ConnectError) -> Finding {
    let ConnectError::Tls { why: words, .. } = why else {
        let remedy = if why.is_proxy() { remedy::PROXY } else { remedy::REACH };
        return Finding::failed(Step::Tls, format!("{}: {why}", shown(address)), remedy);
    };
    // The library's words; the tests know them.
    let has = |word: &str| words.contains(word);
    let remedy = if has("expired") || has("not valid before") || has("NotValidYet") {
        remedy::OUT_OF_TIME
    } else if has("UnknownIssuer") || has("CaUsedAsEndEntity") {
        remedy::UNKNOWN_ISSUER
    } else if has("not valid for name") {
        remedy::WRONG_NAME
    } else {
        remedy::NO_TLS
    };
    let seen = match look(plan, address).await {
        Some(certificate) => format!("; {certificate}"),
        None => String::new(),
    };
    Finding::failed(Step::Tls, format!("{}: {words}{seen}", shown(address)), remedy)
}

/// The certificate that a server shows, without believing it: the connection ends as soon as it is there.
async fn look(plan: &UpstreamPlan, address: &Address) -> Option<Certificate> {
    let bare = Address { is_tls: false, ..address.clone() };
    let seen = Arc::new(Seen::default());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Onlooker { seen: Arc::clone(&seen), schemes }))
        .with_no_client_auth();
    let name = ServerName::try_from(address.host().to_owned()).ok()?;
    let looked = async {
        let stream = connect(&plan.network, &bare, &Journey::default()).await.ok()?;
        // It always fails: the onlooker believes nothing.
        let _refused = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        Some(())
    };
    within(plan.connect_timeout, looked).await.ok()??;
    let certificate = seen.0.lock().take();
    certificate.and_then(|der| Certificate::read(&der))
}

/// The newest certificate that was shown.
#[derive(Debug, Default)]
struct Seen(Mutex<Option<CertificateDer<'static>>>);

/// Keeps a certificate and refuses it.
#[derive(Debug)]
struct Onlooker {
    seen: Arc<Seen>,
    schemes: Vec<SignatureScheme>,
}

fn nothing_is_believed<T>() -> Result<T, rustls::Error> {
    Err(rustls::Error::General("it was only looked at".into()))
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.0.lock() = Some(own.clone().into_owned());
        nothing_is_believed()
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _own: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        nothing_is_believed()
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _own: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        nothing_is_believed()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
