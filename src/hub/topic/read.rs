//! What a topic remembers, for those who read it: the newest events, history, and what came since a number.

use std::sync::Arc;

use super::Topic;
use crate::{
    dialect::{Encoding, native},
    hub::{
        Event,
        history::{self, BarSpan, Page},
        sum::Sum,
    },
    market::{Channel, Interval},
};

/// What a topic remembers of a channel after some number.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The events, in order. Of trades and corrections all since [`forgotten`](Self::forgotten), of bars the final ones and
    /// the newest, of the other channels the newest.
    pub events: Vec<Arc<Event>>,
    /// Number of the newest event that is forgotten although it should be remembered: a trade or a final bar. 0 when
    /// none is.
    pub forgotten: u64,
}

impl Topic {
    /// What is still remembered of a channel after the given number.
    #[must_use]
    pub fn since(&self, channel: Channel, seen: u64) -> Remembered {
        let inner = &mut *self.inner.lock();
        self.catch_up(inner, channel);
        let after = |event: &&Arc<Event>| event.n > seen;
        let last = inner.last[channel.index()].iter().filter(after);
        let ring = match (channel, &inner.derived) {
            (Channel::Trades, _) => &inner.trades,
            (Channel::Corrections, _) => &inner.corrections,
            (Channel::Bars(interval), Some(memory)) => &memory.bars[interval.index()],
            (Channel::Bars(_) | Channel::Quotes | Channel::Status | Channel::Ticker, _) => {
                let mut events: Vec<_> =
                    last.chain(inner.lost[channel.index()].iter().filter(after)).cloned().collect();
                events.sort_by_key(|event| event.n);
                return Remembered { events, forgotten: 0 };
            }
        };
        let mut events: Vec<_> = ring.since(seen).cloned().collect();
        for event in last {
            // The forming bar; and the newest trade, where later losses have pushed it out of the ring.
            if let Err(place) = events.binary_search_by_key(&event.n, |event| event.n) {
                events.insert(place, Arc::clone(event));
            }
        }
        Remembered { events, forgotten: ring.forgotten() }
    }

    /// The newest number of a channel.
    #[must_use]
    pub fn head(&self, channel: Channel) -> u64 {
        self.inner.lock().heads[channel.index()]
    }

    /// The newest event of a channel.
    #[must_use]
    pub fn last(&self, channel: Channel) -> Option<Arc<Event>> {
        let inner = &mut *self.inner.lock();
        self.catch_up(inner, channel);
        inner.last[channel.index()].clone()
    }

    /// Whether a channel's newest event is a loss: what was missed behind its newest value is told already.
    #[must_use]
    pub fn ends_lost(&self, channel: Channel) -> bool {
        self.inner.lock().goes_on_lost(channel)
    }

    /// Adds how it stands to a sum: the numbers of all channels, what is derived, and the newest of what was told.
    pub(in crate::hub) fn add_to(&self, sum: Sum) -> Sum {
        let inner = self.inner.lock();
        let sum = sum.uint(u64::from(self.id.number())).bytes(self.symbol.as_str().as_bytes());
        let sum = inner.heads.iter().fold(sum.uint(self.base), |sum, head| sum.uint(*head));
        let source = inner.candidates.source();
        let sum = sum
            .bytes(inner.candidates.feed().as_str().as_bytes())
            .bytes(source.freshness.shown().as_str().as_bytes());
        let told = Channel::FED.into_iter().filter_map(|channel| inner.last[channel.index()].clone());
        let sum = told.fold(sum, |sum, event| sum.bytes(&event.encoded(Encoding::Json)));
        let Some(memory) = inner.derived.as_deref() else { return sum };
        let derived = Channel::DERIVED.into_iter().filter_map(|channel| memory.computed.newest(channel));
        derived.fold(sum, |sum, body| sum.bytes(&native::encode_event(0, &body, Encoding::Json)))
    }

    /// The newest remembered trades with numbers below `before`, at most `limit`.
    #[must_use]
    pub fn trades(&self, before: Option<u64>, limit: usize) -> Page {
        let inner = self.inner.lock();
        history::trades(&inner.trades, inner.heads[Channel::Trades.index()], before, limit)
    }

    /// The newest remembered bars of a span, at most `limit`: final ones, and the one that forms now. The page's position
    /// is for a merging subscription; to a stream the forming bars since then are a gap unless there were none.
    #[must_use]
    pub fn bars(&self, interval: Interval, span: &BarSpan, limit: usize) -> Page {
        let inner = &mut *self.inner.lock();
        let channel = Channel::Bars(interval);
        self.catch_up(inner, channel);
        let Some(memory) = &inner.derived else {
            return Page { events: Vec::new(), has_older: false, position: 0 };
        };
        history::bars(&memory.bars[interval.index()], inner.last[channel.index()].as_ref(), span, limit)
    }
}
