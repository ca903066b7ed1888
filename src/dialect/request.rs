//! What a client says to a venue: trades and quotes of these symbols, please, or no more of them.
//!
//! Symbols are the venue's, as its messages write them ([`Venue::symbol`]). Numbers are given to frames one after the
//! other from `id` on, where the venue repeats them in its answer; the next free one is `id` plus the frames.
//!
//! Refuses to hold back: how many frames a second a venue takes ([`Venue::requests_per_second`]) is for whoever sends
//! them to keep to.

use serde::Serialize;

use super::Venue;
use crate::{
    limits::{
        ALPACA_REQUESTS_PER_SECOND, BINANCE_REQUESTS_PER_SECOND, BINANCE_STREAMS,
        COINBASE_REQUESTS_PER_SECOND, KRAKEN_REQUESTS_PER_SECOND, MAX_VENUE_SYMBOL_BYTES,
        VENUE_REQUEST_SYMBOLS,
    },
    market::{Symbol, SymbolError},
};

/// Streams that one symbol takes at Binance: `trade` and `bookTicker`.
const BINANCE_CHANNELS: usize = 2;

#[derive(Debug, Clone, Copy)]
enum Verb {
    Subscribe,
    Unsubscribe,
}

impl Verb {
    const fn lower(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

#[derive(Serialize)]
struct Binance {
    method: &'static str,
    params: Vec<String>,
    id: u64,
}

#[derive(Serialize)]
struct Coinbase<'a> {
    r#type: &'static str,
    product_ids: &'a [&'a str],
    channels: [&'static str; 3],
}

#[derive(Serialize)]
struct Kraken<'a> {
    method: &'static str,
    params: KrakenParams<'a>,
    req_id: u64,
}

#[derive(Serialize)]
struct KrakenParams<'a> {
    channel: &'static str,
    symbol: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    event_trigger: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<bool>,
}

#[derive(Serialize)]
struct Alpaca<'a> {
    action: &'static str,
    trades: &'a [&'a str],
    quotes: &'a [&'a str],
    /// Stocks only: the crypto stream has no such channel, and refuses the whole request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<&'a str>,
}

#[derive(Serialize)]
struct AlpacaAuth<'a> {
    action: &'static str,
    key: &'a str,
    secret: &'a str,
}

impl Venue {
    /// The frames that subscribe to trades and quotes of these symbols (and to the venue's heartbeat, where it must be
    /// asked for).
    #[must_use]
    pub fn subscribe(self, symbols: &[&str], id: u64) -> Vec<String> {
        self.request(Verb::Subscribe, symbols, id)
    }

    /// The frames that end what [`Venue::subscribe`] began.
    #[must_use]
    pub fn unsubscribe(self, symbols: &[&str], id: u64) -> Vec<String> {
        self.request(Verb::Unsubscribe, symbols, id)
    }

    fn request(self, verb: Verb, symbols: &[&str], id: u64) -> Vec<String> {
        let mut frames = Vec::new();
        for symbols in symbols.chunks(VENUE_REQUEST_SYMBOLS) {
            let next = id + frames.len() as u64;
            match self {
                Self::Binance => frames.push(binance(verb, symbols, next)),
                Self::Coinbase => frames.push(coinbase(verb, symbols)),
                Self::Kraken => {
                    frames.push(kraken(verb, "trade", symbols, next));
                    frames.push(kraken(verb, "ticker", symbols, next + 1));
                }
                Self::Alpaca => frames.push(alpaca(verb, symbols)),
            }
        }
        frames
    }

    /// The first frame on a new connection, after [`super::Ack::Connected`], at a venue that wants credentials.
    #[must_use]
    pub fn authenticate(self, key: &str, secret: &str) -> Option<String> {
        match self {
            Self::Alpaca => Some(text(&AlpacaAuth { action: "auth", key, secret })),
            Self::Binance | Self::Coinbase | Self::Kraken => None,
        }
    }

