//! A hub that numbers what another gateway's feeds say: its clock, and its way back into step.
//!
//! It has no feeds of its own, so nothing but [`Hub::apply`], [`Hub::pass_due`] and [`Hub::renew`] changes it: all gateways
//! that apply the same in the same order have the same numbers.

use std::collections::HashSet;

use super::{Hub, Image, Numbered, Numbering, RestoreError, batch::PublishBatch};
use crate::{
    limits::MAX_BURST_TICKS,
    market::{Symbol, UnixMicros},
};

/// The rules by which numbers and derived values follow from what sources say. Gateways with other rules come to other values:
/// it is raised with every change of them.
pub const RULES: u32 = 1;

impl Hub {
    /// Lets time pass for the symbols for which that changes something, in the order of their numbers, but for those that
    /// `may` leaves out. At most [`MAX_BURST_TICKS`] symbols at once, so that lanes can be emptied in between; returns whether
    /// there are more.
    pub fn pass_due(&self, now: UnixMicros, may: impl Fn(Symbol) -> bool) -> bool {
        let topics = self.topics.some(MAX_BURST_TICKS + 1, |topic| topic.due() <= now && may(topic.symbol()));
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        for topic in topics.iter().take(MAX_BURST_TICKS) {
            topic.pass(now, &mut batch);
        }
        batch.end(&self.context);
        topics.len() > MAX_BURST_TICKS
    }

    /// Whether the passing of time changes something by then.
    #[must_use]
    pub fn is_due(&self, now: UnixMicros) -> bool {
        !self.topics.some(1, |topic| topic.due() <= now).is_empty()
    }

    /// Comes into step with another gateway, whose topics these images are, in the order of their numbers. Numbers jump: each
    /// shard is told what topics remember and of what is not remembered. Topics that the other one has not are removed.
    ///
    /// # Errors
    /// When an image is none of a topic; then nothing may be applied before another call has succeeded.
    pub fn renew(&self, images: Vec<Image<Numbered>>, numbering: Numbering) -> Result<(), RestoreError> {
        self.renew_as(images, numbering, &self.epoch())
    }

    /// Likewise with one whose numbering has that name. If it is another name, shards begin all anew at once: nothing of the
    /// new numbers is told under the old name.
    ///
    /// # Errors
    /// As [`renew`](Self::renew).
    pub fn renew_as(
        &self,
        images: Vec<Image<Numbered>>,
        numbering: Numbering,
        epoch: &str,
    ) -> Result<(), RestoreError> {
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        let kept: HashSet<_> = images.iter().map(|image| (image.id, image.symbol, image.base)).collect();
        for topic in self.all_topics() {
            if !kept.contains(&(topic.id().number(), topic.symbol(), topic.base())) {
                self.remove(topic.symbol(), &mut batch);
            }
        }
        let mut next = 0;
        for image in images {
            let (id, symbol) = (image.id, image.symbol);
            if id < next {
                return Err(RestoreError::Unsound(symbol));
            }
            next = id.checked_add(1).ok_or(RestoreError::Unsound(symbol))?;
            match self.topic_at(id) {
                Some(topic) => {
                    let others = self.others(&image);
                    let feeds = (self.feed_ref(image.feed), &*others);
                    let renewed = topic.renew(image, feeds, batch.received);
                    renewed.ok_or(RestoreError::Unsound(symbol))?;
                }
                None => {
                    let _topic = self.make_restored(image, batch.received)?;
                }
            }
        }
        self.topics.set_next(numbering.next.max(next));
        *self.numbering.lock() = numbering;
        batch.end(&self.context);
        // Behind all changes: a shard that caught up before would miss those that came after.
        if *epoch == *self.epoch() {
            lanes.iter().flatten().for_each(|lane| lane.lap());
        } else {
            drop(lanes);
            self.renumber(epoch.to_owned());
        }
        Ok(())
    }

    /// A sum over at most `most` topics from that number on: their numbers, newest values and states. Gateways that have applied
    /// the same have the same.
    #[must_use]
    pub fn sum(&self, from: u32, most: u32) -> u64 {
        let topics = self.topics.since(from, usize::try_from(most).unwrap_or(usize::MAX));
        topics.iter().fold(super::sum::Sum::default(), |sum, topic| topic.add_to(sum)).value()
    }
}
