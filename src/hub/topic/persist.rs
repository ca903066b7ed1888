//! A topic's memory as an [`Image`], and from one.

use std::{sync::Arc, sync::atomic::Ordering};

use super::{BAR_BYTES, FeedRef, Inner, Memory, Topic};
use crate::{
    clock::Instant,
    hub::{
        Event,
        batch::PublishBatch,
        image::{Computed, Image, Numbered, RingImage, SavedMark},
        ring::Ring,
    },
    market::{Bar, Body, Channel, Interval},
};

/// The channels of which losses are told.
pub(super) const LOSABLE: [Channel; 2] = [Channel::Trades, Channel::Quotes];

impl Topic {
    /// What is newer than `since`, and everything that has no number; `None` when nothing is, unless `always`. The topic's
    /// lock is held for a copy of that, of events the handles only.
    #[must_use]
    pub fn image(&self, since: &SavedMark, always: bool) -> Option<Image<Arc<Event>>> {
        let inner = self.inner.lock();
        (inner.heads != since.heads || always).then(|| self.image_of(&inner, since))
    }

    pub(super) fn image_of(&self, inner: &Inner, since: &SavedMark) -> Image<Arc<Event>> {
        let run = |ring: &Ring, channel: Channel| RingImage {
            forgotten: ring.forgotten(),
            events: ring.since(since.heads[channel.index()]).cloned().collect(),
        };
        let memory = inner.derived.as_deref();
        let corrected = Channel::Corrections.index();
        let trades_changed = inner.heads[corrected] > since.heads[corrected];
        let whole = RingImage {
            forgotten: inner.trades.forgotten(),
            events: if trades_changed { inner.trades.since(0).cloned().collect() } else { Vec::new() },
        };
        // A correction reaches minutes that are over.
        let minutes_since = if trades_changed { i64::MIN } else { since.minute };
        Image {
            id: self.id.number(),
            base: self.base,
            symbol: self.symbol,
            feed: inner.candidates.home(),
            heads: inner.heads,
            last: LOSABLE.map(|channel| inner.last[channel.index()].clone()),
            lost: LOSABLE.map(|channel| inner.lost[channel.index()].clone()),
            trades: if trades_changed { whole } else { run(&inner.trades, Channel::Trades) },
            trades_changed,
            corrections: run(&inner.corrections, Channel::Corrections),
            bars: Interval::ALL.map(|interval| {
                let ring = memory.map(|memory| &memory.bars[interval.index()]);
                ring.map(|ring| run(ring, Channel::Bars(interval))).unwrap_or_default()
            }),
            computed: memory.map(|Memory { computed, deferred, .. }| Computed {
                derived: computed.outline(),
                deferred: *deferred,
            }),
            minutes: memory.map(|memory| memory.computed.minutes_from(minutes_since)).unwrap_or_default(),
            is_absent: inner.is_absent,
            clock: *inner.candidates.home_clock(),
            present: None,
        }
    }

    /// Takes over what another topic of the symbol remembered. `None` when no topic can have come to that. `others` are the
    /// other feeds that carry it.
    pub(in crate::hub) fn restore(
        &self,
        image: Image<Numbered>,
        others: &[FeedRef],
        received: Instant,
    ) -> Option<()> {
        let inner = &mut *self.inner.lock();
        let due = self.fill(inner, image, others, received)?;
        self.due.store(due, Ordering::Relaxed);
        Some(())
    }

    /// Fills what is blank. Returns when time alone changes something.
    pub(super) fn fill(
        &self,
        inner: &mut Inner,
        image: Image<Numbered>,
        others: &[FeedRef],
        received: Instant,
    ) -> Option<i64> {
        inner.is_absent = image.present.is_none() || image.is_absent;
        let Image { heads, last, lost, trades, corrections, bars, computed, minutes, clock, present, .. } =
            image;
        // No topic counts that far; numbers go on from here.
        let may_be = self.base..u64::MAX / 2;
        if !clock.is_sound() || !heads.iter().all(|head| may_be.contains(head)) {
            return None;
        }
        *inner.candidates.home_clock_mut() = clock;
        let head = |channel: Channel| heads[channel.index()];
        let event = |Numbered { n, body }: Numbered| Arc::new(Event::new(self.id, n, body, received));
        for ((channel, last), lost) in LOSABLE.into_iter().zip(last).zip(lost) {
            let fits = |it: &Numbered| self.is_mine(it, channel) && it.n <= head(channel);
            if !last.iter().chain(&lost).all(fits) {
                return None;
            }
            inner.last[channel.index()] = last.map(event);
            inner.lost[channel.index()] = lost.map(event);
        }
        self.are_whole(&trades, Channel::Trades, head(Channel::Trades))?;
        self.are_whole(&corrections, Channel::Corrections, head(Channel::Corrections))?;
        fill(&mut inner.trades, trades, event);
        fill(&mut inner.corrections, corrections, event);
        inner.last[Channel::Corrections.index()] = inner.corrections.events().back().cloned();
        inner.heads = heads;
        if let Some(Computed { derived, deferred }) = computed {
            let intervals = self.context.config.intervals;
            let remembered = (self.context.config.trades_per_symbol, head(Channel::Trades));
            let derived = derived.completed(self.symbol, minutes, intervals, remembered)?;
            let mut memory = Box::new(Memory {
                computed: derived,
                deferred,
                deferred_since: received,
                offset: None,
                bars: Interval::ALL.map(|_| Ring::new(self.context.config.bars)),
            });
            for (interval, run) in Interval::ALL.into_iter().zip(bars) {
                if intervals.contains(interval) {
                    self.restore_bars(&mut memory, interval, (run, head(Channel::Bars(interval))), event)?;
                }
            }
            self.restore_newest(inner, &memory, event);
            inner.derived = Some(memory);
        }
        match present {
            Some(present) => self.fill_present(inner, *present, others, received)?,
            None if inner.last.iter().any(Option::is_some) => {
                inner.candidates.source_mut().freshness.restored();
            }
            None => {}
        }
        let clock = inner.candidates.source().clock;
        Some(inner.derived.as_deref().map_or(i64::MAX, |memory| memory.computed.due(&clock).0))
    }

