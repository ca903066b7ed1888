//! What concerns every symbol of a feed, told in bursts: a lane holds less than a hub has symbols, and has to be emptied
//! in between. The first burst goes out with the call; the keeper of the hub's time lets the others follow.

use std::{sync::Arc, vec::IntoIter};

use super::{Hub, Topic, batch::PublishBatch};
use crate::{
    limits::MAX_BURST_TICKS,
    market::{Source, State, Status, Symbol, Tick, UnixMicros},
};

/// What is still to be told to symbols of one feed.
#[derive(Debug)]
pub(super) struct Sweep {
    feed: Source,
    what: What,
    rest: Rest,
}

#[derive(Debug)]
enum What {
    /// The feed as a whole is lost or has ended.
    Down { state: State, why: String, since: UnixMicros },
    /// It proves alive again.
    Back,
}

/// Which symbols are left.
#[derive(Debug)]
enum Rest {
    /// All from that number on that the feed carries.
    From(u32),
    /// These.
    Named(IntoIter<Symbol>),
}

impl Hub {
    /// Tells the state of a whole feed that is lost or has ended, on the status channel of each symbol whose source it
    /// is. [`MAX_BURST_TICKS`] symbols are told at once, the others by [`sweep`](Self::sweep). A symbol that is closed already
    /// stays so: that its feed is lost changes nothing about it.
    pub fn set_feed_state(&self, feed: Source, state: State, why: &str) {
        self.feed_table.write().set_up(feed, false);
        // No event is made: all at once, so that a feed that is up again meanwhile stays up.
        self.each_of(&[feed], &mut 0, |topic, _| topic.feed_is_up(feed, false));
        let what = What::Down { state, why: why.to_owned(), since: self.clock.now() };
        self.begin(Sweep { feed, what, rest: Rest::From(0) });
    }

    /// A feed proves alive again: its symbols are no longer stale for its sake. [`MAX_BURST_TICKS`] changes are told at
    /// once, the others by [`sweep`](Self::sweep).
    pub fn feed_is_back(&self, feed: Source) {
        self.feed_table.write().set_up(feed, true);
        self.begin(Sweep { feed, what: What::Back, rest: Rest::From(0) });
    }

    /// A feed proves alive again: those symbols are no longer stale for its sake. Told as
    /// [`feed_is_back`](Self::feed_is_back) tells.
    pub fn symbols_are_back(&self, feed: Source, symbols: impl IntoIterator<Item = Symbol>) {
        let symbols: Vec<_> = symbols.into_iter().collect();
        self.begin(Sweep { feed, what: What::Back, rest: Rest::Named(symbols.into_iter()) });
    }

    /// One more burst of what [`set_feed_state`](Self::set_feed_state) and its like have begun. Returns whether something
    /// is left; to be called until then, while no lane is congested.
    pub fn sweep(&self) -> bool {
        let mut sweeps = self.sweeps.lock();
        if let Some(mut next) = sweeps.pop_front()
            && self.burst(&mut next)
        {
            sweeps.push_back(next);
        }
        !sweeps.is_empty()
    }

    /// What was still to be told of the feed is out of date.
    fn begin(&self, mut sweep: Sweep) {
        let mut sweeps = self.sweeps.lock();
        sweeps.retain(|other| other.feed != sweep.feed);
        if self.burst(&mut sweep) {
            sweeps.push_back(sweep);
        }
    }

