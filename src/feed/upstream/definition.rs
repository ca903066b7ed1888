//! What the configuration says of a venue's feed, and its check.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use tokio_tungstenite::tungstenite::http::Uri;

use super::{
    Plan, Upstream,
    names::Names,
    secret::Credentials,
    socket::{Address, Tls},
};
use crate::{
    dialect::Venue,
    feed::DefinitionError,
    limits::{
        FEED_BACKOFF, LINGER_MS_RANGE, ROTATE_MS_RANGE, UPSTREAM_MS_RANGE, UPSTREAM_OVERLAP, UPSTREAM_SYMBOLS,
    },
    market::{Source, Symbol},
};

/// The keys of a venue's feed besides `name` and `kind`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Our names, or the venue's by ours.
    symbols: SymbolNames,
    /// Where the venue is, instead of its usual place.
    url: Option<String>,
    /// Whether a symbol is subscribed always, or while somebody listens.
    #[serde(default)]
    demand: Wish,
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
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a list of symbols, or a table of the venue's names by ours")]
enum SymbolNames {
    List(Vec<Symbol>),
    Table(BTreeMap<Symbol, String>),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wish {
    /// While somebody listens.
    #[default]
    On,
    /// From the start.
    Always,
}

/// What is usual at a venue.
struct Usual {
    url: &'static str,
    silence: Duration,
    rotate_after: Option<Duration>,
    needs_credentials: bool,
}

const fn usual(venue: Venue) -> Usual {
    const DAY: Duration = Duration::from_secs(23 * 3_600);
    let (url, silence, rotate_after, needs_credentials) = match venue {
        // The venue pings every 20 s, and ends every connection after 24 hours.
        Venue::Binance => ("wss://stream.binance.com:9443/stream", 45, Some(DAY), false),
        // A heartbeat of every product comes each second.
        Venue::Coinbase => ("wss://ws-feed.exchange.coinbase.com", 10, None, false),
        // A heartbeat comes each second in which nothing else does.
        Venue::Kraken => ("wss://ws.kraken.com/v2", 10, None, false),
        // Nothing comes but data; our pings are answered.
        Venue::Alpaca => ("wss://stream.data.alpaca.markets/v2/iex", 30, None, true),
    };
    Usual { url, silence: Duration::from_secs(silence), rotate_after, needs_credentials }
}

/// How long a symbol stays subscribed after its last listener.
const LINGER: Duration = Duration::from_secs(30);

/// Connecting, TLS and the handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request, credentials included, must be answered within this time.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

impl Definition {
    /// Checks the definition. Relative paths are relative to `base`; `credentials` are the environment's. Without any,
    /// a feed that needs them can be built but not run. Blocks on the files.
    ///
    /// # Errors
    /// Names the key and what was expected.
    pub fn build(
        self,
        venue: Venue,
        base: &Path,
        credentials: Option<&Credentials>,
    ) -> Result<Upstream, DefinitionError> {
        let usual = usual(venue);
        let names = names(venue, self.symbols)?;
        let address = address(self.url.as_deref().unwrap_or(usual.url))?;
        let authorities = self.tls_ca_file.map(|path| base.join(path));
        let tls = Tls::new(authorities.as_deref()).map_err(|why| DefinitionError::new("tls_ca_file", why))?;
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
        Ok(Upstream::new(Plan {
            venue,
            address,
            tls,
            names,
            source: self.source,
            credentials: own.or_else(|| credentials.cloned()).filter(|_| usual.needs_credentials),
            needs_credentials: usual.needs_credentials,
            is_on_demand: self.demand == Wish::On,
            linger: millis("linger_ms", self.linger_ms, &LINGER_MS_RANGE, LINGER)?,
            rotate_after,
            overlap: within("overlap_ms", self.overlap_ms, UPSTREAM_OVERLAP)?,
            connect_timeout: within("connect_timeout_ms", self.connect_timeout_ms, CONNECT_TIMEOUT)?,
            answer_timeout: within("answer_timeout_ms", self.answer_timeout_ms, ANSWER_TIMEOUT)?,
            silence_timeout: within("silence_timeout_ms", self.silence_timeout_ms, usual.silence)?,
            retry: (retry, longest),
            tap: None,
        }))
    }
}

fn names(venue: Venue, symbols: SymbolNames) -> Result<Names, DefinitionError> {
    let symbols: Vec<(String, Symbol, Option<String>)> = match symbols {
        SymbolNames::List(list) => {
            let keyed = |(i, symbol)| (format!("symbols[{i}]"), symbol, None);
            list.into_iter().enumerate().map(keyed).collect()
        }
        SymbolNames::Table(table) => {
            let keyed = |(symbol, theirs)| (format!("symbols.{symbol}"), symbol, Some(theirs));
            table.into_iter().map(keyed).collect()
        }
    };
    if symbols.is_empty() {
        return Err(DefinitionError::new("symbols", "there is none"));
    }
    let most = venue.symbols_per_connection().unwrap_or(UPSTREAM_SYMBOLS);
    if symbols.len() > most {
        let why = format!("{} are more than the {most} of one connection", symbols.len());
        return Err(DefinitionError::new("symbols", why));
    }
    let mut names = Names::default();
    for (key, ours, theirs) in symbols {
        if theirs.as_deref().is_some_and(|theirs| Symbol::new(theirs).is_err()) {
            return Err(DefinitionError::new(
                key,
                "the venue's name has characters that symbols do not have",
            ));
        }
        if let Err(other) = names.add(venue, ours, theirs) {
            let why =
                format!("{ours} is the same instrument at the venue as {other}, which was named before");
            return Err(DefinitionError::new(key, why));
        }
    }
    Ok(names)
}

fn address(url: &str) -> Result<Address, DefinitionError> {
    let wrong = |why: &str| DefinitionError::new("url", format!("{url:?} {why}"));
    let uri: Uri = url.parse().map_err(|why| wrong(&format!("is no URL: {why}")))?;
    let port = match uri.scheme_str() {
        Some("wss") => 443,
        Some("ws") => 80,
        _ => return Err(wrong("must start with wss:// or ws://")),
    };
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("has no host"))?;
    if uri.scheme_str() == Some("ws") && !is_loopback(host) {
        return Err(wrong("is not encrypted; ws:// is for this machine only"));
    }
    Ok(Address { url: url.to_owned(), host: host.to_owned(), port: uri.port_u16().unwrap_or(port) })
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
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
mod tests {
    use super::*;

