//! What the configuration says of a venue's feed, and its check.

mod way;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::RwLock;
use serde::Deserialize;
use tokio_tungstenite::tungstenite::http::Uri;

use super::{
    Upstream, UpstreamPlan,
    dated::Dated,
    fetch::ProductSource,
    hold::Hold,
    network::{Address, Environment, Trust, is_loopback},
    secret::Credentials,
    socket::Addresses,
    symbols::Symbols,
};
use crate::{
    clock::Clock,
    dialect::Venue,
    feed::DefinitionError,
    limits::{
        FEED_BACKOFF, LINGER_MS_RANGE, PRODUCTS_REFRESH, PRODUCTS_REFRESH_MS_RANGE, PRODUCTS_TIMEOUT,
        ROTATE_MS_RANGE, UPSTREAM_MS_RANGE, UPSTREAM_OVERLAP, UPSTREAM_SYMBOLS, UPSTREAM_URLS,
    },
    market::{Source, Symbol},
};

/// The keys of a venue's feed besides `name` and `kind`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Our names and patterns of them, or the venue's names by ours.
    symbols: Symbols,
    /// The venue's names by ours, of symbols that are listed or found.
    #[serde(default)]
    names: BTreeMap<Symbol, String>,
    /// Where the venue's product list is, instead of its usual place.
    products_url: Option<String>,
    products_refresh_ms: Option<u64>,
    products_timeout_ms: Option<u64>,
    /// Whether the first quotes of quiet symbols are asked for, where the stream brings none.
    first_values: Option<FirstValuesMode>,
    /// Where they are asked for, instead of the usual place.
    first_values_url: Option<String>,
    /// How many symbols one connection carries, where that is less than the venue's own number.
    symbols_per_connection: Option<usize>,
    /// Where the venue is, instead of its usual place; of several the next one is tried when one cannot be reached.
    url: Option<Urls>,
    /// Which of the venue's streams, by name, instead of an address.
    stream: Option<String>,
    /// Whether a symbol is subscribed always, or while somebody listens.
    #[serde(default)]
    demand: DemandMode,
    linger_ms: Option<u64>,
    rotate_after_ms: Option<u64>,
    overlap_ms: Option<u64>,
    connect_timeout_ms: Option<u64>,
    answer_timeout_ms: Option<u64>,
    silence_timeout_ms: Option<u64>,
    retry_ms: Option<u64>,
    retry_max_ms: Option<u64>,
    /// The source of all ticks, instead of the venue's name or exchange code.
    source: Option<Source>,
    /// A file with the credentials, instead of the environment.
    credentials_file: Option<PathBuf>,
    /// A PEM file with the certificate authorities to trust, instead of the usual ones.
    tls_ca_file: Option<PathBuf>,
    /// Whether the usual ones are trusted beside them.
    tls_ca_mode: Option<Trust>,
    /// The proxy to go by, or `none`; instead of what the environment says.
    proxy: Option<String>,
    /// A file with `user:password` for the proxy.
    proxy_credentials_file: Option<PathBuf>,
    /// Addresses of hosts, instead of what the system says.
    #[serde(default)]
    resolve: BTreeMap<String, Vec<IpAddr>>,
}

/// What a definition does not say itself.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The environment's credentials, for venues that ask for some.
    pub credentials: Option<Credentials>,
    /// The environment's proxies, for feeds that name none.
    pub proxies: Environment,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a URL, or a list of URLs")]
