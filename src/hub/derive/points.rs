//! What the derived values came to some trades ago, so that a trade can be taken out of them again.
//!
//! A sum loses a trade by subtraction. A highest price does not: what remains must be looked through, and the topic
//! remembers the last trades only. So the values are copied every so often, and two copies are kept, of which the older one
//! is never older than the oldest trade that is remembered: from it and the trades behind it, without the one that
//! goes, follow the values as if it had never come. A trade that is older than both copies is subtracted only.

use super::{bars::Forming, ticker::TickerPoint, traded::Traded};
use crate::{
    hub::ring::Ring,
    limits::POINT_TRADES,
    market::{Body, Interval, Tick},
};

/// The values at one number.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) n: u64,
    pub(super) bars: [Option<Forming>; Interval::COUNT],
    pub(super) ticker: Option<TickerPoint>,
}

/// The two copies.
#[derive(Debug)]
pub(super) struct Points {
    /// Numbers between two copies.
    every: u64,
    last: u64,
    /// The older one first.
    kept: [Option<Box<Point>>; 2],
}

impl Default for Points {
    fn default() -> Self {
        Self { every: POINT_TRADES, last: 0, kept: [None, None] }
    }
}

impl Points {
    /// For a topic that remembers that many trades; the first copy is due that far behind `head`.
    pub(super) fn new(trades: usize, head: u64) -> Self {
        let half = u64::try_from(trades / 2).unwrap_or(POINT_TRADES);
        Self { every: half.clamp(1, POINT_TRADES), last: head, kept: [None, None] }
    }

    pub(super) const fn is_due(&self, n: u64) -> bool {
        n.saturating_sub(self.last) >= self.every
    }

    pub(super) fn push(&mut self, point: Point) {
        self.last = point.n;
        self.kept[0] = self.kept[1].replace(Box::new(point));
    }

    /// The newest copy before a number from which every trade is remembered, and for which `choose` finds something.
    pub(super) fn before<'a, T>(
        &'a self,
        n: u64,
        past: Past<'_>,
        choose: impl Fn(&'a Point) -> Option<T>,
    ) -> Option<(u64, T)> {
        let usable = |point: &Point| point.n < n && point.n >= past.forgotten();
        let mut newest_first = self.kept.iter().rev().flatten().map(|point| &**point);
        newest_first.find_map(|point| if usable(point) { Some((point.n, choose(point)?)) } else { None })
    }

    /// The copies at a number or later.
    pub(super) fn from(&mut self, n: u64) -> impl Iterator<Item = &mut Point> {
        self.kept.iter_mut().flatten().filter(move |point| point.n >= n).map(|point| &mut **point)
    }
}

/// The trades that the topic remembers, as they are now.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) struct Past<'a>(pub(in crate::hub) &'a Ring);

impl<'a> Past<'a> {
    /// The newest number that is forgotten.
    pub(super) const fn forgotten(self) -> u64 {
        self.0.forgotten()
    }

    /// The trades that count behind a number, up to another one.
    pub(super) fn between(self, from: u64, until: u64) -> impl Iterator<Item = Traded> + use<'a> {
        let events = self.0.since(from).take_while(move |event| event.n <= until);
        let trades = events.filter_map(|event| match &event.body {
            Body::Tick(Tick::Trade(trade)) => Some(Traded::new(event.n, trade)),
            Body::Tick(_) | Body::Ticker(_) | Body::Bar(_) => None,
        });
        trades.filter(Traded::counts)
    }
}
