//! What is left of the inputs of each symbol while more comes than can be held.

use std::collections::{HashMap, VecDeque};

use super::{Entry, most_wire_bytes};
use crate::{
    hub::{Input, SourceClock},
    limits::{CORRECTIONS_PER_SYMBOL, MAX_BATCH_ENTRIES},
    market::{Channel, Increments, Loss, LossWhy, Source, Symbol, Tick},
};

/// The newest of each symbol, in the order in which the symbols came.
#[derive(Debug, Default)]
pub(super) struct Lapped {
    symbols: HashMap<Symbol, Newest>,
    order: VecDeque<Symbol>,
    /// What was made of symbols and waits for the next batch.
    rest: VecDeque<Input>,
}

/// What is left of one symbol's inputs.
#[derive(Debug, Default)]
struct Newest {
    /// The topic that the log knows has gone.
    is_removed: bool,
    /// It became known, from that feed.
    made: Option<Source>,
    described: Option<Increments>,
    source: Option<(Source, SourceClock)>,
    jumped: i64,
    status: Option<Tick>,
    trades: Values,
    quotes: Values,
    corrections: VecDeque<Tick>,
}

/// What is left of one channel.
#[derive(Debug, Default)]
struct Values {
    /// Before the newest value.
    lost: Option<Loss>,
    newest: Option<Tick>,
    /// Behind it.
    lost_behind: Option<Loss>,
}

impl Lapped {
    pub(super) fn take_in(&mut self, input: Input) {
        let Some(symbol) = input.symbol() else { return };
        let newest = self.symbols.entry(symbol).or_insert_with(|| {
            self.order.push_back(symbol);
            Newest::default()
        });
        match input {
            Input::Symbol(_, feed) => newest.made = Some(feed),
            Input::Removed(_) => {
                // One that became known meanwhile leaves nothing behind.
                let is_removed = newest.is_removed || newest.made.is_none();
                *newest = Newest { is_removed, ..Newest::default() };
            }
            Input::Described(_, increments) => newest.described = Some(increments),
            Input::Source(_, feed, clock) => {
                newest.source = Some((feed, clock));
                newest.jumped = 0;
            }
            Input::Jumped(_, by) => newest.jumped = newest.jumped.saturating_add(by),
            Input::Tick(tick) => newest.tick(tick),
            // Of a hub that computes; this one's clock is in the batches.
            Input::Time(..) | Input::Restored(_) | Input::Numbering(_) => {}
        }
    }

    /// Gives entries for a batch of `most_bytes`, at least one. Returns whether nothing is left.
    pub(super) fn give(&mut self, entries: &mut Vec<Entry>, most_bytes: usize) -> bool {
        let mut room = most_bytes;
        loop {
            while let Some(next) = self.rest.front() {
                let size = most_wire_bytes(next);
                if !entries.is_empty() && (size > room || entries.len() >= MAX_BATCH_ENTRIES) {
                    return false;
                }
                room = room.saturating_sub(size);
                entries.extend(self.rest.pop_front().map(Entry::Input));
            }
            let Some(symbol) = self.order.pop_front() else { return true };
            if let Some(newest) = self.symbols.remove(&symbol) {
                newest.tell(symbol, &mut self.rest);
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        let one = size_of::<Newest>() + 2 * size_of::<Symbol>();
        self.symbols.len() * one + self.rest.len() * size_of::<Input>()
    }
}

impl Newest {
    fn tick(&mut self, tick: Tick) {
        match tick {
            Tick::Trade(_) => self.trades.value(tick),
            Tick::Quote(_) => self.quotes.value(tick),
            Tick::Status(_) => self.status = Some(tick),
            Tick::Correction(_) => {
                if self.corrections.len() >= CORRECTIONS_PER_SYMBOL {
                    self.corrections.pop_front();
                }
                self.corrections.push_back(tick);
            }
            Tick::Loss(loss) if loss.channel == Channel::Trades => self.trades.loss(loss),
            Tick::Loss(loss) => self.quotes.loss(loss),
        }
    }

    fn tell(self, symbol: Symbol, into: &mut VecDeque<Input>) {
        let Self { is_removed, made, described, source, jumped, status, trades, quotes, corrections } = self;
        into.extend(is_removed.then_some(Input::Removed(symbol)));
        into.extend(made.map(|feed| Input::Symbol(symbol, feed)));
        into.extend(source.map(|(feed, clock)| Input::Source(symbol, feed, clock)));
        into.extend((jumped != 0).then_some(Input::Jumped(symbol, jumped)));
        into.extend(described.map(|increments| Input::Described(symbol, increments)));
        // The status comes behind the values: it says how they stand.
        let ticks = trades.tell().chain(quotes.tell()).chain(corrections).chain(status);
        into.extend(ticks.map(Input::Tick));
    }
}

impl Values {
    /// The value before is lost, if there was one.
    fn value(&mut self, tick: Tick) {
        let (symbol, channel) = (tick.symbol(), tick.channel());
        let before = self.newest.replace(tick);
        if let Some(loss) = self.lost_behind.take() {
            self.lost = Some(both(self.lost, loss));
        }
        if before.is_some() {
            let why = self.lost.map_or(LossWhy::Reconnect, |lost| lost.why);
            self.lost = Some(Loss { symbol, channel, why, events: None });
        }
    }

    fn loss(&mut self, loss: Loss) {
        let lost = if self.newest.is_some() { &mut self.lost_behind } else { &mut self.lost };
        *lost = Some(both(*lost, loss));
    }

    fn tell(self) -> impl Iterator<Item = Tick> {
        let Self { lost, newest, lost_behind } = self;
        lost.map(Tick::Loss).into_iter().chain(newest).chain(lost_behind.map(Tick::Loss))
    }
}

/// One loss in place of two, whose number is not known.
fn both(before: Option<Loss>, loss: Loss) -> Loss {
    if before.is_some() { Loss { events: None, ..loss } } else { loss }
}
