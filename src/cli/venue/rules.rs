//! What a mock venue is strict about, and which of several readings it plays where sources disagree about a venue.

use std::{collections::VecDeque, time::Duration};

use clap::ValueEnum;
use jiff::fmt::rfc2822::DateTimePrinter;

use super::{fault::ValueFault, trouble::Trouble};
use crate::{
    clock::{Clock, Instant},
    dialect::Venue,
};

/// One of several ways in which a venue is said to behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reading {
    /// Coinbase answers a request with a bad product by an error, then by the list with the others (the default).
    CoinbaseErrorAndList,
    /// By an error for each channel, then by the list.
    CoinbaseErrorPerChannel,
    /// By an error alone: nothing of the request is subscribed.
    CoinbaseErrorAlone,
    /// By the list without the bad product, and no error.
    CoinbaseSilent,
    /// Kraken refuses a message too many with its number (the default).
    KrakenNumbered,
    /// Without.
    KrakenBare,
    /// Kraken calls a second subscription an error.
    KrakenSubscribesOnce,
    /// Alpaca counts symbols (the default).
    AlpacaCountsSymbols,
    /// Alpaca counts channels: trades and quotes of one symbol are two.
    AlpacaCountsChannels,
    /// The stream has no trading states: 410.
    AlpacaWithoutStates,
}

/// What the venue keeps to.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Readings that are played instead of the default ones.
    pub readings: Vec<Reading>,
    /// Most symbols, or channels, of one connection, where that is a rule of the plan: Alpaca, and streams at Binance.
    pub places: Option<usize>,
    /// Most messages of one connection in a second, where the venue documents none: Kraken.
    pub rate: Option<usize>,
    /// Most connections of one account at a time, where that is a rule of the plan: Alpaca.
    pub connections: Option<usize>,
    /// How often the venue sends a ping.
    pub ping_every: Option<Duration>,
    /// Requests that are refused for the venue's own fault, before it is well again.
    pub faulty: usize,
    /// What goes wrong with first values, one request after the other.
    pub value_faults: Vec<ValueFault>,
    /// What is wrong from the first connection on.
    pub troubles: Vec<Trouble>,
    /// How far the `Date` of its answers is off, in seconds.
    pub date_off: i64,
}

/// What a venue's documentation limits, over a rolling second.
const WINDOW: Duration = Duration::from_secs(1);

/// A client of Coinbase must have subscribed to something within this time, or it is disconnected.
pub(super) const COINBASE_SUBSCRIBE_WITHIN: Duration = Duration::from_secs(5);

/// Frames of more bytes Binance never answers.
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

    /// Most frames in any second: of one connection, or of one address at Coinbase.
    pub(super) fn frames(&self, venue: Venue) -> Option<usize> {
        match venue {
            Venue::Binance => Some(5),
            Venue::Coinbase => Some(8),
            Venue::Kraken => self.rate,
            Venue::Alpaca => None,
        }
    }
}

/// When frames came, over the newest second.
#[derive(Debug, Default)]
pub(super) struct Arrivals(VecDeque<Instant>);

impl Arrivals {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Counts one. Returns whether it is one too many.
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
