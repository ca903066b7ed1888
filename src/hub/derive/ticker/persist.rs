//! A ticker's window on its way to a file and back, a minute at a time: a minute that is over changes by corrections
//! alone, so that a save has the newest ones only, and all of them after a correction.

use serde::{Deserialize, Serialize};

use super::{Minute, Rolling, extend};
use crate::{hub::derive::exact::Exact, limits::TICKER_MINUTES, market::Price};

/// A minute with trades, as a file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickerMinute {
    /// Minutes since the Unix epoch.
    pub minute: i64,
    open: Option<Price>,
    volume: Exact,
    trades: u64,
    /// None in minutes without a price; in format 1 also where a later minute beats it.
    high: Option<Price>,
    low: Option<Price>,
    #[serde(default)]
    first: u64,
    #[serde(default)]
    prints: u64,
}

impl Rolling {
    /// Everything but the minutes.
    pub(in crate::hub::derive) fn outline(&self) -> Self {
        let Self { last, bid, ask, te, tr, newest, volume, trades, .. } = *self;
        Self { last, bid, ask, te, tr, newest, volume, trades, ..Self::new() }
    }

    /// The newest minute of the window.
    pub(in crate::hub::derive) const fn newest(&self) -> i64 {
        self.newest
    }

    /// The minutes of the window from that one on.
    pub(in crate::hub::derive) fn minutes_from(&self, first: i64) -> Vec<TickerMinute> {
        let start = self.minutes.partition_point(|minute| minute.minute < first);
        let minutes = self.minutes.range(start..).map(|minute| {
            let Minute { minute, first, open, high, low, volume, trades, prints } = *minute;
            TickerMinute { minute, open, volume, trades, high, low, first, prints }
        });
        minutes.collect()
    }

    /// An [outline](Self::outline) with its minutes again; those that have left the window are passed over. `None` when
    /// they do not belong together.
    pub(in crate::hub::derive) fn with_minutes(mut self, minutes: Vec<TickerMinute>) -> Option<Self> {
        let gone = self.newest.saturating_sub(TICKER_MINUTES);
        let (mut volume, mut trades) = (Exact::default(), 0_u64);
        for TickerMinute { minute, open, volume: its, trades: count, high, low, first, prints } in minutes {
            if minute <= gone {
                continue;
            }
            let rises = self.minutes.back().is_none_or(|last| last.minute < minute);
            if !rises || minute > self.newest || !its.is_amount() {
                return None;
            }
            volume = volume.plus(its)?;
            trades = trades.checked_add(count)?;
            if let Some(high) = high {
                extend(&mut self.highs, minute, high, |old, new| old >= new);
            }
            if let Some(low) = low {
                extend(&mut self.lows, minute, low, |old, new| old <= new);
            }
            // Format 1 does not tell; all its trades count for volume.
            let prints = prints.max(count);
            self.minutes.push_back(Minute {
                minute,
                first,
                open,
                high,
                low,
                volume: its,
                trades: count,
                prints,
            });
        }
        self.find_open();
        let same = self.volume.is_amount() && self.volume.minus(volume)?.is_zero();
        (same && self.volume.decimal().is_some() && self.trades == trades).then_some(self)
    }
}
