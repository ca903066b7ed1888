//! Which of the feeds that carry a symbol is its source: one at a time, the preferred one that works.
//!
//! The others stand by. When the source is lost for longer than the grace time, the best of them that works takes over;
//! a more preferred one takes back once it has worked for the hold time. A feed works when the symbol is live there and
//! something was said of it since it is, so that a new source never stands beside an old one's price. Feeds that
//! subscribe on demand are asked one after the other, each a grace time after the one before.
//!
//! Refuses to look at ticks or clocks: it is told how each feed stands, and when.

use std::time::Duration;

use crate::{
    clock::Instant,
    limits::{DEFAULT_FAILOVER_GRACE, DEFAULT_FAILOVER_HOLD},
    market::State,
};

/// How patient the choice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailoverTimes {
    /// How long a source may be lost before another feed takes over.
    pub grace: Duration,
    /// How long a more preferred feed must work before it takes back.
    pub hold: Duration,
}

impl Default for FailoverTimes {
    fn default() -> Self {
        Self { grace: DEFAULT_FAILOVER_GRACE, hold: DEFAULT_FAILOVER_HOLD }
    }
}

/// How a feed stands with one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: State,
    /// Whether it said anything of the symbol since it is live.
    pub(super) has_ticked: bool,
    /// Whether the feed as a whole works: it may have nothing to say of the symbol yet.
    pub(super) is_up: bool,
    /// Whether it brings the symbol only while it has listeners.
    pub(super) is_on_demand: bool,
}

impl Standing {
    const fn works(self) -> bool {
        matches!(self.state, State::Live | State::Halted) && self.has_ticked
    }

    /// Why it cannot be the source, if it cannot. A halt is the venue's word and no reason to look elsewhere.
    const fn lost(self, is_wanted: bool) -> Option<Reason> {
        if self.is_on_demand && !is_wanted {
            return None;
        }
        match self.state {
            State::Live | State::Halted => None,
            State::Pending if self.is_up => None,
            State::Pending => Some(Reason::Pending),
            State::Stale => Some(Reason::Stale),
            State::Closed => Some(Reason::Closed),
        }
    }
}

/// Why the source of a symbol changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The one before was never there.
    Pending,
    /// It was lost, silent or late.
    Stale,
    /// It has ended, or refuses the symbol.
    Closed,
    /// A more preferred feed works again.
    Preferred,
}

impl Reason {
    /// Every one, as metric labels.
    pub(super) const LABELS: [&str; 4] = ["pending", "stale", "closed", "preferred"];

    /// The name as a metric label.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Stale => "stale",
            Self::Closed => "closed",
            Self::Preferred => "preferred",
        }
    }
}

/// What follows from a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Stay,
    /// Other feeds are asked for the symbol than before.
    Asks,
    /// That one is the source from now on.
    Switch(usize, Reason),
}

/// The choice among the feeds of one symbol, which stand in the order of preference.
#[derive(Debug, Default)]
pub(super) struct Choice {
    current: usize,
    /// Position of the last feed that is asked; all before it are, too.
    asked: usize,
    asked_since: Option<Instant>,
    lost_since: Option<Instant>,
    /// Since when the others have worked.
    works_since: Vec<Option<Instant>>,
}

impl Choice {
    /// The source's position.
    pub(super) const fn current(&self) -> usize {
        self.current
    }

    /// Whether the feed at that position brings the symbol while it has listeners.
    pub(super) const fn asks(&self, position: usize) -> bool {
        position <= self.asked
    }

    /// One more feed stands at that position; those behind it have moved. The source stays what it is.
    pub(super) fn insert(&mut self, position: usize, is_first: bool) {
        self.works_since.insert(position.min(self.works_since.len()), None);
        if !is_first && position <= self.current {
            self.current += 1;
            self.asked += 1;
        }
    }

    /// The feed at that position is the source without ado: the one before has said nothing.
    pub(super) fn choose(&mut self, position: usize) {
        self.current = position;
        self.asked = position;
        self.asked_since = None;
        self.lost_since = None;
    }

    /// The gateway was held up for `late`: feeds that were lost or worked may have changed meanwhile, and have their time.
    pub(super) fn excuse(&mut self, late: Duration, now: Instant) {
        let times = [&mut self.asked_since, &mut self.lost_since].into_iter();
        for time in times.chain(&mut self.works_since).flatten() {
            *time = (*time + late).min(now);
        }
    }

