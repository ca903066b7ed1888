//! One GET: of a product list, or of first quotes.

use std::{convert::Infallible, io::Read as _, time::Duration};

use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, Response, body::Incoming, header};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::tungstenite::Bytes;

use super::{
    UpstreamPlan,
    broken::status_name,
    hold,
    network::{self, AGENT, Address, ConnectError, Journey, Stage, Stream, within},
};
use crate::{
    dialect::{ParseError, ProductList, ProductListError},
    limits::{MAX_VENUE_WORDS, PRODUCT_LIST_BYTES},
};

/// Where the list is and when it is fetched.
#[derive(Debug)]
pub(super) struct ProductSource {
    /// `https://…`, or `http://…` on this machine.
    pub(super) url: Address,
    pub(super) refresh: Duration,
    pub(super) patience: Duration,
}

/// Why an attempt has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{0}")]
    Connect(String),
    #[error("{0}")]
    Late(ConnectError),
    #[error("{0}")]
    Proxy(ConnectError),
    #[error("{}{words}", status_name(*.status))]
    Status { status: u16, words: String, retry_after: Option<Duration> },
    #[error("it is longer than {0} bytes")]
    Oversize(usize),
    #[error("{0}")]
    Unreadable(#[from] ProductListError),
    #[error("{0}")]
    Strange(#[from] ParseError),
}

/// Outcomes of attempts, as metric labels.
pub(super) const OUTCOMES: [&str; 7] =
    ["ok", "connect", "proxy", "timeout", "status", "oversize", "unreadable"];

impl FetchError {
    /// As a metric label.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Late(_) => "timeout",
            Self::Proxy(_) => "proxy",
            Self::Status { .. } => "status",
            Self::Oversize(_) => "oversize",
            Self::Unreadable(_) | Self::Strange(_) => "unreadable",
        }
    }

    /// Whether the venue would rather not see another attempt soon. 418 is how Binance bans an address.
    pub(super) const fn wants_peace(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 401 | 403 | 418 | 429 | 451),
            Self::Proxy(ConnectError::Proxy(why)) => why.is_about_credentials,
            Self::Connect(_)
            | Self::Late(_)
            | Self::Proxy(_)
            | Self::Oversize(_)
            | Self::Unreadable(_)
            | Self::Strange(_) => false,
        }
    }
}

/// An answer's body, as it was sent.
struct Body {
    bytes: Vec<u8>,
    is_packed: bool,
}

/// Fetches and reads the list.
///
/// # Cancel safety
/// A request half made is dropped.
pub(super) async fn fetch(
    plan: &UpstreamPlan,
    product_source: &ProductSource,
) -> Result<ProductList, FetchError> {
    let body = ask(plan, &product_source.url, (PRODUCT_LIST_BYTES, product_source.patience)).await?;
    let venue = plan.venue;
    // A list of some megabytes would keep this thread's other feeds waiting.
    let read = tokio::task::spawn_blocking(move || Ok(venue.products(&plain(body, PRODUCT_LIST_BYTES)?)?));
    read.await.unwrap_or_else(|why| Err(FetchError::Connect(why.to_string())))
}

/// Fetches a short answer of at most `most` bytes, within that time.
///
/// # Cancel safety
/// As [`fetch`].
pub(super) async fn fetch_bytes(
    plan: &UpstreamPlan,
    address: &Address,
    (most, patience): (usize, Duration),
) -> Result<Vec<u8>, FetchError> {
    plain(ask(plan, address, (most, patience)).await?, most)
}

impl From<ConnectError> for FetchError {
    fn from(why: ConnectError) -> Self {
        match why {
            why if why.is_proxy() => Self::Proxy(why),
            ConnectError::Late { .. } => Self::Late(why),
            ConnectError::Resolve { .. }
            | ConnectError::Unreachable { .. }
            | ConnectError::Proxy(_)
            | ConnectError::Tls { .. } => Self::Connect(why.to_string()),
        }
    }
}

async fn ask(
    plan: &UpstreamPlan,
    address: &Address,
    (most, patience): (usize, Duration),
) -> Result<Body, FetchError> {
    let journey = Journey::default();
    match within(patience, Box::pin(get(plan, address, most, &journey))).await {
        Ok(body) => body,
        Err(_late) => Err(journey.late(patience).into()),
    }
}

