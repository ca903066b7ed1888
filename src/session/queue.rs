//! The stream queue of one client: every event of its streams, in order, counted in encoded bytes.

use std::{collections::VecDeque, rc::Rc};

use super::subscription::{EventRef, Lost, SubIndex};

/// What a loss counts against the queue's limit: about as many bytes as it says.
const LOSS_BYTES: usize = 100;

/// What is in the queue.
#[derive(Debug)]
pub(super) enum Streamed {
    /// An event of that subscription.
    Event { sub: SubIndex, event: EventRef },
    /// A loss that the queue's earlier events of that subscription come before.
    Gap { sub: SubIndex, lost: Lost },
}

impl Streamed {
    pub(super) const fn sub(&self) -> SubIndex {
        match self {
            Self::Event { sub, .. } | Self::Gap { sub, .. } => *sub,
        }
    }

    /// The number it starts with.
    pub(super) fn first(&self) -> u64 {
        match self {
            Self::Event { event, .. } => event.n,
            Self::Gap { lost, .. } => lost.from,
        }
    }
}

/// One place in the queue. Small: there is one for each event and client.
#[derive(Debug)]
struct Entry {
    sub: SubIndex,
    /// None for a loss.
    event: Option<EventRef>,
}

const _: () = assert!(size_of::<Entry>() == 16);

impl Entry {
    fn size(&self) -> usize {
        self.event.as_ref().map_or(LOSS_BYTES, |event| event.bytes().len())
    }
}

/// Events and losses in their order. What fan-out touches for each event comes first.
#[derive(Debug, Default)]
#[repr(C)]
pub(super) struct StreamQueue {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Those of the entries that are losses, in the same order. Seldom there, and then a pointer away.
    #[expect(clippy::box_collection, reason = "an idle session pays one word for it")]
    losses: Option<Box<VecDeque<Lost>>>,
}

impl StreamQueue {
    /// Bytes of its front that fan-out touches for each event.
    pub(super) const HOT: usize = std::mem::offset_of!(Self, losses);

    /// Encoded bytes of what is in it.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    pub(super) fn push_event(&mut self, sub: SubIndex, event: &EventRef, size: usize) {
        debug_assert_eq!(size, event.bytes().len(), "looked up once for all who get it");
        self.bytes += size;
        self.entries.push_back(Entry { sub, event: Some(Rc::clone(event)) });
    }

    /// The one event in the queue, if it has no other entry and needs only to be written.
    pub(super) fn lone(&self) -> Option<&EventRef> {
        let event = self.entries.front().and_then(|entry| entry.event.as_ref());
        event.filter(|event| self.entries.len() == 1 && event.is_replaceable())
    }

    /// Takes the one event in the queue, if it is the only entry and the right one. Returns whose it was.
    #[inline]
    pub(super) fn take_lone(&mut self, is: impl Fn(&EventRef) -> bool) -> Option<SubIndex> {
        if self.entries.len() != 1 || !self.entries.front()?.event.as_ref().is_some_and(is) {
            return None;
        }
        self.bytes = 0;
        // From the back, so that the next one comes to lie in the same line of the processor's cache.
        self.entries.pop_back().map(|entry| entry.sub)
    }

    pub(super) fn push_loss(&mut self, sub: SubIndex, lost: Lost) {
        self.bytes += LOSS_BYTES;
        self.entries.push_back(Entry { sub, event: None });
        self.losses.get_or_insert_default().push_back(lost);
    }

    pub(super) fn pop(&mut self) -> Option<Streamed> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.size();
        let Entry { sub, event } = entry;
        match event {
            Some(event) => Some(Streamed::Event { sub, event }),
            None => Some(Streamed::Gap { sub, lost: self.losses.as_mut()?.pop_front()? }),
        }
    }

    /// Hands out the events at the front, each with its encoded bytes, for as long as `more` of them are wanted; up to
    /// the first loss or event that must be delivered, which ask for more than to be written. Returns how many.
    #[inline]
    pub(super) fn pop_events(&mut self, mut more: impl FnMut(SubIndex, &EventRef, &[u8]) -> bool) -> usize {
        let (mut taken, mut bytes) = (0, 0);
        let (front, back) = self.entries.as_slices();
        'queue: for entries in [front, back] {
            for Entry { sub, event } in entries {
                let Some(event) = event.as_ref().filter(|event| event.is_replaceable()) else { break 'queue };
                let message = event.bytes();
                taken += 1;
                bytes += message.len();
                if !more(*sub, event, message) {
                    break 'queue;
                }
            }
        }
        self.bytes -= bytes;
        self.entries.drain(..taken);
        taken
    }

    /// The oldest event, if it comes before any loss.
    pub(super) fn front(&self) -> Option<&EventRef> {
        self.entries.front()?.event.as_ref()
    }

    /// Everything in it, from the oldest on.
    pub(super) fn iter(&self) -> impl Iterator<Item = Streamed> {
        let mut losses = self.losses.iter().flat_map(|losses| losses.iter());
        self.entries.iter().filter_map(move |Entry { sub, event }| match event {
            Some(event) => Some(Streamed::Event { sub: *sub, event: Rc::clone(event) }),
            None => losses.next().map(|lost| Streamed::Gap { sub: *sub, lost: *lost }),
        })
    }

    /// Forgets what is not to be kept, told by its subscription and, if it is not a loss, its event.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(SubIndex, Option<&EventRef>) -> bool) {
        let mut bytes = 0;
        let mut losses = self.losses.take();
        let mut kept = VecDeque::new();
        self.entries.retain(|entry| {
            let keep = keep(entry.sub, entry.event.as_ref());
            bytes += if keep { 0 } else { entry.size() };
            if entry.event.is_none() {
                let lost = losses.as_mut().and_then(|losses| losses.pop_front());
                kept.extend(lost.filter(|_| keep));
            }
            keep
        });
        self.bytes -= bytes;
        if !kept.is_empty() {
            self.losses = Some(Box::new(kept));
        }
    }

    /// Gives the memory of an empty queue back but for `keep` entries, and begins at the front of those: the same memory
    /// is used again, which may still be in the processor's cache, and not all of it in turn.
    pub(super) fn release(&mut self, keep: usize) {
        if self.entries.is_empty() {
            start_over(&mut self.entries, keep);
            self.losses = None;
        }
    }
}