    /// Draws the consequences of how the feeds stand now. `is_wanted`: whether the symbol has listeners.
    pub(super) fn look(
        &mut self,
        now: Instant,
        is_wanted: bool,
        standings: &[Standing],
        times: &FailoverTimes,
    ) -> Verdict {
        for (since, standing) in self.works_since.iter_mut().zip(standings) {
            *since = standing.works().then(|| since.unwrap_or(now));
        }
        let held = |since: &Option<Instant>| since.is_some_and(|since| now >= since + times.hold);
        if let Some(better) = self.works_since[..self.current].iter().position(held) {
            return self.switch(better, Reason::Preferred);
        }
        let Some(reason) = standings.get(self.current).and_then(|standing| standing.lost(is_wanted)) else {
            self.lost_since = None;
            self.asked_since = None;
            let asked = std::mem::replace(&mut self.asked, self.current);
            return if asked == self.current { Verdict::Stay } else { Verdict::Asks };
        };
        if now < *self.lost_since.get_or_insert(now) + times.grace {
            return Verdict::Stay;
        }
        let works = |position: &usize| *position != self.current && self.works_since[*position].is_some();
        if let Some(other) = (0..standings.len()).find(works) {
            return self.switch(other, reason);
        }
        self.ask_another(now, is_wanted, standings, times)
    }

    fn switch(&mut self, to: usize, reason: Reason) -> Verdict {
        self.choose(to);
        Verdict::Switch(to, reason)
    }