enum Urls {
    One(String),
    Several(Vec<String>),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum DemandMode {
    /// While somebody listens.
    #[default]
    On,
    /// From the start.
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FirstValuesMode {
    On,
    Off,
}

/// What is usual at a venue.
struct Usual {
    urls: &'static [&'static str],
    silence: Duration,
    rotate_after: Option<Duration>,
    needs_credentials: bool,
}

const fn usual(venue: Venue) -> Usual {
    const DAY: Duration = Duration::from_secs(23 * 3_600);
    let (urls, silence, rotate_after, needs_credentials): (&[&str], _, _, _) = match venue {
        // The venue pings every 20 s, and ends every connection after 24 hours.
        // Both ports are documented; many networks let only the second through.
        Venue::Binance => (
            &["wss://stream.binance.com:9443/stream", "wss://stream.binance.com:443/stream"],
            45,
            Some(DAY),
            false,
        ),
        // A heartbeat of every product comes each second.
        Venue::Coinbase => (&["wss://ws-feed.exchange.coinbase.com"], 10, None, false),
        // A heartbeat comes each second in which nothing else does.
        Venue::Kraken => (&["wss://ws.kraken.com/v2"], 10, None, false),
        // Nothing comes but data; our pings are answered.
        Venue::Alpaca => (&["wss://stream.data.alpaca.markets/v2/iex"], 30, None, true),
    };
    Usual { urls, silence: Duration::from_secs(silence), rotate_after, needs_credentials }
}

/// How long a symbol stays subscribed after its last listener.
const LINGER: Duration = Duration::from_secs(30);

/// Connecting, TLS and the handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request, credentials included, must be answered within this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

impl Definition {
    /// Checks the definition. Relative paths are relative to `base`. Without any credentials, a feed that needs them can be built
    /// but not run. Blocks on the files.
    ///
    /// # Errors
    /// Names the key and what was expected.
    pub fn build(
        self,
        venue: Venue,
        base: &Path,
        surroundings: &Surroundings,
    ) -> Result<Upstream, DefinitionError> {
        let usual = usual(venue);
        let named = self.named_stream(venue)?;
        let streams = urls(self.url.as_ref(), named.as_ref().map_or(usual.urls, std::slice::from_ref))?;
        let stream = streams[0];
        let addresses = streams.iter().map(|url| address("url", url, Scheme::WebSocket));
        let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
        let is_own_host = addresses.iter().all(|one| host(usual.urls[0]) == Some(&one.host));
        let chosen = self.symbols.clone().check(venue, self.names.clone())?;
        let finds = chosen.catalogue.is_some();
        let product_source = self.list(finds, venue.products_url(stream), is_own_host)?;
        let first_values = self.first_values(venue, stream, is_own_host)?;
        let always = self.demand == DemandMode::Always;
        let most = places(venue, self.symbols_per_connection)?;
        if always && chosen.names.len() > most {
            let why = format!("{} are more than the {most} of one connection", chosen.names.len());
            return Err(DefinitionError::new("symbols", why));
        }
        let list_address = product_source.as_ref().map(|product_source| &product_source.url);
        let network =
            self.network(base, surroundings, addresses.iter().chain(list_address).chain(&first_values))?;
        let own = match &self.credentials_file {
            Some(_) if !usual.needs_credentials => {
                return Err(DefinitionError::new("credentials_file", "the venue asks for no credentials"));
            }
            Some(path) => Some(
                Credentials::read(&base.join(path))
                    .map_err(|why| DefinitionError::new("credentials_file", why))?,
            ),
            None => None,
        };
        let within = |key, value, default| millis(key, value, &UPSTREAM_MS_RANGE, default);
        let rotate = |value| millis("rotate_after_ms", Some(value), &ROTATE_MS_RANGE, Duration::ZERO);
        let retry = within("retry_ms", self.retry_ms, FEED_BACKOFF.0)?;
        let longest = within("retry_max_ms", self.retry_max_ms, FEED_BACKOFF.1.max(retry))?;
        if longest < retry {
            return Err(DefinitionError::new("retry_max_ms", "is shorter than retry_ms"));
        }
        let rotate_after = match self.rotate_after_ms {
            Some(0) => None,
            Some(value) => Some(rotate(value)?),
            None => usual.rotate_after,
        };
        let plan = UpstreamPlan {
            venue,
            addresses: Addresses::new(addresses),
            hold: Hold::default(),
            dated: Dated::default(),
            clock: Clock::system(),
            network,
            names: RwLock::new(Arc::new(chosen.names)),
            product_source: product_source.map(Arc::new),
            first_values,
            places: most,
            source: self.source,
            credentials: own.or_else(|| surroundings.credentials.clone()).filter(|_| usual.needs_credentials),
            needs_credentials: usual.needs_credentials,
            is_on_demand: !always,
            linger: millis("linger_ms", self.linger_ms, &LINGER_MS_RANGE, LINGER)?,
            rotate_after,
            overlap: within("overlap_ms", self.overlap_ms, UPSTREAM_OVERLAP)?,
            connect_timeout: within("connect_timeout_ms", self.connect_timeout_ms, CONNECT_TIMEOUT)?,
            answer_timeout: within("answer_timeout_ms", self.answer_timeout_ms, ANSWER_TIMEOUT)?,
            silence_timeout: within("silence_timeout_ms", self.silence_timeout_ms, usual.silence)?,
            retry: (retry, longest),
            tap: None,
        };
        Ok(Upstream::new(plan, chosen.catalogue))
    }
}

impl Definition {
    /// Where the product list is, for patterns: `usual`, unless the stream is another host's.
    fn list(
        &self,
        finds: bool,
        usual: &str,
        is_own_host: bool,
    ) -> Result<Option<ProductSource>, DefinitionError> {
        let wrong = |why: &str| Err(DefinitionError::new("products_url", why));
        match (&self.products_url, self.products_refresh_ms, self.products_timeout_ms) {
            (None, None, None) if !finds => Ok(None),
            _ if !finds => {
                wrong("is of no use: there is no pattern in symbols, so no product list is asked for")
            }
            (None, ..) if !is_own_host => {
                wrong("must be given: the url is not the venue's, and there are patterns")
            }
            (url, refresh, patience) => {
                product_source(url.as_deref().unwrap_or(usual), refresh, patience).map(Some)
            }
        }
    }
}

impl Definition {
    /// The address of the stream that is named, if one is.
    fn named_stream(&self, venue: Venue) -> Result<Option<&'static str>, DefinitionError> {
        let wrong = |why: String| Err(DefinitionError::new("stream", why));
        match &self.stream {
            None => Ok(None),
            Some(_) if self.url.is_some() => wrong("is of no use: there is a url".into()),
            Some(name) => match venue.stream_url(name) {
                Some(url) => Ok(Some(url)),
                None if venue.streams().next().is_none() => {
                    wrong(format!("{} has one stream only", venue.as_str()))
                }
                None => {
                    let known: Vec<_> = venue.streams().collect();
                    wrong(format!("{name:?} is none of {}", known.join(", ")))
                }
            },
        }
    }