/// An empty queue gives back much room, and begins at the front of what little it keeps.
pub(super) fn start_over<T>(queue: &mut VecDeque<T>, keep: usize) {
    if queue.capacity() > keep {
        *queue = VecDeque::new();
    } else {
        queue.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        clock::Clock,
        dialect::Encoding,
        hub::{Hub, HubConfig},
        market::{Channel, Print, Source, Symbol, Tick, Trade, UnixMicros},
        metrics::Metrics,
        session::subscription::{LocalEvent, Why},
    };

    /// Trades with the numbers from 1 on.
    fn events(count: u64) -> Vec<EventRef> {
        let hub = Hub::new(
            HubConfig::default(),
            "e".into(),
            Clock::manual(UnixMicros(0)),
            Arc::new(Metrics::new()),
        );
        let (symbol, source) = (Symbol::new("BTC-USD").unwrap(), Source::new("test").unwrap());
        let topic = hub.declare(symbol, source).unwrap();
        let trade = |_| Trade {
            symbol,
            price: "1.5".parse().unwrap(),
            size: "2".parse().unwrap(),
            id: None,
            side: None,
            source,
            te: None,
            tr: UnixMicros(0),
            print: Print::default(),
        };
        hub.publish(source, (1..=count).map(|n| Tick::Trade(trade(n))));
        topic
            .since(Channel::Trades, 0)
            .events
            .into_iter()
            .map(|event| LocalEvent::native(event, Encoding::Json))
            .collect()
    }

    fn lost(from: u64) -> Lost {
        Lost { from, to: from, why: Why::Upstream }
    }

    fn firsts(queue: &StreamQueue) -> Vec<(SubIndex, u64)> {
        queue.iter().map(|entry| (entry.sub(), entry.first())).collect()
    }

    #[test]
    fn losses_stay_in_their_places() {
        let events = events(3);
        let mut queue = StreamQueue::default();
        for (sub, n, event) in [(1, 1, Some(0)), (1, 2, None), (2, 7, None), (1, 3, Some(2)), (1, 4, None)] {
            match event {
                Some(i) => queue.push_event(sub, &events[i], events[i].bytes().len()),
                None => queue.push_loss(sub, lost(n)),
            }
        }
        assert_eq!(firsts(&queue), [(1, 1), (1, 2), (2, 7), (1, 3), (1, 4)]);
        queue.retain(|sub, _| sub != 2);
        assert_eq!(firsts(&queue), [(1, 1), (1, 2), (1, 3), (1, 4)]);
        queue.retain(|_, event| event.is_none_or(|event| event.n != 3));
        assert_eq!(firsts(&queue), [(1, 1), (1, 2), (1, 4)]);
        let mut seen = Vec::new();
        queue.pop_events(|_, event, bytes| {
            seen.push((event.n, bytes.len()));
            true
        });
        assert_eq!(seen, [(1, events[0].bytes().len())], "up to the loss");
        assert_eq!(queue.bytes(), 2 * LOSS_BYTES);
        let popped: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|entry| entry.first()).collect();
        assert_eq!((popped, queue.bytes(), queue.len()), (vec![2, 4], 0, 0));
    }

    #[test]
    fn no_more_than_wanted_is_handed_out() {
        let mut queue = StreamQueue::default();
        for event in &events(5) {
            queue.push_event(0, event, event.bytes().len());
        }
        let mut left = 2;
        queue.pop_events(|_, _, _| {
            left -= 1;
            left > 0
        });
        assert_eq!(firsts(&queue), [(0, 3), (0, 4), (0, 5)]);
        queue.retain(|_, _| false);
        assert_eq!((queue.bytes(), queue.is_empty()), (0, true));
    }
}