    /// Every number has its event.
    fn are_whole(&self, run: &RingImage<Numbered>, channel: Channel, head: u64) -> Option<()> {
        let mut expected = run.forgotten;
        for it in &run.events {
            expected = expected.checked_add(1)?;
            if it.n != expected || !self.is_mine(it, channel) {
                return None;
            }
        }
        (expected == head).then_some(())
    }

    pub(super) fn is_mine(&self, it: &Numbered, channel: Channel) -> bool {
        it.body.symbol() == self.symbol && it.body.channel() == channel
    }

    fn restore_bars(
        &self,
        memory: &mut Memory,
        interval: Interval,
        (run, head): (RingImage<Numbered>, u64),
        event: impl Fn(Numbered) -> Arc<Event>,
    ) -> Option<()> {
        let bar = |it: &Numbered| match &it.body {
            Body::Bar(bar) if bar.is_final => Some(Bar::clone(bar)),
            Body::Bar(_) | Body::Tick(_) | Body::Ticker(_) => None,
        };
        let mut newest: Option<(u64, Bar)> = None;
        for it in &run.events {
            let bar = bar(it)?;
            let follows = newest.as_ref().is_none_or(|(n, before)| *n < it.n && before.start < bar.start);
            let fits = self.is_mine(it, Channel::Bars(interval)) && run.forgotten < it.n && it.n <= head;
            if !follows || !fits {
                return None;
            }
            newest = Some((it.n, bar));
        }
        if newest.is_some_and(|(_, bar)| !memory.computed.is_over(&bar)) {
            return None;
        }
        let ring = &mut memory.bars[interval.index()];
        fill(ring, run, event);
        let kept = i64::try_from(ring.events().len()).unwrap_or(i64::MAX);
        self.context.bars[interval.index()].add(kept);
        self.context.bar_bytes.add(kept.saturating_mul(i64::try_from(BAR_BYTES).unwrap_or(i64::MAX)));
        Some(())
    }

    /// The newest events of the derived channels say what is computed; where they do not, they are never shown.
    fn restore_newest(&self, inner: &mut Inner, memory: &Memory, event: impl Fn(Numbered) -> Arc<Event>) {
        for channel in Channel::DERIVED {
            let n = inner.heads[channel.index()];
            let newest = memory
                .computed
                .newest(channel)
                .filter(|_| n > self.base && !memory.deferred.contains(channel));
            inner.last[channel.index()] = match (newest, channel) {
                (Some(body), _) => Some(event(Numbered { n, body })),
                (None, Channel::Bars(interval)) => memory.bars[interval.index()].events().back().cloned(),
                (
                    None,
                    Channel::Ticker
                    | Channel::Trades
                    | Channel::Quotes
                    | Channel::Status
                    | Channel::Corrections,
                ) => None,
            };
        }
    }

    /// Whatever its source said while the gateway was not there is lost: streams are told so.
    pub(in crate::hub) fn interrupted(&self, batch: &mut PublishBatch<'_>) {
        let inner = &mut *self.inner.lock();
        self.lose_all(inner, batch);
    }

    /// Its feed names it.
    pub(in crate::hub) fn named(&self) {
        self.inner.lock().is_absent = false;
    }
}

fn fill(ring: &mut Ring, run: RingImage<Numbered>, event: impl Fn(Numbered) -> Arc<Event>) {
    ring.forget_until(run.forgotten);
    for it in run.events {
        ring.push(&event(it));
    }
}