    /// Where first quotes are asked for: the usual place, unless the stream is another host's.
    fn first_values(
        &self,
        venue: Venue,
        stream: &str,
        is_own_host: bool,
    ) -> Result<Option<Address>, DefinitionError> {
        use FirstValuesMode::{Off, On};
        let wrong = |key: &str, why: &str| Err(DefinitionError::new(key, why));
        let at = |url: &str| address("first_values_url", url, Scheme::Http).map(Some);
        let itself = "is of no use: the venue's stream begins with a quote of each symbol";
        match (self.first_values, &self.first_values_url) {
            (Some(Off), Some(_)) => wrong("first_values_url", "is of no use: first_values is off"),
            (Some(Off), None) => Ok(None),
            (_, Some(_)) if !venue.has_first_values() => wrong("first_values_url", itself),
            (Some(On), None) if !venue.has_first_values() => wrong("first_values", itself),
            (_, Some(url)) => at(url),
            (Some(On), None) if !is_own_host => {
                wrong("first_values_url", "must be given: the url is not the venue's")
            }
            (None, None) if !is_own_host => Ok(None),
            (mode, None) => match venue.first_values_url(stream) {
                Some(url) => at(&url),
                None if mode == Some(On) => wrong("first_values", "the venue has none of this stream"),
                None => Ok(None),
            },
        }
    }
}

