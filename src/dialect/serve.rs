//! What a venue's side of a dialect reads of a client: requests in one shape, whatever the venue's words. What it writes
//! is each venue's own `serve`.

use serde_json::Value;

use super::{Sequence, Venue, alpaca, binance, coinbase, kraken, venue_request::VenueRequest};
use crate::market::{Quote, Tick};

impl Venue {
    /// Reads what a client sent.
    #[must_use]
    pub fn request_of(self, text: &str) -> VenueRequest {
        let Ok(request) = serde_json::from_str::<Value>(text) else {
            return VenueRequest::Unknown { id: None };
        };
        match self {
            Self::Binance => binance::serve::request(&request),
            Self::Coinbase => coinbase::serve::request(&request),
            Self::Kraken => kraken::serve::request(&request),
            Self::Alpaca => alpaca::serve::request(&request),
        }
    }

    /// What a client hears first.
    #[must_use]
    pub fn greeting(self) -> Option<String> {
        match self {
            Self::Binance | Self::Coinbase => None,
            Self::Kraken => Some(kraken::serve::status("online")),
            Self::Alpaca => Some(alpaca::serve::success("connected")),
        }
    }

    /// The venue's frame of a tick; `theirs` is the venue's name of the symbol. `None` if the venue's format cannot express the
    /// tick exactly: [`Venue::parse`] of the frame gives the same tick.
    #[must_use]
    pub fn frame_of(self, theirs: &str, tick: &Tick, sequence: Option<Sequence>) -> Option<String> {
        match self {
            Self::Binance => binance::serve::tick(theirs, tick, sequence),
            Self::Coinbase => coinbase::serve::tick(theirs, tick, sequence),
            Self::Kraken => kraken::serve::tick(theirs, tick, sequence),
            Self::Alpaca => alpaca::serve::tick(theirs, tick, sequence),
        }
    }

    /// The venue's product list of these products: its name, and whether it trades now.
    #[must_use]
    pub fn product_list<'a>(self, products: impl Iterator<Item = (&'a str, bool)>) -> String {
        match self {
            Self::Binance => binance::serve::products(products),
            Self::Coinbase => coinbase::serve::products(products),
            Self::Kraken => kraken::serve::products(products),
            Self::Alpaca => alpaca::serve::products(products),
        }
    }

    /// The symbols in the query of a request for first values.
    #[must_use]
    pub fn first_values_asked(self, query: &str) -> Vec<String> {
        let list = query.split('&').find_map(|part| part.strip_prefix("symbols=")).map(decoded);
        let list = list.unwrap_or_default();
        match self {
            Self::Binance => serde_json::from_str(&list).unwrap_or_default(),
            Self::Coinbase | Self::Kraken | Self::Alpaca => list.split(',').map(ToOwned::to_owned).collect(),
        }
    }

    /// The answer to a request for first values.
    #[must_use]
    pub fn first_values_list<'a>(self, quotes: impl Iterator<Item = (&'a str, &'a Quote)>) -> String {
        match self {
            Self::Binance => binance::serve::book_tickers(quotes),
            Self::Alpaca => alpaca::serve::latest_quotes(quotes),
            Self::Coinbase | Self::Kraken => String::new(),
        }
    }

    /// The path of first values, at a venue that has them.
    #[must_use]
    pub const fn first_values_path(self) -> Option<&'static str> {
        match self {
            Self::Binance => Some("/api/v3/ticker/bookTicker"),
            Self::Alpaca => Some("/v2/stocks/quotes/latest"),
            Self::Coinbase | Self::Kraken => None,
        }
    }

    /// The path of the venue's product list.
    #[must_use]
    pub const fn products_path(self) -> &'static str {
        match self {
            Self::Binance => "/api/v3/exchangeInfo",
            Self::Coinbase => "/products",
            Self::Kraken => "/0/public/AssetPairs",
            Self::Alpaca => "/v2/assets",
        }
    }
}

