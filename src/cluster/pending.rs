//! What the origin hub has said and no batch has taken.
//!
//! While the log takes what comes, this is a queue that is empty most of the time. When the log stays away it grows up to a
//! limit in bytes; beyond that it laps: from then on each symbol keeps its newest values, and one loss a channel in place of
//! what they have replaced. So it stays bounded, and nothing goes missing untold.

mod lapped;

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use self::lapped::Lapped;
use super::wire::Entry;
use crate::{
    hub::Input,
    limits::MAX_BATCH_ENTRIES,
    market::{Change, Correction, Tick, Trade, TradeId},
};

/// Inputs on their way to the log.
#[derive(Debug)]
pub struct Pending {
    limit: usize,
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Input>,
    /// What the queue costs.
    bytes: usize,
    /// From the limit on, until all of it is taken. What is in it came before what is in the queue.
    lapped: Option<Lapped>,
    laps: u64,
}

impl Pending {
    /// Holds at most some `limit` bytes, and beyond that some hundred bytes a symbol.
    #[must_use]
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, waiting: Mutex::default(), wake: Notify::new() })
    }

    /// The way in, for [`Hub::tapped`](crate::hub::Hub::tapped).
    pub fn tap(self: &Arc<Self>) -> impl Fn(Input) + Send + Sync + 'static {
        let pending = Arc::clone(self);
        move |input| pending.push(input)
    }

    fn push(&self, input: Input) {
        let waiting = &mut *self.waiting.lock();
        if let Some(lapped) = &mut waiting.lapped {
            lapped.take_in(input);
        } else {
            waiting.bytes += cost(&input);
            waiting.queue.push_back(input);
            if waiting.bytes > self.limit {
                let mut lapped = Lapped::default();
                waiting.queue.drain(..).for_each(|input| lapped.take_in(input));
                waiting.queue.shrink_to_fit();
                waiting.bytes = 0;
                waiting.laps += 1;
                waiting.lapped = Some(lapped);
            }
        }
        self.wake.notify_one();
    }

    /// Takes the oldest entries, as many as a batch of `most_bytes` surely holds; at least one, if there is one.
    #[must_use]
    pub fn take(&self, most_bytes: usize) -> Vec<Entry> {
        let waiting = &mut *self.waiting.lock();
        let mut entries = Vec::new();
        if let Some(lapped) = &mut waiting.lapped {
            if lapped.give(&mut entries, most_bytes) {
                waiting.lapped = None;
            }
            return entries;
        }
        let mut room = most_bytes;
        while let Some(next) = waiting.queue.front() {
            let size = most_wire_bytes(next);
            if !entries.is_empty() && (size > room || entries.len() >= MAX_BATCH_ENTRIES) {
                break;
            }
            room = room.saturating_sub(size);
            waiting.bytes = waiting.bytes.saturating_sub(cost(next));
            entries.extend(waiting.queue.pop_front().map(Entry::Input));
        }
        entries
    }

    /// Waits until something waits that came since the last wait; completes at once if it came in between.
    ///
    /// # Cancel safety
    /// A wake is not lost when the future is dropped.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.queue.is_empty() && waiting.lapped.is_none()
    }

    /// What waits, in bytes of memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let waiting = self.waiting.lock();
        waiting.bytes + waiting.lapped.as_ref().map_or(0, Lapped::bytes)
    }

    /// Whether it is over its limit: only newest values and losses wait.
    #[must_use]
    pub fn is_lapped(&self) -> bool {
        self.waiting.lock().lapped.is_some()
    }

    /// How often it came over its limit.
    #[must_use]
    pub fn laps(&self) -> u64 {
        self.waiting.lock().laps
    }
}

/// What an input takes in memory.
fn cost(input: &Input) -> usize {
    size_of::<Input>() + texts(input)
}

/// The most that an input takes in a batch: its symbol and two sources in full, numbers at their longest.
fn most_wire_bytes(input: &Input) -> usize {
    const NAMES: usize = 1 + 34 + 2 * 18;
    let fixed = match input {
        Input::Tick(Tick::Trade(_)) => 64,
        Input::Tick(Tick::Quote(_) | Tick::Correction(_)) | Input::Source(..) => 100,
        Input::Tick(Tick::Status(_) | Tick::Loss(_)) | Input::Described(..) | Input::Time(..) => 40,
        Input::Symbol(..) | Input::Jumped(..) | Input::Removed(_) => 12,
        Input::Restored(_) | Input::Numbering(_) => 0,
    };
    NAMES + fixed + texts(input)
}

fn texts(input: &Input) -> usize {
    let text = |id: &TradeId| match id {
        TradeId::Number(_) => 0,
        TradeId::Text(text) => text.len() + 1,
    };
    match input {
        Input::Tick(Tick::Trade(Trade { id: Some(id), .. })) => text(id),
        Input::Tick(Tick::Status(status)) => status.why.len(),
        Input::Tick(Tick::Correction(correction)) => {
            let Correction { id, change, .. } = &**correction;
            let changed = match change {
                Change::Corrected { id: Some(id), .. } => text(id),
                Change::Corrected { id: None, .. } | Change::Busted { .. } => 0,
            };
            size_of::<Correction>() + text(id) + changed
        }
        Input::Tick(Tick::Trade(_) | Tick::Quote(_) | Tick::Loss(_))
        | Input::Symbol(..)
        | Input::Source(..)
        | Input::Jumped(..)
        | Input::Time(..)
        | Input::Removed(_)
        | Input::Described(..)
        | Input::Restored(_)
        | Input::Numbering(_) => 0,
    }
}

#[cfg(test)]
mod tests;
