//! Taking a trade out of the ticker's window again.

use serde::{Deserialize, Serialize};

use super::{Exact, Minute, Rolling, extend};
use crate::{
    hub::derive::{
        Traded, Values,
        bars::{higher, lower},
        past::Past,
        points::Points,
        retract::Reach,
    },
    market::{Price, UnixMicros},
};

/// Price and time of a last trade.
type Last = Option<(UnixMicros, Price)>;

/// What the ticker came to at one number, as far as sums do not tell it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::hub::derive) struct TickerPoint {
    last: Last,
    /// The newest minute with trades; none while the window is empty, which is known as well as any other state.
    minute: Option<i64>,
    prices: Prices,
}

/// Prices of a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Prices {
    open: Option<Price>,
    high: Option<Price>,
    low: Option<Price>,
}

impl Prices {
    fn add(&mut self, traded: &Traded) {
        if traded.is_last() {
            self.open = self.open.or(Some(traded.price));
        }
        if traded.is_high_low() {
            self.high = Some(self.high.map_or(traded.price, |high| higher(high, traded.price)));
            self.low = Some(self.low.map_or(traded.price, |low| lower(low, traded.price)));
        }
    }

    fn has(&self, traded: &Traded) -> bool {
        let is = |price: Option<Price>| price == Some(traded.price);
        traded.is_last() && is(self.open) || traded.is_high_low() && (is(self.high) || is(self.low))
    }
}

impl Minute {
    const fn prices(&self) -> Prices {
        Prices { open: self.open, high: self.high, low: self.low }
    }
}

impl Rolling {
    /// A copy of what a sum does not tell.
    pub(in crate::hub::derive) fn point(&self) -> TickerPoint {
        let newest = self.minutes.back();
        TickerPoint {
            last: self.last,
            minute: newest.map(|newest| newest.minute),
            prices: newest.map(Minute::prices).unwrap_or_default(),
        }
    }

    /// A correction is what was heard last.
    pub(in crate::hub::derive) const fn told(&mut self, (te, tr): (Option<UnixMicros>, UnixMicros)) {
        (self.te, self.tr) = (te, tr);
    }

    /// Takes a trade out of the window, or puts another one in its place. `past` has what is remembered without the
    /// trade that goes.
    pub(in crate::hub::derive) fn retract(
        &mut self,
        (gone, instead): (&Traded, Option<&Traded>),
        past: Past<'_>,
        points: &mut Points<Values>,
    ) -> Reach {
        if !gone.is_in_ticker() {
            return Reach::Nothing;
        }
        let place = self.place(gone);
        let bases = Bases::find(place.map(|place| &self.minutes[place]), gone, past, points);
        for point in points.from(gone.n) {
            let until = point.n;
            let ticker = &mut point.values.ticker;
            *ticker = ticker.and_then(|point| point.without((gone, instead), &bases, (past, until)));
        }
        let mut reach = Reach::Nothing;
        if let Some(place) = place {
            self.retract_sums(place, gone, instead);
            reach = self.retract_prices(place, (gone, instead), &bases, past);
        }
        if is_concerned(self.last, gone, instead) {
            // Without a base the latest of what is remembered; an earlier one may have had a later time.
            let behind = latest(bases.last.unwrap_or((past.forgotten(), None)), past, u64::MAX);
            self.last = if bases.last.is_some() { behind } else { behind.or(self.last) };
            reach = reach.max(if bases.last.is_some() { Reach::Exact } else { Reach::Inexact });
        }
        reach
    }

    /// The minute that the trade is in, when it is in one.
    fn place(&self, gone: &Traded) -> Option<usize> {
        let place = self.minutes.partition_point(|minute| minute.first <= gone.n).checked_sub(1)?;
        if self.minutes[place].first > 0 {
            return Some(place);
        }
        // Of a file that does not tell: where its own time puts it.
        let minute = gone.at.0.div_euclid(super::MINUTE);
        self.minutes.binary_search_by_key(&minute, |it| it.minute).ok()
    }

    fn retract_prices(
        &mut self,
        place: usize,
        (gone, instead): (&Traded, Option<&Traded>),
        bases: &Bases,
        past: Past<'_>,
    ) -> Reach {
        let until = self.minutes.get(place + 1).map_or(u64::MAX, |next| next.first.saturating_sub(1));
        let minute = &mut self.minutes[place];
        let mut prices = minute.prices();
        let mut reach = Reach::Exact;
        if let Some(base) = bases.prices {
            prices = prices_behind(base, past, until);
        } else {
            if prices.has(gone) {
                reach = Reach::Inexact;
            }
            instead.into_iter().filter(|it| it.counts()).for_each(|it| prices.add(it));
        }
        (minute.open, minute.high, minute.low) = (prices.open, prices.high, prices.low);
        if minute.prints == 0 {
            self.minutes.remove(place);
        }
        self.find_extremes();
        reach
    }