async fn get(
    plan: &UpstreamPlan,
    address: &Address,
    most: usize,
    journey: &Journey,
) -> Result<Body, FetchError> {
    let stream = network::connect(&plan.network, address, journey).await?;
    let step = journey.begin(Stage::Talk, format!("GET from {}", address.host()), false);
    step.end(exchange(stream, plan, address, most).await)
}

async fn exchange(
    stream: Stream,
    plan: &UpstreamPlan,
    address: &Address,
    most: usize,
) -> Result<Body, FetchError> {
    let failed = |why: &dyn std::fmt::Display| FetchError::Connect(why.to_string());
    let request = request(plan, address).map_err(|why| failed(&why))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|why| failed(&why))?;
    // What goes wrong with the connection the answer tells; what has come of that may be read after its end.
    let driven = async {
        let _ended = connection.await;
        std::future::pending::<Infallible>().await
    };
    let exchanged = async {
        let answer = sender.send_request(request).await.map_err(|why| failed(&why))?;
        read_answer(answer, plan, most).await
    };
    tokio::select! {
        done = exchanged => done,
        never = driven => match never {},
    }
}

async fn read_answer(
    answer: Response<Incoming>,
    plan: &UpstreamPlan,
    most: usize,
) -> Result<Body, FetchError> {
    let status = answer.status();
    plan.dated.note(answer.headers(), plan.clock.now());
    if status.is_success() {
        return body(answer, most).await;
    }
    let retry_after = hold::asked_by(status.as_u16(), answer.headers(), plan.clock.now());
    // The venue's words, as far as they are some.
    let words = match body(answer, 4 * MAX_VENUE_WORDS).await {
        Ok(Body { bytes, is_packed: false }) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(_) | Err(_) => String::new(),
    };
    let words: String = words.chars().filter(|c| !c.is_control()).take(MAX_VENUE_WORDS).collect();
    let mut words = if words.is_empty() { words } else { format!(": {words}") };
    if let Some(meant) = hold::kept_out_by(status.as_u16(), plan.venue, plan.credentials.is_some()) {
        words.push_str("; ");
        words.push_str(&meant);
    }
    Err(FetchError::Status { status: status.as_u16(), words, retry_after })
}

fn request(plan: &UpstreamPlan, address: &Address) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let uri: hyper::Uri = address.url.parse()?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "gzip");
    if let (Some([key, secret]), Some(credentials)) = (plan.venue.credential_headers(), &plan.credentials) {
        request = request.header(key, credentials.key.reveal()).header(secret, credentials.secret.reveal());
    }
    request.body(Empty::new())
}

async fn body(answer: Response<Incoming>, most: usize) -> Result<Body, FetchError> {
    let is_packed = answer.headers().get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
    let mut coming = answer.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = coming.frame().await {
        let frame = frame.map_err(|why| FetchError::Connect(why.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > most {
            return Err(FetchError::Oversize(most));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Body { bytes, is_packed })
}

/// The answer's bytes, decompressed.
fn plain(body: Body, most: usize) -> Result<Vec<u8>, FetchError> {
    if !body.is_packed {
        return Ok(body.bytes);
    }
    let mut plain = Vec::new();
    let unpacked = MultiGzDecoder::new(body.bytes.as_slice()).take(most as u64 + 1).read_to_end(&mut plain);
    unpacked.map_err(|why| FetchError::Connect(format!("the answer cannot be decompressed: {why}")))?;
    if plain.len() > most {
        return Err(FetchError::Oversize(most));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn packed(plain: &[u8]) -> Body {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        Body { bytes: encoder.finish().unwrap(), is_packed: true }
    }

    #[test]
    fn a_small_answer_cannot_become_a_huge_one() {
        assert_eq!(plain(packed(b"[7]"), PRODUCT_LIST_BYTES).unwrap(), b"[7]");
        let body = packed(&vec![b' '; PRODUCT_LIST_BYTES + 1]);
        assert!(body.bytes.len() < PRODUCT_LIST_BYTES / 100);
        assert!(matches!(plain(body, PRODUCT_LIST_BYTES), Err(FetchError::Oversize(_))));
        let broken = Body { bytes: b"no gzip".to_vec(), is_packed: true };
        assert!(matches!(plain(broken, PRODUCT_LIST_BYTES), Err(FetchError::Connect(_))));
    }
}
