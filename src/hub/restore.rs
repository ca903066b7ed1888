//! A hub that goes on from what another one remembered.

use std::sync::Arc;

use super::{Hub, HubError, Image, Input, Numbered, Numbering, Topic, batch::PublishBatch, topic::FeedRef};
use crate::{
    clock::Instant,
    market::{Source, State, Status, Symbol, Tick},
};

/// Why a hub cannot go on from images.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// No topic can have come to that.
    #[error("what is kept of {0} does not fit together")]
    Unsound(Symbol),
    /// More symbols than a hub takes.
    #[error("{0}")]
    Full(#[from] HubError),
}

impl Hub {
    /// Goes on from what another hub remembered; to be called before anything is declared. Numbers go on behind the
    /// images', and every symbol is stale until it is heard itself. Images come in the order of their topics' numbers.
    ///
    /// `interrupted` feeds were away from sources that went on: their streams are told of one loss.
    ///
    /// # Errors
    /// When an image is none of a topic; then the hub must not be used.
    pub fn restore(
        &self,
        images: Vec<Image<Numbered>>,
        numbering: Numbering,
        interrupted: &[Source],
    ) -> Result<(), RestoreError> {
        let mut batch = PublishBatch::new(&[], self.times());
        for image in images {
            let (symbol, feed) = (image.symbol, image.feed);
            self.context.tap(|| Input::Restored(Box::new(image.clone())));
            let topic = self.restore_topic(image, batch.received)?;
            if interrupted.contains(&feed) {
                topic.interrupted(&mut batch);
            }
            let (state, why) = match topic.state() {
                State::Pending => (State::Pending, crate::hub::freshness::NOTHING_YET),
                State::Live | State::Stale | State::Halted | State::Closed => {
                    (State::Stale, "kept from before the restart; not received since")
                }
            };
            let since = self.clock.now();
            let status = Status { symbol, state, source: feed, since, why: why.into() };
            let _its_own = topic.publish(feed, Tick::Status(status), &mut batch);
        }
        self.context.tap(|| Input::Numbering(numbering.clone()));
        self.go_on_from(numbering);
        batch.end(&self.context);
        Ok(())
    }

    /// A topic that goes on from an image.
    pub(super) fn restore_topic(
        &self,
        image: Image<Numbered>,
        received: Instant,
    ) -> Result<Arc<Topic>, RestoreError> {
        if image.id < self.topics.next() {
            return Err(RestoreError::Unsound(image.symbol));
        }
        self.make_restored(image, received)
    }

    /// The same, of any number that no topic has.
    pub(super) fn make_restored(
        &self,
        image: Image<Numbered>,
        received: Instant,
    ) -> Result<Arc<Topic>, RestoreError> {
        let (symbol, feed, number, base) = (image.symbol, image.feed, image.id, image.base);
        let others = self.others(&image);
        let make = |id| {
            let topic = Topic::new((id, base), symbol, self.feed_ref(feed), Arc::clone(&self.context));
            topic.restore(image, &others, received).ok_or(RestoreError::Unsound(symbol))?;
            Ok::<_, RestoreError>(topic)
        };
        let (topic, is_new) = self.topics.get_or_make(symbol, Some(number), &self.context.slots, make)?;
        if !is_new {
            return Err(RestoreError::Unsound(symbol));
        }
        self.context.topics.inc();
        Ok(topic)
    }

    /// The feeds that carry an image's symbol beside the one that made it known.
    pub(super) fn others(&self, image: &Image<Numbered>) -> Vec<FeedRef> {
        let others = image.present.iter().flat_map(|present| &present.others);
        others.map(|(feed, _)| self.feed_ref(*feed)).collect()
    }

    /// New topics get these numbers.
    pub(super) fn go_on_from(&self, numbering: Numbering) {
        self.topics.go_on_from(numbering.next);
        *self.numbering.lock() = numbering;
    }
}
