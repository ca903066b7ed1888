//! What one session gets of one (symbol, channel), and how.

use std::{cell::OnceCell, ops::Deref, rc::Rc, sync::Arc, time::Duration};

use crate::{
    clock::Instant,
    dialect::{Encoding, Form, Gap, Mode, Pattern},
    hub::{Event, TopicId},
    market::{Channel, LossWhy, MustDeliver, Symbol},
};

/// An event on its shard in one form: shared by the sessions of one thread without atomic operations. What every
/// delivery needs of it is together, in one line of the processor's cache.
#[derive(Debug)]
pub(super) struct LocalEvent {
    bytes: OnceCell<Arc<[u8]>>,
    event: Arc<Event>,
    form: Form,
    /// [`Channel::index`].
    channel: u8,
    is_replaceable: bool,
}

/// A session's share of it.
pub(super) type EventRef = Rc<LocalEvent>;

impl LocalEvent {
    /// An event in a form, whose dialect calls the symbol `name`. Native forms are written when first asked for: what is
    /// merged away never is.
    pub(super) fn new(event: Arc<Event>, form: Form, name: Symbol) -> EventRef {
        let bytes = match form.as_native() {
            Some(_) => OnceCell::new(),
            None => OnceCell::from(event.written(form, name).unwrap_or_default()),
        };
        Self::with(event, form, bytes)
    }

    /// An event in a native form.
    pub(super) fn native(event: Arc<Event>, encoding: Encoding) -> EventRef {
        Self::with(event, Form::native(encoding), OnceCell::new())
    }

    fn with(event: Arc<Event>, form: Form, bytes: OnceCell<Arc<[u8]>>) -> EventRef {
        Rc::new(Self {
            bytes,
            form,
            channel: u8::try_from(event.channel().index()).unwrap_or(u8::MAX),
            is_replaceable: event.is_replaceable(),
            event,
        })
    }

    /// As one message; empty where the form has no word for it.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        match self.bytes.get() {
            Some(bytes) => bytes,
            None => self.encode(),
        }
    }

    #[cold]
    fn encode(&self) -> &[u8] {
        let encoding = self.form.as_native().unwrap_or(Encoding::Json);
        self.bytes.get_or_init(|| self.event.encoded(encoding))
    }

    /// The event that all shards share.
    pub(super) const fn shared(&self) -> &Arc<Event> {
        &self.event
    }

    /// [`Event::is_replaceable`], without a look at the event itself.
    pub(super) const fn is_replaceable(&self) -> bool {
        self.is_replaceable
    }

    /// [`Channel::index`] of its channel, without a look at the event itself.
    pub(super) const fn channel_index(&self) -> usize {
        self.channel as usize
    }
}

impl Deref for LocalEvent {
    type Target = Event;

    fn deref(&self) -> &Event {
        &self.event
    }
}

/// One subscription. A session has up to thousands of them: what is rarely there is in boxes of its own.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: TopicId,
    pub(super) channel: Channel,
    /// How its events are written.
    pub(super) form: Form,
    pub(super) delivery: Delivery,
    /// Where the session stands in its list of the topic's subscribers.
    pub(super) place: u32,
    /// Merging: number of the newest event that was given to the client, or told by an ack. Streams need none; they
    /// keep it in debug builds only, where every event is checked against it.
    pub(super) sent: u64,
    /// Lost events that the client must be told of before the next one.
    pub(super) gap: Option<Box<Lost>>,
    /// Merging: how many of its events that must be delivered, and gaps of them, are in the stream queue. A newer
    /// replaceable event waits until they are gone, so that numbers rise.
    pub(super) queued: u32,
}

/// What a subscription is of. The same events in two forms are two subscriptions.
pub(super) type SubKey = (TopicId, Channel, Form);

/// A subscription's position among those of its session.
pub(super) type SubIndex = u32;

impl Subscription {
    pub(super) const fn key(&self) -> SubKey {
        (self.topic, self.channel, self.form)
    }

    /// What tells of a loss; the dialect calls the symbol `name`.
    pub(super) const fn gap(&self, name: Symbol, lost: Lost) -> Gap {
        let Lost { from, to, why } = lost;
        Gap { symbol: name, channel: self.channel, form: self.form, from, to, why: why.as_str() }
    }

    /// Whether it gets the newest of what is replaceable only.
    pub(super) const fn merges(&self) -> bool {
        matches!(self.delivery, Delivery::Merge { .. })
    }

    /// Merging: whether something of it is in the stream queue, or must be told as a gap.
    pub(super) const fn has_queued(&self) -> bool {
        self.merges() && (self.queued > 0 || self.gap.is_some())
    }

    /// One of its entries has left the stream queue. Returns whether a merged event that waited for it is next: it
    /// belongs into the merge queue now.
    pub(super) fn dequeued(&mut self) -> bool {
        self.queued = self.queued.saturating_sub(1);
        if self.queued == 0
            && let Some(pending) = self.delivery.pending_mut()
            && *pending == Pending::Queue
        {
            *pending = Pending::Socket;
            return true;
        }
        false
    }
}

