//! The feeds as the hub knows them: which is preferred, what their symbols are held to, and whether they work. And what
//! of it concerns the symbols that several of them carry.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{
    FreshnessLimits, Hub, HubError, Topic,
    batch::{PublishBatch, Times},
    failover::Reason,
    lane::Lane,
    topic::FeedRef,
};
use crate::{limits::DEFAULT_PREFERENCE, market::Source};

/// What is stated of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedTerms {
    /// What its symbols are held to.
    pub fresh: FreshnessLimits,
    /// Its place among the feeds that carry a symbol: the lowest is preferred. Among equals it is the one that was
    /// enlisted first.
    pub preference: u32,
    /// How long a symbol that came with a tick stays without another one; for ever, when it is not said.
    pub expires: Option<Duration>,
}

impl Default for FeedTerms {
    fn default() -> Self {
        Self { fresh: FreshnessLimits::default(), preference: DEFAULT_PREFERENCE, expires: None }
    }
}

/// The feeds, in the order in which they were enlisted, and those that carry a symbol together.
#[derive(Debug, Default)]
pub(super) struct FeedTable(Vec<(Source, FeedTerms, bool)>, HashSet<[Source; 2]>);

impl FeedTable {
    /// Feeds whose symbols time alone can make stale.
    pub(super) fn watched(&self) -> Vec<Source> {
        self.0.iter().filter(|(_, terms, _)| terms.fresh.watches_channels()).map(|(feed, ..)| *feed).collect()
    }

    /// Feeds of which idle symbols are removed, and after what time.
    pub(super) fn expiring(&self) -> Vec<(Source, Duration)> {
        self.0.iter().filter_map(|(feed, terms, _)| Some((*feed, terms.expires?))).collect()
    }

    pub(super) fn set_up(&mut self, feed: Source, is_up: bool) {
        match self.0.iter_mut().find(|(name, ..)| *name == feed) {
            Some((.., up)) => *up = is_up,
            None => self.0.push((feed, FeedTerms::default(), is_up)),
        }
    }
}

impl Hub {
    /// Sets a feed's terms, before it declares its symbols; those that are known already stay as they are.
    pub fn enlist(&self, feed: Source, terms: FeedTerms) {
        self.feed_table.write().0.push((feed, terms, false));
    }

    /// A feed as a whole works, though it may have nothing to say.
    pub fn feed_is_up(&self, feed: Source) {
        self.feed_table.write().set_up(feed, true);
        // No event is made: all at once.
        self.each_of(&[feed], &mut 0, |topic, _| topic.feed_is_up(feed, true));
    }

    /// Looks how the feeds stand of the symbols that several carry. To be called a few times a second: grace and hold
    /// are kept to that precision.
    pub fn check_feeds(&self) {
        let contested = self.contested.read().clone();
        if contested.is_empty() {
            return;
        }
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        contested.iter().for_each(|topic| topic.check_feeds(&mut batch));
        batch.end(&self.context);
    }

    /// How many symbols the feed carries while another one is their source.
    #[must_use]
    pub fn standby(&self, feed: Source) -> usize {
        let contested = self.contested.read();
        contested.iter().filter(|topic| topic.feed() != feed && topic.is_carried_by(&[feed])).count()
    }

    pub(super) fn feed_ref(&self, feed: Source) -> FeedRef {
        let feed_table = self.feed_table.read();
        let known = feed_table.0.iter().enumerate().find(|(_, (name, ..))| *name == feed);
        let (position, (terms, is_up)) = known.map_or_else(
            || (usize::MAX, (FeedTerms::default(), false)),
            |(position, (_, terms, is_up))| (position, (*terms, *is_up)),
        );
        FeedRef { feed, rank: (terms.preference, position), limits: terms.fresh, is_up }
    }

    /// The feed carries the symbol, too.
    pub(super) fn carried(
        &self,
        topic: Arc<Topic>,
        feed: Source,
        lanes: &[Option<Arc<Lane>>],
    ) -> Result<Arc<Topic>, HubError> {
        if topic.state_of(feed).is_some() {
            return Ok(topic);
        }
        let mut batch = PublishBatch::new(lanes, self.times());
        let count = topic.carry(self.feed_ref(feed), &mut batch);
        batch.end(&self.context);
        if count.is_some() {
            self.pair(&topic, feed);
        }
        match count {
            Some(2) => self.contest(&topic),
            Some(_) => {}
            // Another thread may have declared it meanwhile.
            None if topic.state_of(feed).is_some() => {}
            None => return Err(HubError::TooManyFeeds(topic.symbol())),
        }
        Ok(topic)
    }

    /// Several feeds carry it: how they stand is looked at from now on.
    pub(super) fn contest(&self, topic: &Arc<Topic>) {
        self.contested.write().push(Arc::clone(topic));
    }

    /// Metrics of the feed and the others that carry a symbol, made once for each pair.
    pub(super) fn pair(&self, topic: &Topic, feed: Source) {
        for (other, _) in topic.feeds() {
            let pairs = &mut self.feed_table.write().1;
            if other != feed && !pairs.contains(&[other, feed]) && pairs.insert([feed, other]) {
                self.metrics.switches.pair(feed.as_str(), other.as_str(), &Reason::LABELS);
            }
        }
    }

    pub(super) fn times(&self) -> Times {
        Times { received: self.clock.instant(), now: self.clock.now(), steady: self.clock.steady() }
    }
}
