//! Taking a trade out of ticker and bars again, when the venue takes it back or changes it.
//!
//! What is final stays as it is. Elsewhere the values become those that they would be had the trade never come, as far
//! as the trades that are needed for that are remembered; where they are not, it is said.

use super::{Channels, Derived, Past, Step, Traded, Values};
use crate::market::{Channel, Interval, Trade, UnixMicros};

/// How far a trade could be taken out of a value; what is worse is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// It is no part of it.
    Nothing,
    /// The value is as if the trade had never come.
    Exact,
    /// Its sums are; a price of it may still be the trade's.
    Inexact,
    /// The value is final.
    Final,
}

/// Why a derived value is not corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hub) enum Uncorrected {
    /// The bar was final.
    Final,
    /// Its open, high, low or close may still be the trade's: what came before is forgotten.
    Inexact,
    /// The trade itself is forgotten, so nothing says where it counted.
    Forgotten,
}

impl Uncorrected {
    pub(in crate::hub) const COUNT: usize = 3;

    /// The names as metric labels, by position.
    pub(in crate::hub) const REASONS: [&str; Self::COUNT] = ["final", "inexact", "forgotten"];
}

/// A trade that goes: its number, what it was, and what it is instead.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) struct Gone<'a> {
    pub(in crate::hub) n: u64,
    pub(in crate::hub) trade: &'a Trade,
    pub(in crate::hub) instead: Option<&'a Trade>,
    /// When that was said: at the source, and here.
    pub(in crate::hub) times: (Option<UnixMicros>, UnixMicros),
}

impl Derived {
    /// Takes a trade out, or puts another one in its place. `past` has the trades that are remembered as they are now.
    pub(in crate::hub) fn retract(&mut self, gone: &Gone<'_>, past: Past<'_>) -> Step {
        let mut step = Step::default();
        let was = Traded::new(gone.n, gone.trade);
        if !was.counts() && gone.instead.is_none() {
            return step;
        }
        let instead = gone.instead.map(|trade| Traded::new(gone.n, trade));
        let both = (&was, instead.as_ref());
        for interval in Interval::ALL {
            let reach = self.retract_bar(interval, both, past, &mut step);
            step.reached(Channel::Bars(interval), reach);
        }
        let reach = self.ticker.retract(both, past, &mut self.points);
        if matches!(reach, Reach::Exact | Reach::Inexact) {
            self.ticker.told(gone.times);
        }
        step.reached(Channel::Ticker, reach);
        step
    }

    fn retract_bar(
        &mut self,
        interval: Interval,
        both: (&Traded, Option<&Traded>),
        past: Past<'_>,
        step: &mut Step,
    ) -> Reach {
        let (gone, i) = (both.0, interval.index());
        let Some(series) = &mut self.bars[i] else { return Reach::Nothing };
        let base = series.state().filter(|forming| forming.holds(gone, interval)).and_then(|forming| {
            let same = |values: &'_ Values| values.bars[i].clone().filter(|state| state.is_same(forming));
            self.points.before(gone.n, past, same).or_else(|| forming.blank(past))
        });
        for point in self.points.from(gone.n) {
            let until = point.n;
            let state = point.values.bars[i].as_mut().filter(|state| state.holds(gone, interval));
            let reach = state.map(|state| state.retract(interval, both, base.clone(), (past, until)));
            if reach == Some(Reach::Inexact) {
                point.values.bars[i] = None;
            }
        }
        let (reach, void) = series.retract(self.symbol, both, base, past);
        step.void.extend(void);
        reach
    }
}

impl Step {
    fn reached(&mut self, channel: Channel, reach: Reach) {
        let missed: &mut Channels = match reach {
            Reach::Nothing => return,
            Reach::Exact => return self.changed.insert(channel),
            Reach::Inexact => {
                self.changed.insert(channel);
                &mut self.uncorrected[Uncorrected::Inexact as usize]
            }
            Reach::Final => &mut self.uncorrected[Uncorrected::Final as usize],
        };
        missed.insert(channel);
    }
}