    fn burst(&self, sweep: &mut Sweep) -> bool {
        let Sweep { feed, what, rest } = sweep;
        let (feed, what) = (*feed, &*what);
        let each = |topic: &Topic, batch: &mut PublishBatch<'_>| match what {
            What::Down { .. } if topic.state_of(feed) == Some(State::Closed) => {}
            What::Down { state, why, since } => {
                let (symbol, why) = (topic.symbol(), why.clone().into());
                let told = Status { symbol, state: *state, source: feed, since: *since, why };
                let _another_feeds = topic.publish(feed, Tick::Status(told), batch);
            }
            What::Back => topic.feed_is_back(feed, batch),
        };
        match rest {
            Rest::From(position) => self.each_of(&[feed], position, each),
            Rest::Named(symbols) => {
                let lanes = self.lanes.read();
                let mut batch = PublishBatch::new(&lanes, self.times());
                let topics = symbols.by_ref().take(MAX_BURST_TICKS).filter_map(|symbol| self.topic(symbol));
                topics.for_each(|topic| each(&topic, &mut batch));
                batch.end(&self.context);
                symbols.len() > 0
            }
        }
    }

    /// Looks for symbols whose channels have been quiet for longer than their feed's limits allow. To be called a few
    /// times a second; looks at no symbol of a feed without such limits. Tells at most [`MAX_BURST_TICKS`] changes and
    /// returns whether there may be more.
    pub fn check_freshness(&self) -> bool {
        let watched = self.feed_table.read().watched();
        let mut position = self.looked_at.lock();
        if watched.is_empty() {
            return false;
        }
        let more = self.each_of(&watched, &mut position, |topic, batch| topic.check_freshness(batch));
        if !more {
            *position = 0;
        }
        more
    }

    /// Does something with each topic of the feeds, from a number on, until it has made a burst of events. Returns
    /// whether topics are left.
    pub(super) fn each_of(
        &self,
        feeds: &[Source],
        number: &mut u32,
        mut each: impl FnMut(&Topic, &mut PublishBatch<'_>),
    ) -> bool {
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        let mut more = true;
        while more && batch.events() < MAX_BURST_TICKS {
            let topics: Vec<Arc<Topic>> = self.topics.since(*number, MAX_BURST_TICKS - batch.events());
            more = !topics.is_empty();
            *number = topics.last().map_or(*number, |last| last.id().number() + 1);
            topics.iter().filter(|topic| topic.is_carried_by(feeds)).for_each(|it| each(it, &mut batch));
        }
        if batch.standby > 0 {
            self.metrics.switches.standby(feeds[0].as_str(), batch.standby);
        }
        batch.end(&self.context);
        more
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::{
        clock::Clock,
        hub::{FeedTerms, FreshnessLimits, HubConfig, Lane},
        market::{Channel, Quote},
        metrics::Metrics,
    };

    /// More symbols than a lane holds, all heard once at a second after the epoch, and a lane that listens to them.
    fn hub(terms: FeedTerms) -> (Hub, Arc<Lane>, Source, Vec<Symbol>) {
        let feed = Source::new("f").unwrap();
        let config = HubConfig { lane_events: MAX_BURST_TICKS + 1, ..HubConfig::default() };
        let hub = Hub::new(config, "e".into(), Clock::manual(UnixMicros(1)), Arc::new(Metrics::new()));
        hub.enlist(feed, terms);
        let symbols: Vec<_> =
            (0..3 * MAX_BURST_TICKS + 10).map(|i| Symbol::new(&format!("S{i}")).unwrap()).collect();
        let lane = hub.open_lane().unwrap();
        for symbol in &symbols {
            let topic = hub.declare(*symbol, feed).unwrap();
            let quote = Quote {
                symbol: *symbol,
                bid: None,
                ask: None,
                source: feed,
                te: None,
                tr: UnixMicros(1),
                is_snapshot: false,
            };
            hub.publish(feed, [Tick::Quote(quote)]);
            let _head = topic.join(lane.index(), Channel::Status);
        }
        (hub, lane, feed, symbols)
    }

    fn in_state(hub: &Hub, state: State) -> usize {
        hub.states()
            .iter()
            .filter(|(_, of, _)| *of == state)
            .map(|(.., count)| usize::try_from(*count).unwrap())
            .sum()
    }

    /// The sizes of the bursts of `first` and of what follows it, with the lane emptied after each.
    fn bursts(lane: &Lane, first: impl FnOnce(), mut more: impl FnMut() -> bool) -> Vec<usize> {
        let mut bursts = Vec::new();
        first();
        loop {
            let mut events = VecDeque::new();
            assert_eq!(lane.drain(&mut events).skipped, 0, "the lane was lapped");
            bursts.push(events.len());
            if !more() && events.is_empty() {
                return bursts;
            }
        }
    }

    #[test]
    fn a_large_feed_that_is_lost_and_comes_back_laps_no_lane() {
        let (hub, lane, feed, symbols) = hub(FeedTerms::default());
        let lost = || hub.set_feed_state(feed, State::Stale, "gone");
        let told = bursts(&lane, lost, || hub.sweep());
        assert!(told.iter().all(|burst| *burst <= MAX_BURST_TICKS), "{told:?}");
        assert_eq!(
            (told.iter().sum::<usize>(), in_state(&hub, State::Stale)),
            (symbols.len(), symbols.len())
        );
        bursts(&lane, || hub.feed_is_back(feed), || hub.sweep());
        assert_eq!(in_state(&hub, State::Live), symbols.len());
        bursts(&lane, lost, || hub.sweep());
        bursts(&lane, || hub.symbols_are_back(feed, symbols.iter().copied().skip(10)), || hub.sweep());
        assert_eq!(in_state(&hub, State::Live), symbols.len() - 10);
    }

    #[test]
    fn what_was_still_to_be_told_of_a_lost_feed_is_not_told_when_it_is_back() {
        let (hub, _lane, feed, symbols) = hub(FeedTerms::default());
        hub.set_feed_state(feed, State::Stale, "gone");
        assert_eq!(in_state(&hub, State::Stale), MAX_BURST_TICKS);
        hub.feed_is_back(feed);
        while hub.sweep() {}
        assert_eq!(in_state(&hub, State::Live), symbols.len());
    }

    #[test]
    fn many_symbols_that_fall_silent_at_once_lap_no_lane() {
        let quotes = Some(std::time::Duration::from_secs(1));
        let fresh = FreshnessLimits { quotes, ..FreshnessLimits::default() };
        let (hub, lane, _, symbols) = hub(FeedTerms { fresh, ..FeedTerms::default() });
        hub.clock().pass(60_000_000);
        let mut look = || hub.check_freshness();
        let told = bursts(&lane, || {}, &mut look);
        assert!(told.iter().all(|burst| *burst <= MAX_BURST_TICKS), "{told:?}");
        assert_eq!(in_state(&hub, State::Stale), symbols.len());
    }
}
