//! Mends single times that are far off: one row a year ahead would delay the others by a year and make them late for their
//! bars. A time is far off if it jumps and the times behind it do not follow. If they do, it is a pause, or the recording's
//! clock was set.
//!
//! A moment that is far off is played at once. An event time that is far ahead of the symbol's others is replaced by the
//! one before it.

use std::collections::HashMap;

use super::decoded::{Batch, BatchMark};
use crate::{
    limits::{FAR_OFF, FAR_OFF_ALONE},
    market::{Symbol, Tick, UnixMicros},
};

/// How many of the following times are looked at.
type Behind = [Option<i64>; 3];

/// The believed times so far, for a whole pass.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    moments: Recent,
    by_symbol: HashMap<Symbol, Recent>,
}

/// The newest times that were believed.
#[derive(Debug, Clone, Copy, Default)]
struct Recent([Option<i64>; 3]);

impl Recent {
    fn push(&mut self, time: i64) {
        let [_, second, third] = self.0;
        self.0 = [second, third, Some(time)];
    }

    fn newest(&self) -> Option<i64> {
        self.0[2]
    }

    /// Whether the time is far ahead of those before and behind it.
    fn is_far_ahead(&self, time: i64, behind: &Behind) -> bool {
        let far = |other: i64| time.saturating_sub(other) > FAR_OFF;
        match self.0.iter().flatten().max() {
            Some(before) if !far(*before) => false,
            Some(before) if behind[0].is_none() => time.saturating_sub(*before) > FAR_OFF_ALONE,
            _ => most(behind, far),
        }
    }

    /// Whether the time is far behind those before and behind it.
    fn is_far_back(&self, time: i64, behind: &Behind) -> bool {
        let far = |other: i64| other.saturating_sub(time) > FAR_OFF;
        match self.newest() {
            Some(before) => far(before) && most(behind, far),
            None => most(behind, |other| other.saturating_sub(time) > FAR_OFF_ALONE),
        }
    }
}

/// Whether most of the following times, if any, satisfy this.
fn most(behind: &Behind, holds: impl Fn(i64) -> bool) -> bool {
    let count = behind.iter().flatten().count();
    count > 0 && 2 * behind.iter().flatten().filter(|time| holds(**time)).count() > count
}

fn te(tick: &mut Tick) -> Option<&mut Option<UnixMicros>> {
    match tick {
        Tick::Trade(trade) => Some(&mut trade.te),
        Tick::Quote(quote) => Some(&mut quote.te),
        Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
    }
}

fn told(tick: &Tick) -> Option<i64> {
    match tick {
        Tick::Trade(trade) => trade.te.map(|te| te.0),
        Tick::Quote(quote) => quote.te.map(|te| te.0),
        Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
    }
}

impl Stamps {
    /// Mends the times of a batch; `next` is the batch behind it. Returns how many times were replaced.
    pub(super) fn mend(&mut self, batch: &mut Batch, next: Option<&Batch>) -> u64 {
        self.moments(&mut batch.marks, next) + self.times(&mut batch.ticks, next)
    }

    fn moments(&mut self, marks: &mut [BatchMark], next: Option<&Batch>) -> u64 {
        let later = next.iter().flat_map(|next| &next.marks).filter_map(|mark| mark.at).take(3);
        let times: Vec<_> = marks.iter().filter_map(|mark| mark.at).chain(later).map(|at| at.0).collect();
        let (mut place, mut mended) = (0, 0);
        for mark in marks {
            let Some(UnixMicros(at)) = mark.at else { continue };
            place += 1;
            let behind = [0, 1, 2].map(|i| times.get(place + i).copied());
            if self.moments.is_far_ahead(at, &behind) || self.moments.is_far_back(at, &behind) {
                mark.at = None;
                mended += 1;
            } else {
                self.moments.push(at);
            }
        }
        mended
    }