/// How it is delivered.
#[derive(Debug, Clone)]
pub(super) enum Delivery {
    /// The newest event only, behind those that must be delivered.
    Merge {
        /// Whether an event waits.
        pending: Pending,
        /// At most one event in this time.
        limit: Option<Box<RateLimit>>,
    },
    /// Every event, through the stream queue.
    Stream,
    /// Every event, through the control queue.
    Control,
}

/// Whether a merged event waits, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// Nothing waits.
    No,
    /// For the socket: the subscription is in the merge queue.
    Socket,
    /// For the events before it that must be delivered, which are in the stream queue.
    Queue,
    /// For the time that its rate limit tells: the subscription is among the shard's timers.
    Timer,
}

/// A limited rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateLimit {
    /// As the client asked for it, in events a second.
    pub(super) rate: f64,
    /// Time between two events.
    pub(super) interval: Duration,
    /// No event before this.
    pub(super) next: Instant,
    /// The timer that the shard has for it.
    pub(super) timer: Option<Instant>,
}

/// A range of lost numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) why: Why,
}

/// Why events were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The client did not take them in time.
    SlowClient,
    /// The gateway itself could not keep up.
    Overload,
    /// The client's position is no longer, or never was, in the ring.
    NotRecoverable,
    /// The feed never received them.
    Upstream,
    /// The venue left them out.
    Venue,
}

impl Why {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SlowClient => "slow_client",
            Self::Overload => "overload",
            Self::NotRecoverable => "not_recoverable",
            Self::Upstream => LossWhy::Reconnect.as_str(),
            Self::Venue => LossWhy::Venue.as_str(),
        }
    }
}

impl Delivery {
    /// The delivery that a client asked for, or the channel's default.
    #[expect(clippy::float_arithmetic, reason = "a rate becomes an interval; no price is near")]
    pub(super) fn new(channel: Channel, mode: Option<Mode>, max_rate: Option<f64>, now: Instant) -> Self {
        let limit = max_rate.map(|rate| {
            Box::new(RateLimit {
                rate,
                interval: Duration::from_secs_f64(1.0 / rate),
                next: now,
                timer: None,
            })
        });
        let merges = match mode {
            Some(mode) => mode == Mode::Merge,
            None => channel != Channel::Trades,
        };
        if channel.must_deliver() == MustDeliver::Every {
            Self::Control
        } else if merges || limit.is_some() {
            Self::Merge { pending: Pending::No, limit }
        } else {
            Self::Stream
        }
    }

    /// Whether it gets every event of the stream queue.
    pub(super) const fn streams(&self) -> bool {
        matches!(self, Self::Stream)
    }

    /// Whether a merged event waits, when it merges.
    pub(super) const fn pending_mut(&mut self) -> Option<&mut Pending> {
        match self {
            Self::Merge { pending, .. } => Some(pending),
            Self::Stream | Self::Control => None,
        }
    }

    /// Ends the wait of a merged event for its time. Returns whether it waited for exactly that time.
    pub(super) fn time_has_come(&mut self, due: Instant) -> bool {
        match self {
            Self::Merge { pending, limit: Some(limit) } => {
                limit.timer = None;
                let comes = *pending == Pending::Timer && limit.next == due;
                if comes {
                    *pending = Pending::Socket;
                }
                comes
            }
            Self::Merge { .. } | Self::Stream | Self::Control => false,
        }
    }

    /// When an event that waits for its time may go, for the shard to keep from now on; and the time that it has kept so
    /// far, of a wait that ended early.
    pub(super) fn keep_time(&mut self) -> Option<(Instant, Option<Instant>)> {
        match self {
            Self::Merge { limit: Some(limit), .. } => Some((limit.next, limit.timer.replace(limit.next))),
            Self::Merge { .. } | Self::Stream | Self::Control => None,
        }
    }

    /// The timer that the shard has for it.
    pub(super) fn timer(&self) -> Option<Instant> {
        match self {
            Self::Merge { limit, .. } => limit.as_ref()?.timer,
            Self::Stream | Self::Control => None,
        }
    }

    pub(super) const fn mode(&self) -> Mode {
        match self {
            Self::Merge { .. } => Mode::Merge,
            Self::Stream | Self::Control => Mode::Stream,
        }
    }

    pub(super) fn max_rate(&self) -> Option<f64> {
        match self {
            Self::Merge { limit, .. } => limit.as_ref().map(|limit| limit.rate),
            Self::Stream | Self::Control => None,
        }
    }
}

/// A subscription to all symbols of a pattern, also those to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct PatternSubscription {
    pub(super) channel: Channel,
    pub(super) form: Form,
    pub(super) pattern: Pattern,
    pub(super) mode: Option<Mode>,
    pub(super) max_rate: Option<f64>,
    pub(super) snapshot: bool,
}

impl PatternSubscription {
    /// Which events of the symbols.
    pub(super) const fn of(&self) -> (Channel, Form) {
        (self.channel, self.form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_much_of_stays_small() {
        assert!(size_of::<Subscription>() <= 56, "{}", size_of::<Subscription>());
        assert!(
            size_of::<LocalEvent>() <= 32,
            "one line of the cache with its counts: {}",
            size_of::<LocalEvent>()
        );
    }
}