    fn retract_sums(&mut self, place: usize, gone: &Traded, instead: Option<&Traded>) {
        let minute = &mut self.minutes[place];
        if gone.is_volume() {
            let size = Exact::of(gone.size.decimal());
            self.volume = self.volume.minus(size).unwrap_or(self.volume);
            minute.volume = minute.volume.minus(size).unwrap_or(minute.volume);
            self.trades = self.trades.saturating_sub(1);
            minute.trades = minute.trades.saturating_sub(1);
        }
        minute.prints = minute.prints.saturating_sub(1);
        let Some(instead) = instead.filter(|instead| instead.counts()) else { return };
        minute.prints += 1;
        if instead.is_volume() {
            let size = Exact::of(instead.size.decimal());
            let sum = self.volume.plus(size).filter(|volume| volume.decimal().is_some());
            if let (Some(sum), Some(part)) = (sum, minute.volume.plus(size)) {
                (self.volume, minute.volume) = (sum, part);
                self.trades += 1;
                minute.trades += 1;
            }
        }
    }

    /// The window's open and extremes from those of its minutes.
    fn find_extremes(&mut self) {
        self.find_open();
        self.highs.clear();
        self.lows.clear();
        for Minute { minute, high, low, .. } in &self.minutes {
            if let Some(high) = high {
                extend(&mut self.highs, *minute, *high, |old, new| old >= new);
            }
            if let Some(low) = low {
                extend(&mut self.lows, *minute, *low, |old, new| old <= new);
            }
        }
    }
}

/// From what the values without a trade can be computed; none where what is needed is forgotten.
struct Bases {
    minute: Option<i64>,
    prices: Option<(u64, Prices)>,
    last: Option<(u64, Last)>,
}

impl Bases {
    fn find(minute: Option<&Minute>, gone: &Traded, past: Past<'_>, points: &Points<Values>) -> Self {
        let prices = minute.and_then(|minute| {
            let known = |point: &TickerPoint| point.minute == Some(minute.minute);
            let known = points.before(gone.n, past, |point| point.ticker.filter(known));
            let blank = || minute.first.checked_sub(1).filter(|before| *before >= past.forgotten());
            let known = known.map(|(from, point)| (from, point.prices));
            known.or_else(|| Some((blank()?, Prices::default())))
        });
        let last = points.before(gone.n, past, |point| point.ticker.map(|it| it.last));
        let last = last.or((past.forgotten() == 0).then_some((0, None)));
        Self { minute: minute.map(|minute| minute.minute), prices, last }
    }
}

impl TickerPoint {
    /// The copy as if the trade had never come; none where that cannot be told.
    fn without(
        self,
        (gone, instead): (&Traded, Option<&Traded>),
        bases: &Bases,
        (past, until): (Past<'_>, u64),
    ) -> Option<Self> {
        let is_its = self.minute.is_some() && self.minute == bases.minute;
        let prices = if is_its { prices_behind(bases.prices?, past, until) } else { self.prices };
        let is_concerned = is_concerned(self.last, gone, instead);
        let last = if is_concerned { latest(bases.last?, past, until) } else { self.last };
        Some(Self { prices, last, ..self })
    }
}

/// Whether a last price is another one without the trade.
fn is_concerned(last: Last, gone: &Traded, instead: Option<&Traded>) -> bool {
    gone.is_last() && last == Some((gone.stands(), gone.price))
        || instead.is_some_and(|instead| instead.is_last() != gone.is_last())
}

fn prices_behind((from, mut prices): (u64, Prices), past: Past<'_>, until: u64) -> Prices {
    past.between(from, until).filter(Traded::is_in_ticker).for_each(|traded| prices.add(&traded));
    prices
}

/// The last price is that of the latest of the trades, and among equal times of the last one to come.
fn latest((from, mut last): (u64, Last), past: Past<'_>, until: u64) -> Last {
    for traded in past.between(from, until).filter(Traded::is_in_ticker).filter(Traded::is_last) {
        if last.is_none_or(|(at, _)| traded.stands() >= at) {
            last = Some((traded.stands(), traded.price));
        }
    }
    last
}