    fn ask_another(
        &mut self,
        now: Instant,
        is_wanted: bool,
        standings: &[Standing],
        times: &FailoverTimes,
    ) -> Verdict {
        let has_patience = self.asked_since.is_some_and(|since| now < since + times.grace);
        if !is_wanted || has_patience {
            return Verdict::Stay;
        }
        // A feed that refuses the symbol or has ended need not be asked.
        let is_open = |position: &usize| standings[*position].state != State::Closed;
        match (self.asked + 1..standings.len()).find(is_open) {
            Some(next) => {
                self.asked = next;
                self.asked_since = Some(now);
                Verdict::Asks
            }
            None => Verdict::Stay,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: FailoverTimes =
        FailoverTimes { grace: Duration::from_secs(5), hold: Duration::from_secs(30) };

    /// A feed that is hot: live and heard.
    const HOT: Standing = Standing { state: State::Live, has_ticked: true, is_up: true, is_on_demand: false };
    const LOST: Standing =
        Standing { state: State::Stale, has_ticked: false, is_up: false, is_on_demand: false };
    /// One that is not asked and subscribes on demand.
    const IDLE: Standing = Standing { is_on_demand: true, ..LOST };
    const REFUSED: Standing = Standing { state: State::Closed, ..LOST };

    struct World {
        choice: Choice,
        start: Instant,
    }

    impl World {
        fn of(feeds: usize) -> Self {
            let mut choice = Choice::default();
            (0..feeds).for_each(|position| choice.insert(position, position == 0));
            Self { choice, start: Instant::now() }
        }

        fn at(&mut self, second: u64, wanted: bool, standings: &[Standing]) -> Verdict {
            let now = self.start + Duration::from_secs(second);
            self.choice.look(now, wanted, standings, &TIMES)
        }
    }

    #[test]
    fn a_hot_standby_takes_over_after_the_grace_and_the_preferred_one_takes_back_after_the_hold() {
        let mut world = World::of(2);
        assert_eq!(world.at(0, true, &[HOT, HOT]), Verdict::Stay);
        assert_eq!(world.at(10, true, &[LOST, HOT]), Verdict::Stay);
        assert_eq!(world.at(14, true, &[LOST, HOT]), Verdict::Stay);
        assert_eq!(world.at(15, true, &[LOST, HOT]), Verdict::Switch(1, Reason::Stale));
        assert_eq!(world.at(20, true, &[HOT, HOT]), Verdict::Stay);
        // It was lost again within the hold: the time starts anew.
        assert_eq!(world.at(49, true, &[LOST, HOT]), Verdict::Stay);
        assert_eq!(world.at(60, true, &[HOT, HOT]), Verdict::Stay);
        assert_eq!(world.at(89, true, &[HOT, HOT]), Verdict::Stay);
        assert_eq!(world.at(90, true, &[HOT, HOT]), Verdict::Switch(0, Reason::Preferred));
        assert_eq!(world.at(91, true, &[HOT, LOST]), Verdict::Stay);
    }

    #[test]
    fn a_short_loss_a_halt_and_a_quiet_symbol_of_a_feed_that_works_change_nothing() {
        let mut world = World::of(2);
        let halted = Standing { state: State::Halted, ..HOT };
        let quiet = Standing { state: State::Pending, has_ticked: false, ..HOT };
        for second in 0..100 {
            let first = match second % 5 {
                0 => HOT,
                _ => LOST,
            };
            assert_eq!(world.at(second, true, &[first, HOT]), Verdict::Stay);
        }
        for (second, first) in [(100, halted), (200, halted), (300, quiet), (400, quiet)] {
            assert_eq!(world.at(second, true, &[first, HOT]), Verdict::Stay);
        }
        let absent = Standing { is_up: false, ..quiet };
        assert_eq!(world.at(401, true, &[absent, HOT]), Verdict::Stay);
        assert_eq!(world.at(406, true, &[absent, HOT]), Verdict::Switch(1, Reason::Pending));
    }

    #[test]
    fn a_standby_that_said_nothing_does_not_take_over() {
        let mut world = World::of(2);
        let mute = Standing { has_ticked: false, ..HOT };
        assert_eq!(world.at(0, true, &[LOST, mute]), Verdict::Stay);
        assert_eq!(world.at(5, true, &[LOST, mute]), Verdict::Asks);
        assert_eq!(world.at(60, true, &[LOST, mute]), Verdict::Stay);
        assert_eq!(world.at(61, true, &[LOST, HOT]), Verdict::Switch(1, Reason::Stale));
    }

    #[test]
    fn those_on_demand_are_asked_one_after_the_other_and_let_go_again() {
        let mut world = World::of(4);
        let on = Standing { is_on_demand: true, ..HOT };
        assert_eq!(world.at(0, true, &[IDLE, IDLE, REFUSED, IDLE]), Verdict::Stay);
        assert!(world.choice.asks(0) && !world.choice.asks(1));
        assert_eq!(world.at(5, true, &[IDLE, IDLE, REFUSED, IDLE]), Verdict::Asks);
        assert!(world.choice.asks(1) && !world.choice.asks(3));
        assert_eq!(world.at(9, true, &[IDLE, IDLE, REFUSED, IDLE]), Verdict::Stay);
        assert_eq!(world.at(10, true, &[IDLE, IDLE, REFUSED, IDLE]), Verdict::Asks);
        assert!(world.choice.asks(3));
        // The first is back before another was there.
        assert_eq!(world.at(11, true, &[on, IDLE, REFUSED, IDLE]), Verdict::Asks);
        assert!(!world.choice.asks(1));
        assert_eq!(world.at(20, true, &[REFUSED, IDLE, REFUSED, IDLE]), Verdict::Stay);
        assert_eq!(world.at(25, true, &[REFUSED, IDLE, REFUSED, IDLE]), Verdict::Asks);
        let switched = world.at(26, true, &[REFUSED, on, REFUSED, IDLE]);
        assert_eq!(switched, Verdict::Switch(1, Reason::Closed));
        assert!(world.choice.asks(0) && world.choice.asks(1), "the preferred one stays asked for");
        world.at(30, true, &[on, on, REFUSED, IDLE]);
        let switched = world.at(60, true, &[on, on, REFUSED, IDLE]);
        assert_eq!(switched, Verdict::Switch(0, Reason::Preferred));
        assert!(!world.choice.asks(1));
    }

    #[test]
    fn nobody_listens_then_an_idle_feed_is_not_lost() {
        let mut world = World::of(2);
        for second in 0..100 {
            assert_eq!(world.at(second, false, &[IDLE, HOT]), Verdict::Stay);
        }
        assert_eq!(world.at(100, true, &[IDLE, HOT]), Verdict::Stay, "it has its time to subscribe");
        assert_eq!(world.at(105, true, &[IDLE, HOT]), Verdict::Switch(1, Reason::Stale));
    }

    #[test]
    fn a_feed_that_comes_later_moves_the_others_and_not_the_source() {
        let mut world = World::of(2);
        assert_eq!(world.choice.current(), 0);
        world.choice.insert(0, false);
        assert_eq!(world.choice.current(), 1);
        assert_eq!(world.at(0, true, &[HOT, HOT, LOST]), Verdict::Stay);
        assert_eq!(world.at(30, true, &[HOT, HOT, LOST]), Verdict::Switch(0, Reason::Preferred));
    }
}