    /// A request that the venue answers with [`super::Message::Heartbeat`], at a venue that has one beside the ping
    /// frames of WebSocket.
    #[must_use]
    pub fn ping(self, id: u64) -> Option<String> {
        match self {
            Self::Kraken => Some(format!(r#"{{"method":"ping","req_id":{id}}}"#)),
            Self::Binance | Self::Coinbase | Self::Alpaca => None,
        }
    }

    /// Most symbols of one connection, where the venue has a fixed number.
    #[must_use]
    pub const fn symbols_per_connection(self) -> Option<usize> {
        match self {
            Self::Binance => Some(BINANCE_STREAMS / BINANCE_CHANNELS),
            Self::Coinbase | Self::Kraken | Self::Alpaca => None,
        }
    }

    /// Most frames a second that a client may send on one connection.
    #[must_use]
    pub const fn requests_per_second(self) -> u32 {
        match self {
            Self::Binance => BINANCE_REQUESTS_PER_SECOND,
            Self::Coinbase => COINBASE_REQUESTS_PER_SECOND,
            Self::Kraken => KRAKEN_REQUESTS_PER_SECOND,
            Self::Alpaca => ALPACA_REQUESTS_PER_SECOND,
        }
    }

    /// The venue's name of a symbol of ours, as its messages write it: `BTC-USDT` is `BTCUSDT` at Binance, `BTC-USD` is
    /// `BTC/USD` at Kraken and Alpaca. Nothing else is changed, so a name that already is the venue's stays.
    ///
    /// A rule only: names that follow none (`XBT`, dated futures, shares with a dash) need an explicit map.
    #[must_use]
    pub fn symbol(self, ours: &str) -> String {
        match self {
            Self::Binance => ours.replace('-', ""),
            Self::Coinbase => ours.to_owned(),
            Self::Kraken | Self::Alpaca => ours.replacen('-', "/", 1),
        }
    }

    /// Whether a text can be a venue's name of a symbol: any characters, at most [`MAX_VENUE_SYMBOL_BYTES`].
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn check_symbol(theirs: &str) -> Result<(), SymbolError> {
        match theirs.len() {
            0 => Err(SymbolError::Empty),
            len if len > MAX_VENUE_SYMBOL_BYTES => {
                Err(SymbolError::TooLong { len, max: MAX_VENUE_SYMBOL_BYTES })
            }
            _ => Ok(()),
        }
    }

    /// Our name of a venue's symbol, where the venue's name tells it: `BTC/USD` and Kraken's older `XBT/USD` are
    /// `BTC-USD`. At Binance none does (`BTCTUSD` could be cut twice): make a map from [`Venue::symbol`] of the
    /// symbols that are asked for.
    ///
    /// # Errors
    /// When the name does not fit ours.
    pub fn our_symbol(self, theirs: &str) -> Option<Result<Symbol, SymbolError>> {
        match self {
            Self::Binance => None,
            Self::Coinbase => Some(Symbol::new(theirs)),
            Self::Alpaca => Some(Symbol::new(&theirs.replacen('/', "-", 1))),
            Self::Kraken => Some(Symbol::new(&kraken_pair(theirs).replacen('/', "-", 1))),
        }
    }
}

/// The name that Kraken's WebSocket v2 has for a pair of its older interfaces: `XBT/USD` is `BTC/USD` there.
pub(super) fn kraken_pair(theirs: &str) -> String {
    match theirs.split_once('/') {
        Some((base, quote)) => format!("{}/{}", kraken_asset(base), kraken_asset(quote)),
        None => theirs.to_owned(),
    }
}

/// The usual name of an asset that Kraken's first interface calls otherwise.
const fn kraken_asset(theirs: &str) -> &str {
    match theirs.as_bytes() {
        b"XBT" => "BTC",
        b"XDG" => "DOGE",
        _usual => theirs,
    }
}

fn binance(verb: Verb, symbols: &[&str], id: u64) -> String {
    let mut params = Vec::with_capacity(symbols.len() * BINANCE_CHANNELS);
    for symbol in symbols {
        let name = symbol.to_ascii_lowercase();
        params.push(format!("{name}@trade"));
        params.push(format!("{name}@bookTicker"));
    }
    let method = match verb {
        Verb::Subscribe => "SUBSCRIBE",
        Verb::Unsubscribe => "UNSUBSCRIBE",
    };
    text(&Binance { method, params, id })
}

fn coinbase(verb: Verb, symbols: &[&str]) -> String {
    let channels = ["matches", "ticker", "heartbeat"];
    text(&Coinbase { r#type: verb.lower(), product_ids: symbols, channels })
}

fn kraken(verb: Verb, channel: &'static str, symbols: &[&str], req_id: u64) -> String {
    let asks = matches!(verb, Verb::Subscribe);
    let quotes = channel == "ticker";
    // A quote is wanted with each change of the best prices, and at once; old trades are not.
    let event_trigger = quotes.then_some("bbo");
    let snapshot = asks.then_some(quotes);
    let params = KrakenParams { channel, symbol: symbols, event_trigger, snapshot };
    text(&Kraken { method: verb.lower(), params, req_id })
}

fn alpaca(verb: Verb, symbols: &[&str]) -> String {
    let statuses = symbols.iter().copied().filter(|symbol| !symbol.contains('/')).collect();
    text(&Alpaca { action: verb.lower(), trades: symbols, quotes: symbols, statuses })
}

fn text(request: &impl Serialize) -> String {
    serde_json::to_string(request).expect("texts, numbers and lists can always be written")
}

#[cfg(test)]
mod tests;
