//! What a client says to a venue: trades and quotes of these symbols, please, or no more of them.
//!
//! Symbols are the venue's, as its messages write them ([`Venue::symbol`]). Numbers are given to frames one after the
//! other from `id` on, where the venue repeats them in its answer; the next free one is `id` plus the frames.
//!
//! Refuses to hold back: how many frames a second a venue takes ([`Venue::frame_limit`]) is for the sender
//! them to keep to.

use std::time::Duration;

use serde::Serialize;

use super::Venue;
use crate::{
    limits::{
        ALPACA_FRAMES_PER_SECOND, BINANCE_FRAMES_PER_SECOND, BINANCE_REQUEST_BYTES, BINANCE_REQUEST_SPACING,
        BINANCE_STREAMS, COINBASE_FRAMES_PER_SECOND, KRAKEN_FRAMES_PER_SECOND, MAX_VENUE_SYMBOL_BYTES,
        VENUE_REQUEST_SYMBOLS,
    },
    market::{Symbol, SymbolError},
};

/// Streams that one symbol takes at Binance: `trade` and `bookTicker`.
const BINANCE_CHANNELS: usize = 2;

/// Bytes of a request to Binance besides its streams (`{"method":"UNSUBSCRIBE","params":[],"id":…}`), and those of a
/// symbol's two streams besides the symbol (`"@trade","@bookTicker",`).
const BINANCE_REQUEST_OVERHEAD: usize = 64;
const BINANCE_CHANNEL_BYTES: usize = 23;

/// How many frames a venue takes of one client, pings and pongs included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimit {
    /// At most this many frames in any `window`.
    pub frames: usize,
    /// The length of the window.
    pub window: Duration,
    /// Shortest time between two requests.
    pub spacing: Duration,
}

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
}

#[derive(Serialize)]
struct AlpacaStates<'a> {
    action: &'static str,
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

    /// How many of these symbols one request carries, from the first on: at least one.
    #[must_use]
    pub fn batch(self, symbols: &[&str]) -> usize {
        let most = symbols.len().min(VENUE_REQUEST_SYMBOLS);
        if self != Self::Binance {
            return most;
        }
        let mut bytes = BINANCE_REQUEST_OVERHEAD;
        let fits = |symbol: &&&str| {
            bytes += BINANCE_CHANNELS * symbol.to_ascii_lowercase().len() + BINANCE_CHANNEL_BYTES;
            bytes <= BINANCE_REQUEST_BYTES
        };
        symbols[..most].iter().take_while(fits).count().clamp(1, most.max(1))
    }

    fn request(self, verb: Verb, symbols: &[&str], id: u64) -> Vec<String> {
        let mut frames = Vec::new();
        let mut rest = symbols;
        while !rest.is_empty() {
            let (symbols, others) = rest.split_at(self.batch(rest));
            rest = others;
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

    /// How fast a client may send on one connection.
    #[must_use]
    pub const fn frame_limit(self) -> FrameLimit {
        let (frames, spacing) = match self {
            Self::Binance => (BINANCE_FRAMES_PER_SECOND, BINANCE_REQUEST_SPACING),
            Self::Coinbase => (COINBASE_FRAMES_PER_SECOND, Duration::ZERO),
            Self::Kraken => (KRAKEN_FRAMES_PER_SECOND, Duration::ZERO),
            Self::Alpaca => (ALPACA_FRAMES_PER_SECOND, Duration::ZERO),
        };
        FrameLimit { frames: frames as usize, window: Duration::from_secs(1), spacing }
    }

    /// Whether requests must be made one after the other: the venue's answers carry no number, and there may be several
    /// to one request.
    #[must_use]
    pub const fn answers_in_lists(self) -> bool {
        matches!(self, Self::Coinbase | Self::Alpaca)
    }

    /// The frame that asks for trading states, or no longer does, at a venue that has them in a channel of its own: for
    /// those of these symbols that can have them.
    #[must_use]
    pub fn states(self, symbols: &[&str], wanted: bool) -> Option<String> {
        // The crypto stream has no such channel.
        let statuses: Vec<_> = symbols.iter().copied().filter(|symbol| !symbol.contains('/')).collect();
        let action = if wanted { Verb::Subscribe } else { Verb::Unsubscribe }.lower();
        (self == Self::Alpaca && !statuses.is_empty()).then(|| text(&AlpacaStates { action, statuses }))
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
    /// `BTC-USD`, its tokenized stock `AAPLx/USD` is `AAPLX-USD`. At Binance none does (`BTCTUSD` could be cut twice): make a map from [`Venue::symbol`] of the
    /// symbols that are asked for.
    ///
    /// # Errors
    /// When the name does not fit ours.
    pub fn our_symbol(self, theirs: &str) -> Option<Result<Symbol, SymbolError>> {
        match self {
            Self::Binance => None,
            Self::Coinbase => Some(Symbol::new(theirs)),
            Self::Alpaca => Some(Symbol::new(&theirs.replacen('/', "-", 1))),
            Self::Kraken => Some(kraken_ours(&kraken_pair(theirs))),
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

/// Our name of a pair of Kraken's v2. Its tokenized stocks have a small `x`, and ours no small letters.
pub(super) fn kraken_ours(pair: &str) -> Result<Symbol, SymbolError> {
    Symbol::new(&pair.replacen('/', "-", 1).to_ascii_uppercase())
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
    text(&Alpaca { action: verb.lower(), trades: symbols, quotes: symbols })
}

fn text(request: &impl Serialize) -> String {
    serde_json::to_string(request).expect("texts, numbers and lists can always be written")
}

#[cfg(test)]
mod tests;