    fn times(&mut self, ticks: &mut [Tick], next: Option<&Batch>) -> u64 {
        // Go backwards, so that the times behind a tick are known.
        let mut behind: HashMap<Symbol, Behind> = HashMap::new();
        let mut precede = |tick: &Tick| {
            let time = told(tick)?;
            let of_symbol = behind.entry(tick.symbol()).or_default();
            let found = *of_symbol;
            *of_symbol = [Some(time), found[0], found[1]];
            Some(found)
        };
        for tick in next.iter().flat_map(|next| next.ticks.iter().rev()) {
            let _later = precede(tick);
        }
        let mut found: Vec<Option<Behind>> = ticks.iter().rev().map(&mut precede).collect();
        let mut mended = 0;
        for tick in ticks {
            let Some(Some(behind)) = found.pop() else { continue };
            let recent = self.by_symbol.entry(tick.symbol()).or_default();
            let Some(stamp) = te(tick) else { continue };
            let Some(UnixMicros(time)) = *stamp else { continue };
            if recent.is_far_ahead(time, &behind) {
                *stamp = recent.newest().or(behind[0]).map(UnixMicros);
                mended += 1;
            } else {
                recent.push(time);
            }
        }
        mended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    const YEAR: i64 = 365 * DAY;

    fn batch(at: &[i64]) -> Batch {
        let marks = at.iter().map(|at| BatchMark { at: Some(UnixMicros(*at)), ticks: 1 }).collect();
        let quote = |at: &i64| {
            let (symbol, source) = ("S".parse().unwrap(), "x".parse().unwrap());
            let te = Some(UnixMicros(*at));
            Tick::Quote(crate::market::Quote {
                symbol,
                bid: None,
                ask: None,
                source,
                te,
                tr: UnixMicros(0),
                is_snapshot: false,
            })
        };
        Batch { marks, ticks: at.iter().map(quote).collect(), ..Batch::default() }
    }

    /// Moments and times that are left of a recording that is read in batches of `size`.
    fn mended(at: &[i64], size: usize) -> (Vec<Option<i64>>, Vec<i64>) {
        let mut stamps = Stamps::default();
        let mut batches: Vec<_> = at.chunks(size).map(batch).collect();
        for i in 0..batches.len() {
            let (now, next) = batches.split_at_mut(i + 1);
            stamps.mend(&mut now[i], next.first());
        }
        let moments = batches.iter().flat_map(|batch| &batch.marks).map(|mark| mark.at.map(|at| at.0));
        let times = batches.iter().flat_map(|batch| &batch.ticks).map(|tick| told(tick).unwrap());
        (moments.collect(), times.collect())
    }

    #[test]
    fn a_row_far_off_is_not_waited_for_wherever_it_is() {
        let at: Vec<_> = (0..20).map(|i| YEAR * 50 + i * SECOND).collect();
        for size in [3, 4, 7, 100] {
            for place in 0..at.len() {
                for far in [YEAR, -YEAR, 40 * DAY, -40 * DAY] {
                    let mut off = at.clone();
                    off[place] += far;
                    let (moments, times) = mended(&off, size);
                    for (i, right) in at.iter().enumerate() {
                        let expected = (i != place).then_some(*right);
                        let is_last = i == place && far < 0 && place == at.len() - 1;
                        assert!(moments[i] == expected || is_last, "{far} at {place}: {moments:?}");
                    }
                    let most = times.iter().max().unwrap();
                    assert!(most <= at.last().unwrap(), "{far} at {place} of {size}: {times:?}");
                }
            }
        }
    }

    #[test]
    fn two_rows_far_off_and_one_of_an_hour_are_not_waited_for() {
        let mut at: Vec<_> = (0..20).map(|i| YEAR * 50 + i * SECOND).collect();
        at[7] += YEAR;
        at[8] += YEAR;
        at[15] += 2 * 3_600 * SECOND;
        let (moments, times) = mended(&at, 100);
        assert_eq!(moments.iter().filter(|at| at.is_none()).count(), 3);
        assert!(times.is_sorted());
    }

    #[test]
    fn pauses_and_clocks_that_were_set_stay_as_they_are() {
        let night = [0, 1, 2, 17 * 3_600, 17 * 3_600 + 1, 40 * 3_600].map(|second| YEAR + second * SECOND);
        let two_days = [0, 1, 2, 3].map(|second| YEAR * 2 + second * SECOND).into_iter();
        let two_days: Vec<_> = two_days.chain([0, 1, 2, 3].map(|second| YEAR + second * SECOND)).collect();
        for at in [&night[..], &two_days] {
            for size in [1, 2, 100] {
                let (moments, times) = mended(at, size);
                assert_eq!(moments, at.iter().map(|at| Some(*at)).collect::<Vec<_>>());
                assert_eq!(times, at);
            }
        }
    }
}
