//! The limits that a mock venue enforces, and the readings it can play where sources disagree about the real one.

use std::{collections::VecDeque, time::Duration};

use clap::ValueEnum;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::{fault::ValueFault, trouble::Trouble};
use crate::{
    clock::{Clock, Instant},
    dialect::Venue,
};

/// One of several ways in which sources say that a venue behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reading {
    /// Coinbase answers a bad product with an error, then with the list of the good ones (the default).
    CoinbaseErrorAndList,
    /// Coinbase sends an error for each channel, then the list.
    CoinbaseErrorPerChannel,
    /// Coinbase sends an error only, and subscribes nothing of the request.
    CoinbaseErrorAlone,
    /// Coinbase sends the list without the bad product, and no error.
    CoinbaseSilent,
    /// Kraken's rate refusal has the request's number (the default).
    KrakenNumbered,
    /// Kraken's rate refusal has no number.
    KrakenBare,
    /// Kraken refuses a second subscription to the same topic.
    KrakenSubscribesOnce,
    /// Alpaca counts symbols (the default).
    AlpacaCountsSymbols,
    /// Alpaca counts channels: trades and quotes of one symbol are two.
    AlpacaCountsChannels,
    /// Alpaca's stream has no trading states and answers 410.
    AlpacaWithoutStates,
}

/// The venue's limits and behaviour.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The readings to play instead of the defaults.
    pub readings: Vec<Reading>,
    /// Most symbols or channels of one connection (Alpaca's plan), or streams (Binance).
    pub places: Option<usize>,
    /// Most messages of one connection in a second (Kraken, which documents no number).
    pub rate: Option<usize>,
    /// Most connections of one account at a time (Alpaca's plan).
    pub connections: Option<usize>,
    /// Whether a subscription to quotes begins with the present quote, as at Kraken and Coinbase.
    pub first_quotes: bool,
    /// How often the venue sends a ping.
    pub ping_every: Option<Duration>,
    /// How many requests to refuse as the venue's own fault, before it recovers.
    pub faulty: usize,
    /// The faults of first values, one for each request.
    pub value_faults: Vec<ValueFault>,
    /// What is wrong from the first connection on.
    pub troubles: Vec<Trouble>,
    /// How far the `Date` of its answers is off, in seconds.
    pub date_off: i64,
}

/// The rolling window of all rate limits.
const WINDOW: Duration = Duration::from_secs(1);

/// Coinbase disconnects a client that has subscribed to nothing by then.
pub(super) const COINBASE_SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// Longest frame that Binance answers, in bytes.
pub(super) const BINANCE_FRAME_BYTES: usize = 4_088;

impl Rules {
    pub(super) fn plays(&self, reading: Reading) -> bool {
        self.readings.contains(&reading)
    }

    /// Whether that is wrong from the first connection on.
    pub(super) fn has(&self, trouble: Trouble) -> bool {
        self.troubles.contains(&trouble)
    }

    /// The time of day as an answer tells it.
    pub(super) fn date(&self) -> String {
        let now = Clock::system().now().0.div_euclid(1_000_000).saturating_add(self.date_off);
        let time = jiff::Timestamp::from_second(now).unwrap_or_default();
        DateTimePrinter::new().timestamp_to_rfc9110_string(&time).unwrap_or_default()
    }

    /// Most frames in any second, of one connection; at Coinbase, of one IP address.
    pub(super) fn frames(&self, venue: Venue) -> Option<usize> {
        match venue {
            Venue::Binance => Some(5),
            Venue::Coinbase => Some(8),
            Venue::Kraken => self.rate,
            Venue::Alpaca => None,
        }
    }
}

/// The arrival times of the last second.
#[derive(Debug, Default)]
pub(super) struct Arrivals(VecDeque<Instant>);

impl Arrivals {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Counts a frame. Returns whether it breaks the limit.
    pub(super) fn count(&mut self, now: Instant, most: Option<usize>) -> bool {
        while self.0.front().is_some_and(|oldest| now >= *oldest + WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        most.is_some_and(|most| self.0.len() > most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_rolls() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        for ms in [0, 100, 200, 300, 999] {
            assert!(!arrivals.count(at(ms), Some(5)), "{ms}");
        }
        assert!(!arrivals.count(at(1_000), Some(5)), "the first has left the window");
        assert!(arrivals.count(at(1_050), Some(5)));
        assert!(!arrivals.count(at(1_060), None));
    }
}
