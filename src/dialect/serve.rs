//! What a venue's side of a dialect reads of a client: requests in one shape, whatever the venue's words. What it writes
//! is each venue's own `serve`.

use serde_json::Value;

use super::{Venue, alpaca, binance, coinbase, kraken, venue_request::VenueRequest};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{
        Listing,
        venue_request::{Topic, both},
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
