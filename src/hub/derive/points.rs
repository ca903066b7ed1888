//! What the derived values came to some trades ago, so that a trade can be taken out of them again.
//!
//! A sum loses a trade by subtraction. A highest price does not: what remains must be looked through, and the topic
//! remembers the last trades only. So the values are copied every so often, and two copies are kept, of which the older one
//! is never older than the oldest trade that is remembered: from it and the trades behind it, without the one that
//! goes, follow the values as if it had never come. A trade that is older than both copies is subtracted only.

use serde::{Deserialize, Serialize};

use super::past::Past;
use crate::limits::POINT_TRADES;

/// The values at one number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Point<V> {
    pub(super) n: u64,
    pub(super) values: V,
}

/// The two copies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Points<V> {
    /// Numbers between two copies.
    every: u64,
    last: u64,
    /// The older one first.
    copies: [Option<Box<Point<V>>>; 2],
}

impl<V> Default for Points<V> {
    fn default() -> Self {
        Self { every: POINT_TRADES, last: 0, copies: [None, None] }
    }
}

impl<V> Points<V> {
    /// For a topic that remembers that many trades; the first copy is due that far behind `head`.
    pub(super) fn new(trades: usize, head: u64) -> Self {
        let half = u64::try_from(trades / 2).unwrap_or(POINT_TRADES);
        Self { every: half.clamp(1, POINT_TRADES), last: head, copies: [None, None] }
    }

    /// Whether a topic can have come to that, with what `is_sound` says of its values; what another gateway has sent may be
    /// anything.
    pub(super) fn is_sound(&self, head: u64, is_sound: impl Fn(&V) -> bool) -> bool {
        let copies = self.copies.iter().flatten();
        (1..=POINT_TRADES).contains(&self.every)
            && self.last <= head
            && copies.map(|point| &**point).all(|Point { n, values }| *n <= head && is_sound(values))
    }

    pub(super) const fn is_due(&self, n: u64) -> bool {
        n.saturating_sub(self.last) >= self.every
    }

    pub(super) fn push(&mut self, point: Point<V>) {
        self.last = point.n;
        self.copies[0] = self.copies[1].replace(Box::new(point));
    }

    /// The newest copy before a number from which every trade is remembered, and for which `choose` finds something.
    pub(super) fn before<'a, T>(
        &'a self,
        n: u64,
        past: Past<'_>,
        choose: impl Fn(&'a V) -> Option<T>,
    ) -> Option<(u64, T)> {
        let usable = |point: &Point<V>| point.n < n && point.n >= past.forgotten();
        let mut newest_first = self.copies.iter().rev().flatten().map(|point| &**point);
        newest_first
            .find_map(|point| if usable(point) { Some((point.n, choose(&point.values)?)) } else { None })
    }

    /// The copies at a number or later.
    pub(super) fn from(&mut self, n: u64) -> impl Iterator<Item = &mut Point<V>> {
        self.copies.iter_mut().flatten().filter(move |point| point.n >= n).map(|point| &mut **point)
    }
}