/// Where the product list usually is, for a feed that goes without: nothing, when the stream is another host's.
pub(super) fn usual_list(plan: &UpstreamPlan) -> Option<ProductSource> {
    let streams = plan.addresses.all();
    let own = host(usual(plan.venue).urls[0]);
    let is_own_host = streams.iter().all(|one| own == Some(&one.host));
    let url = plan.venue.products_url(&streams.first()?.url);
    product_source(url, None, None).ok().filter(|_| is_own_host)
}

/// Where the venue is: at least one address.
fn urls<'u>(own: Option<&'u Urls>, usual: &'u [&'u str]) -> Result<Vec<&'u str>, DefinitionError> {
    let wrong = |why: String| Err(DefinitionError::new("url", why));
    match own {
        None => Ok(usual.to_vec()),
        Some(Urls::One(url)) => Ok(vec![url]),
        Some(Urls::Several(urls)) if urls.is_empty() => wrong("there is none".into()),
        Some(Urls::Several(urls)) if urls.len() > UPSTREAM_URLS => {
            wrong(format!("{} are more than {UPSTREAM_URLS}", urls.len()))
        }
        Some(Urls::Several(urls)) => Ok(urls.iter().map(String::as_str).collect()),
    }
}

/// How many symbols one connection carries.
fn places(venue: Venue, own: Option<usize>) -> Result<usize, DefinitionError> {
    let most = venue.symbols_per_connection().unwrap_or(UPSTREAM_SYMBOLS);
    match own {
        None => Ok(most),
        Some(own) if (1..=most).contains(&own) => Ok(own),
        Some(own) => {
            let why = format!("{own} is not within 1 to {most}");
            Err(DefinitionError::new("symbols_per_connection", why))
        }
    }
}

fn product_source(
    url: &str,
    refresh: Option<u64>,
    patience: Option<u64>,
) -> Result<ProductSource, DefinitionError> {
    let url = address("products_url", url, Scheme::Http)?;
    Ok(ProductSource {
        url,
        refresh: millis("products_refresh_ms", refresh, &PRODUCTS_REFRESH_MS_RANGE, PRODUCTS_REFRESH)?,
        patience: millis("products_timeout_ms", patience, &UPSTREAM_MS_RANGE, PRODUCTS_TIMEOUT)?,
    })
}

fn host(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split([':', '/']).next()
}

/// What is spoken at an address.
#[derive(Debug, Clone, Copy)]
enum Scheme {
    WebSocket,
    Http,
}

impl Scheme {
    /// With encryption and without.
    const fn names(self) -> [&'static str; 2] {
        match self {
            Self::WebSocket => ["wss", "ws"],
            Self::Http => ["https", "http"],
        }
    }
}

fn address(key: &str, url: &str, scheme: Scheme) -> Result<Address, DefinitionError> {
    let wrong = |why: &str| DefinitionError::new(key, format!("{url:?} {why}"));
    let uri: Uri = url.parse().map_err(|why| wrong(&format!("is no URL: {why}")))?;
    let [encrypted, plain] = scheme.names();
    let port = match uri.scheme_str() {
        Some(found) if found == encrypted => 443,
        Some(found) if found == plain => 80,
        _ => return Err(wrong(&format!("must start with {encrypted}:// or {plain}://"))),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("has no host"))?;
    if port == 80 && !is_loopback(host) {
        return Err(wrong(&format!("is not encrypted; {plain}:// is for this machine only")));
    }
    Ok(Address {
        url: url.to_owned(),
        host: host.to_owned(),
        port: uri.port_u16().unwrap_or(port),
        is_tls: port == 443,
    })
}

fn millis(
    key: &str,
    value: Option<u64>,
    range: &std::ops::RangeInclusive<u64>,
    default: Duration,
) -> Result<Duration, DefinitionError> {
    match value {
        None => Ok(default),
        Some(value) if range.contains(&value) => Ok(Duration::from_millis(value)),
        Some(value) => {
            let why = format!("{value} is not within {} to {}", range.start(), range.end());
            Err(DefinitionError::new(key, why))
        }
    }
}

#[cfg(test)]
mod tests;
