//! A trade is taken back, or changed: what is remembered of it, what follows from it, and who is told.
//!
//! The trade is looked for by the venue's name and the place where it happened, among the newest
//! [`CORRECTION_LOOKBACK`] that are remembered. It keeps its number: a later reader sees what became of it. Final bars stay
//! as they are. A correction that says nothing new is passed over, since connections to a venue may overlap.

use std::sync::Arc;

use super::{Inner, Memory, Topic};
use crate::{
    hub::{
        Event,
        batch::PublishBatch,
        derive::{Channels, Gone, Past, Step, Uncorrected},
        ring::Ring,
    },
    limits::CORRECTION_LOOKBACK,
    market::{Body, Change, Channel, Correction, Marks, Source, Tick, Trade, TradeId},
};

impl Topic {
    /// Takes a correction of its source.
    pub(super) fn correct(
        &self,
        inner: &mut Inner,
        mut correction: Correction,
        batch: &mut PublishBatch<'_>,
    ) {
        let Correction { id, source, change, te, tr, .. } = &mut correction;
        let Some(known) = find(&inner.trades, id, *source) else {
            if !is_repeated(&inner.trades, change, *source) {
                let computed = inner.derived.as_deref().map(|memory| memory.computed.channels());
                self.emit(inner, Tick::Correction(Box::new(correction)).into(), batch);
                self.context.count_uncorrected(&forgotten(computed.unwrap_or_default()));
            }
            return;
        };
        let Some(trade) = trade(&known) else { return };
        if trade.print.marks.has(Marks::BUSTED) {
            return;
        }
        let mut now = trade.clone();
        let is_busted = match change {
            Change::Busted { price, size } => {
                (*price, *size) = (Some(trade.price), Some(trade.size));
                now.print.marks = now.print.marks.and(Marks::BUSTED);
                true
            }
            Change::Corrected { price, size, marks, id } => {
                (now.price, now.size) = (*price, *size);
                now.id = id.clone().or(now.id);
                now.print.marks = trade.print.marks.became(*marks).and(Marks::CORRECTED);
                false
            }
        };
        let times = (*te, *tr);
        correction.of = Some(known.n);
        remember(inner, &known, &now);
        self.emit(inner, Tick::Correction(Box::new(correction)).into(), batch);
        let clock = inner.candidates.source().clock;
        let Some(Memory { computed, .. }) = inner.derived.as_deref_mut() else { return };
        let gone = Gone { n: known.n, trade, instead: (!is_busted).then_some(&now), times };
        let mut step = computed.retract(&gone, Past(&inner.trades));
        self.due.store(computed.due(&clock).0, std::sync::atomic::Ordering::Relaxed);
        self.context.count_uncorrected(&step.uncorrected);
        self.emit_void(inner, &mut step, batch);
        self.emit_derived(inner, step, batch);
    }

    /// Bars of which nothing is left are told, whether or not a client has seen them: numbers must not depend on that.
    fn emit_void(&self, inner: &mut Inner, step: &mut Step, batch: &mut PublishBatch<'_>) {
        for bar in &step.void {
            let channel = Channel::Bars(bar.interval);
            step.changed.remove(channel);
            if let Some(memory) = &mut inner.derived {
                memory.deferred.remove(channel);
            }
            self.emit(inner, Body::Bar(Box::new(bar.clone())), batch);
        }
    }
}

/// The newest event of that trade.
fn find(ring: &Ring, id: &TradeId, source: Source) -> Option<Arc<Event>> {
    let is_it = |event: &&Arc<Event>| {
        trade(event).is_some_and(|trade| trade.source == source && trade.id.as_ref() == Some(id))
    };
    ring.events().iter().rev().take(CORRECTION_LOOKBACK).find(is_it).map(Arc::clone)
}

/// Whether the trade has that change already: it is known by its new name only.
fn is_repeated(ring: &Ring, change: &Change, source: Source) -> bool {
    let Change::Corrected { id: Some(id), .. } = change else { return false };
    find(ring, id, source)
        .is_some_and(|event| trade(&event).is_some_and(|trade| trade.print.marks.has(Marks::CORRECTED)))
}

/// Puts what has become of a trade in its place.
fn remember(inner: &mut Inner, known: &Event, now: &Trade) {
    let event = Event::new(known.topic, known.n, Tick::Trade(now.clone()).into(), known.received);
    let event = Arc::new(event);
    inner.trades.replace(&event);
    let last = &mut inner.last[Channel::Trades.index()];
    if last.as_ref().is_some_and(|last| last.n == event.n) {
        *last = Some(event);
    }
}

const fn trade(event: &Event) -> Option<&Trade> {
    match &event.body {
        Body::Tick(Tick::Trade(trade)) => Some(trade),
        Body::Tick(_) | Body::Ticker(_) | Body::Bar(_) => None,
    }
}

fn forgotten(channels: Channels) -> [Channels; Uncorrected::COUNT] {
    let mut missed = [Channels::default(); Uncorrected::COUNT];
    missed[Uncorrected::Forgotten as usize] = channels;
    missed
}
