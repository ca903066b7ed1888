//! The way out of a hub for what enters its numbering, and the way into another one.

use std::sync::Arc;

use super::{Hub, Input, RestoreError, batch::PublishBatch, input::Tap};

impl Hub {
    /// Gives every input to `tap` from now on. To be called before anything is declared. `tap` is called under locks: it must
    /// not wait, nor call the hub.
    #[must_use]
    pub fn tapped(mut self, tap: impl Fn(Input) + Send + Sync + 'static) -> Self {
        if let Some(context) = Arc::get_mut(&mut self.context) {
            context.tap = Some(Tap(Arc::new(tap)));
        }
        self
    }

    /// Takes inputs of another hub, all of it from the first on and in its order, instead of ticks of feeds. The same sizes
    /// make it remember the same; numbers are the same with any.
    ///
    /// # Errors
    /// When there are more symbols than a hub takes, or what was restored is none of a topic; then the hub must not be used.
    pub fn apply(&self, inputs: impl IntoIterator<Item = Input>) -> Result<(), RestoreError> {
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        for input in inputs {
            let topic = input.symbol().and_then(|symbol| self.topic(symbol));
            match (input, topic) {
                (Input::Symbol(symbol, feed), _) => {
                    self.make_known(symbol, feed)?;
                    lanes.iter().flatten().for_each(|lane| lane.wake());
                }
                (Input::Restored(image), _) => {
                    let _topic = self.restore_topic(*image, batch.received)?;
                }
                (Input::Numbering(numbering), _) => self.go_on_from(numbering),
                (Input::Removed(symbol), _) => self.remove(symbol, &mut batch),
                (Input::Tick(tick), Some(topic)) => topic.apply_tick(tick, &mut batch),
                (Input::Source(_, feed, clock), Some(topic)) => topic.set_source(self.feed_ref(feed), clock),
                (Input::Jumped(_, by), Some(topic)) => topic.jumped(by),
                (Input::Time(_, now), Some(topic)) => topic.pass(now, &mut batch),
                (Input::Described(_, increments), Some(topic)) => topic.describe(increments),
                // It was removed, and nothing follows of it.
                (
                    Input::Tick(_)
                    | Input::Source(..)
                    | Input::Jumped(..)
                    | Input::Time(..)
                    | Input::Described(..),
                    None,
                ) => {}
            }
        }
        batch.end(&self.context);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
