//! The rules by which frames of each venue are passed over: the labels of `tickcast_feed_ignored_total`, known before the first
//! frame comes.

use super::Venue;

/// What any venue says besides ticks, as [`Message::rule`](super::Message::rule) calls it.
const OF_ANY: [&str; 7] = ["ack", "refused", "heartbeat", "status", "shutdown", "not_subscribed", "unknown"];

impl Venue {
    /// Every rule that may pass over a frame of the venue.
    pub fn rules(self) -> impl Iterator<Item = &'static str> {
        OF_ANY.into_iter().chain(self.own_rules().iter().copied())
    }

    /// The names of its [`Message::Ignored`](super::Message::Ignored).
    const fn own_rules(self) -> &'static [&'static str] {
        match self {
            Self::Binance => &["depth", "kline", "list", "ticker"],
            Self::Coinbase => &[
                "candles",
                "empty",
                "l2_data",
                "l2update",
                "last_match",
                "list",
                "order",
                "products",
                "snapshot",
                "trade_history",
            ],
            Self::Kraken => &[
                "account",
                "book",
                "empty",
                "instrument",
                "level3",
                "ohlc",
                "rest",
                "spread",
                "trade_history",
            ],
            Self::Alpaca => &[
                "bar",
                "daily_bar",
                "empty",
                "imbalance",
                "news",
                "orderbook",
                "price_band",
                "status_remark",
                "updated_bar",
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// Every text behind `Ignored(` in the code of a venue.
    fn named(venue: Venue) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dialect");
        let folder = fs::read_dir(root.join(venue.as_str())).unwrap().map(|entry| entry.unwrap().path());
        let files = folder.chain([root.join(venue.as_str()).with_extension("rs")]);
        let code = files.filter(|file| !file.ends_with("tests.rs")).map(|file| {
            let text = fs::read_to_string(file).unwrap();
            text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
        });
        let names = |text: String| {
            let behind = text.split("Ignored(\"").skip(1);
            behind.map(|rest| rest.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        code.flat_map(names).collect()
    }

    #[test]
    fn every_rule_that_a_dialect_names_is_known_before_its_first_frame() {
        for venue in Venue::ALL {
            let listed: BTreeSet<_> = venue.own_rules().iter().map(|rule| (*rule).to_owned()).collect();
            assert_eq!(listed, named(venue), "{venue:?}");
            assert_eq!(venue.rules().collect::<BTreeSet<_>>().len(), venue.rules().count(), "{venue:?}");
        }
    }
}