    fn build(venue: Venue, keys: &str) -> Result<Upstream, String> {
        let definition: Definition = toml::from_str(keys).map_err(|why| why.message().to_owned())?;
        definition.build(venue, Path::new("/nowhere"), None).map_err(|why| why.to_string())
    }

    #[test]
    fn what_is_usual_needs_symbols_only() {
        for venue in Venue::ALL {
            let feed = build(venue, "symbols = [\"BTC-USD\", \"ETH-USD\"]").unwrap();
            assert_eq!((feed.symbols(), feed.venue()), (2, venue));
            assert!(feed.plan.is_on_demand && feed.plan.address.url.starts_with("wss://"));
        }
        let feed = build(Venue::Kraken, "symbols = { BTC-USD = \"XBT/USD\" }").unwrap();
        assert_eq!(feed.plan.names.theirs(Symbol::new("BTC-USD").unwrap()), Some("XBT/USD"));
        assert!(
            build(Venue::Binance, "symbols = [\"A\"]\nrotate_after_ms = 0")
                .unwrap()
                .plan
                .rotate_after
                .is_none()
        );
    }

    #[test]
    fn mistakes_are_named_with_their_key() {
        for (venue, keys, start) in [
            (Venue::Binance, "symbols = []", "symbols: there is none"),
            (Venue::Binance, "symbols = [\"BTC-USDT\", \"BTCUSDT\"]", "symbols[1]: BTCUSDT is the same"),
            (Venue::Kraken, "symbols = { A = \"x y\" }", "symbols.A: the venue's name"),
            (Venue::Kraken, "symbols = 3", "a list of symbols"),
            (Venue::Kraken, "symbols = [\"A\"]\nurl = \"https://x\"", "url: \"https://x\" must start"),
            (
                Venue::Kraken,
                "symbols = [\"A\"]\nurl = \"ws://example.com\"",
                "url: \"ws://example.com\" is not encrypted",
            ),
            (Venue::Kraken, "symbols = [\"A\"]\ndemand = \"off\"", "unknown variant `off`"),
            (
                Venue::Kraken,
                "symbols = [\"A\"]\nlinger_ms = 90000000",
                "linger_ms: 90000000 is not within 0 to",
            ),
            (Venue::Kraken, "symbols = [\"A\"]\nretry_ms = 60000", "retry_max_ms"),
            (Venue::Kraken, "symbols = [\"A\"]\nrotate_after_ms = 5", "rotate_after_ms: 5 is not within"),
            (Venue::Kraken, "symbols = [\"A\"]\nsilence = 5", "unknown field `silence`"),
            (
                Venue::Kraken,
                "symbols = [\"A\"]\ncredentials_file = \"x\"",
                "credentials_file: the venue asks",
            ),
            (Venue::Alpaca, "symbols = [\"A\"]\ncredentials_file = \"x\"", "credentials_file: /nowhere/x"),
            (Venue::Alpaca, "symbols = [\"A\"]\ntls_ca_file = \"x\"", "tls_ca_file: /nowhere/x"),
        ] {
            match build(venue, keys) {
                // A long first pause alone raises the longest one with it.
                Ok(feed) => {
                    assert_eq!((feed.plan.retry.0, start), (feed.plan.retry.1, "retry_max_ms"), "{keys}")
                }
                Err(why) => assert!(why.starts_with(start), "{why}\n{start}"),
            }
        }
        let many: Vec<_> = (0..513).map(|i| format!("\"S{i}\"")).collect();
        let why = build(Venue::Binance, &format!("symbols = [{}]", many.join(","))).unwrap_err();
        assert_eq!(why, "symbols: 513 are more than the 512 of one connection");
        let why = build(Venue::Kraken, "symbols = [\"A\"]\nretry_ms = 50\nretry_max_ms = 20").unwrap_err();
        assert_eq!(why, "retry_max_ms: is shorter than retry_ms");
    }
}
