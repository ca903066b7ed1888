//! A topic as another gateway takes it over that goes on beside this one or behind it: not only what is remembered, but how
//! it stands now.

use std::sync::{Arc, atomic::Ordering};

use super::{BAR_BYTES, FeedRef, Inner, Topic, persist::LOSABLE};
use crate::{
    clock::Instant,
    hub::{
        Event,
        batch::PublishBatch,
        image::{Image, Numbered, Present, RingImage, SavedMark},
    },
    limits::MAX_FEEDS_PER_SYMBOL,
    market::{Body, Channel, Interval},
};

impl Topic {
    /// Everything that it remembers, and how it stands. The topic's lock is held for a copy of handles.
    #[must_use]
    pub fn whole(&self) -> Image<Arc<Event>> {
        let inner = self.inner.lock();
        let image = self.image_of(&inner, &SavedMark::NOTHING);
        let void = |interval: Interval| {
            let channel = Channel::Bars(interval).index();
            let is_void = |event: &&Arc<Event>| matches!(&event.body, Body::Bar(bar) if bar.is_void);
            let is_newest = |event: &&Arc<Event>| event.n == inner.heads[channel];
            inner.last[channel].as_ref().filter(is_void).filter(is_newest).cloned()
        };
        let present = Present {
            voids: Interval::ALL.map(void),
            points: inner.derived.as_deref().map(|memory| memory.computed.correction_points()),
            ..self.present(&inner)
        };
        Image { present: Some(Box::new(present)), ..image }
    }

    /// What a hub goes on from that numbers for no client: the newest values, and how it stands.
    pub(in crate::hub) fn newest(&self) -> Image<Arc<Event>> {
        let inner = self.inner.lock();
        let until =
            |channel: Channel| RingImage { forgotten: inner.heads[channel.index()], events: Vec::new() };
        Image {
            id: self.id.number(),
            base: self.base,
            symbol: self.symbol,
            feed: inner.candidates.home(),
            heads: inner.heads,
            last: LOSABLE.map(|channel| inner.last[channel.index()].clone()),
            lost: LOSABLE.map(|channel| inner.lost[channel.index()].clone()),
            trades: until(Channel::Trades),
            trades_changed: false,
            corrections: until(Channel::Corrections),
            bars: Interval::ALL.map(|_| RingImage::default()),
            computed: None,
            minutes: Vec::new(),
            is_absent: inner.is_absent,
            clock: *inner.candidates.home_clock(),
            present: Some(Box::new(self.present(&inner))),
        }
    }

    fn present(&self, inner: &Inner) -> Present<Arc<Event>> {
        Present {
            status: inner.last[Channel::Status.index()].clone(),
            voids: [const { None }; Interval::COUNT],
            others: inner.candidates.others(),
            source: inner.candidates.feed(),
            increments: *self.increments.lock(),
            points: None,
        }
    }

    pub(super) fn fill_present(
        &self,
        inner: &mut Inner,
        present: Present<Numbered>,
        others: &[FeedRef],
        received: Instant,
    ) -> Option<()> {
        let Present { status, voids, others: clocks, source, increments, points } = present;
        let event = |Numbered { n, body }: Numbered| Arc::new(Event::new(self.id, n, body, received));
        let fits = |it: &Numbered, channel: Channel| {
            self.is_mine(it, channel) && it.n == inner.heads[channel.index()]
        };
        let are_voids = Interval::ALL.into_iter().zip(&voids).all(|(interval, void)| {
            let is_void = |body: &Body| matches!(body, Body::Bar(bar) if bar.is_void);
            void.as_ref().is_none_or(|void| fits(void, Channel::Bars(interval)) && is_void(&void.body))
        });
        let is_sound = are_voids
            && status.as_ref().is_none_or(|status| fits(status, Channel::Status))
            && clocks.iter().all(|(_, clock)| clock.is_sound())
            && clocks.len() == others.len()
            && others.len() < MAX_FEEDS_PER_SYMBOL;
        if !is_sound {
            return None;
        }
        for (interval, void) in Interval::ALL.into_iter().zip(voids) {
            if let Some(void) = void {
                inner.last[Channel::Bars(interval).index()] = Some(event(void));
            }
        }
        let has_values = inner.last.iter().any(Option::is_some);
        for (feed_ref, (_, clock)) in others.iter().zip(clocks) {
            inner.candidates.add(*feed_ref, clock);
        }
        let status = status.map(event);
        let state = status.as_deref().and_then(Event::status).map(|status| status.state);
        inner.candidates.go_on(source, state, has_values)?;
        inner.last[Channel::Status.index()] = status;
        *self.increments.lock() = increments;
        if let Some(memory) = inner.derived.take() {
            let head = inner.heads[Channel::Trades.index()];
            let mut memory = memory;
            memory.computed = memory.computed.with_correction_points(points?, head)?;
            inner.derived = Some(memory);
        }
        Some(())
    }

    /// Takes over what the same topic has come to in another gateway, in place of what it is here. Who listens stays; shards
    /// must be told that numbers have jumped. `None` when no topic can have come to that; then it is as it was.
    pub(in crate::hub) fn renew(
        &self,
        image: Image<Numbered>,
        feeds: (FeedRef, &[FeedRef]),
        received: Instant,
    ) -> Option<()> {
        let inner = &mut *self.inner.lock();
        let mut fresh = Inner::new(self.base, feeds.0, &self.context);
        let filled = self.fill(&mut fresh, image, feeds.1, received);
        let gone = if filled.is_some() { &*inner } else { &fresh };
        self.forget_bars(gone);
        let due = filled?;
        fresh.interest = inner.interest;
        *inner = fresh;
        self.due.store(due, Ordering::Relaxed);
        Some(())
    }

    /// Its bars count no more.
    pub(super) fn forget_bars(&self, inner: &Inner) {
        let Some(memory) = &inner.derived else { return };
        for (interval, ring) in Interval::ALL.into_iter().zip(&memory.bars) {
            let kept = i64::try_from(ring.events().len()).unwrap_or(i64::MAX);
            self.context.bars[interval.index()].sub(kept);
            self.context.bar_bytes.sub(kept.saturating_mul(i64::try_from(BAR_BYTES).unwrap_or(i64::MAX)));
        }
    }

    /// Another gateway has brought it until now, and its feed was away from a source that went on: streams are told.
    pub(in crate::hub) fn interrupted_of(
        &self,
        feeds: &[crate::market::Source],
        batch: &mut PublishBatch<'_>,
    ) {
        let inner = &mut *self.inner.lock();
        if feeds.contains(&inner.candidates.feed()) {
            self.lose_all(inner, batch);
        }
    }
}