/// Decodes a part of a query; empty if it is not UTF-8.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, behind)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let Some(byte) = behind.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
            return String::new();
        };
        bytes.push(byte);
        rest = &behind[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialect::{
            Listing, Naming,
            venue_request::{Topic, both},
        },
        market::{Level, Source, Symbol, UnixMicros},
    };

    #[test]
    fn our_requests_are_read_as_they_are_meant() {
        for venue in Venue::ALL {
            let names = ["BTC-USD", "ETH-USD"].map(|ours| venue.symbol(ours));
            let symbols: Vec<_> = names.iter().map(String::as_str).collect();
            for (frames, begin) in
                [(venue.subscribe(&symbols, 1), true), (venue.unsubscribe(&symbols, 1), false)]
            {
                let mut all: Vec<Topic> = Vec::new();
                for frame in frames {
                    let VenueRequest::Topics { begins, topics, states, .. } = venue.request_of(&frame) else {
                        panic!("{frame}")
                    };
                    assert_eq!((begins, states.len()), (begin, 0), "{frame}");
                    all.extend(topics);
                }
                all.sort_unstable();
                let mut wanted = both(symbols.iter().copied());
                wanted.sort_unstable();
                assert_eq!(all, wanted, "{venue:?}");
            }
        }
        let states = Venue::Alpaca.states(&["AAPL"], true).unwrap();
        assert!(matches!(
            Venue::Alpaca.request_of(&states),
            VenueRequest::Topics { begins: true, topics, states, .. } if topics.is_empty() && states == ["AAPL"]
        ));
        assert_eq!(
            Venue::Kraken.request_of(&Venue::Kraken.ping(7).unwrap()),
            VenueRequest::Ping { id: Some(7) }
        );
        let auth = Venue::Alpaca.authenticate("PK1", "hush").unwrap();
        let let_in = VenueRequest::Authenticate { key: "PK1".into(), secret: "hush".into() };
        assert_eq!(Venue::Alpaca.request_of(&auth), let_in);
        for venue in Venue::ALL {
            assert_eq!(venue.request_of("no json"), VenueRequest::Unknown { id: None });
        }
    }

    #[test]
    fn our_reading_side_finds_the_first_values_that_it_asked_for() {
        for venue in Venue::ALL.into_iter().filter(|venue| venue.has_first_values()) {
            let theirs = ["BTC-USD", "币USD"].map(|ours| venue.symbol(ours));
            let names: Vec<_> = theirs.iter().map(String::as_str).collect();
            let asked = venue.first_values_of("http://127.0.0.1/x?feed=iex", &names);
            assert_eq!(venue.first_values_asked(asked.split_once('?').unwrap().1), names, "{venue:?}");
            let quote = Quote {
                symbol: "BTC-USD".parse().unwrap(),
                bid: Some(Level { price: "1.50".parse().unwrap(), size: Some("2.0".parse().unwrap()) }),
                ask: None,
                source: Source::new(venue.as_str()).unwrap(),
                te: (venue == Venue::Alpaca).then_some(UnixMicros(1_700_000_000_000_001)),
                tr: UnixMicros(7),
                is_snapshot: true,
            };
            let list = venue.first_values_list([(names[0], &quote), (names[1], &quote)].into_iter());
            let read = venue.first_values(list.as_bytes(), UnixMicros(7), &OnlyBitcoin).unwrap();
            assert_eq!(read, [quote], "{venue:?}");
        }
    }

    struct OnlyBitcoin;

    impl Naming for OnlyBitcoin {
        fn ours(&self, theirs: &str) -> Option<Symbol> {
            theirs.starts_with("BTC").then(|| "BTC-USD".parse().unwrap())
        }
    }

    #[test]
    fn our_reading_side_finds_what_is_listed() {
        for venue in Venue::ALL {
            let ours = ["BTC-USD", "DOGE-USD", "ETH-BTC"];
            let listed = ours.map(|ours| (venue.symbol(ours), ours != "ETH-BTC"));
            let list = venue.product_list(listed.iter().map(|(name, trades)| (name.as_str(), *trades)));
            let read = venue.products(list.as_bytes()).unwrap();
            assert_eq!((read.products.len(), read.skipped), (3, 0), "{venue:?}");
            for product in &read.products {
                let trades = listed.iter().find(|(name, _)| *name == product.theirs).unwrap().1;
                assert_eq!(product.listing == Listing::Trades, trades, "{venue:?} {product:?}");
                assert!(ours.contains(&product.ours.unwrap().as_str()));
                assert_eq!(product.increments.tick.unwrap().to_string().trim_end_matches('0'), "0.01");
            }
        }
    }
}
