//! The way out of a hub for what enters its numbering, and the way into another one.

use std::sync::Arc;

use super::{Hub, HubError, Input, Topic, batch::PublishBatch, input::Tap};

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
    /// When there are more symbols than a hub takes.
    pub fn apply(&self, inputs: impl IntoIterator<Item = Input>) -> Result<(), HubError> {
        let lanes = self.lanes.read();
        let mut batch = PublishBatch::new(&lanes, self.times());
        for input in inputs {
            if let Input::Symbol(symbol, feed) = input {
                self.make_known(symbol, feed)?;
                lanes.iter().flatten().for_each(|lane| lane.wake());
            } else if let Input::Removed(symbol) = input {
                self.remove(symbol, &mut batch);
            } else if let Some(topic) = self.topic(input.symbol()) {
                topic.apply(input, &mut batch);
            }
        }
        batch.end(&self.context);
        Ok(())
    }
}

impl Topic {
    fn apply(&self, input: Input, batch: &mut PublishBatch<'_>) {
        match input {
            Input::Symbol(..) | Input::Removed(_) => {}
            Input::Tick(tick) => self.apply_tick(tick, batch),
            Input::Clock(_, clock) => self.set_clock(clock),
            Input::Jumped(_, by) => self.jumped(by),
            Input::Time(_, now) => self.pass(now, batch),
        }
    }
}

#[cfg(test)]
mod tests;
