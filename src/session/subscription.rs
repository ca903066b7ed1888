//! What one session gets of one (symbol, channel), and how.

use std::{rc::Rc, sync::Arc, time::Duration};

use crate::{
    clock::Instant,
    dialect::native::{Gap, Mode, Pattern},
    hub::{Event, TopicId},
    market::{Channel, LossWhy, Symbol},
};

/// An event on its shard: shared by the sessions of one thread without atomic operations.
pub(super) type Shared = Rc<Arc<Event>>;

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) topic: TopicId,
    pub(super) symbol: Symbol,
    pub(super) channel: Channel,
    pub(super) delivery: Delivery,
    /// Where the session stands in the topic's list of subscribers.
    pub(super) place: usize,
    /// Merging: number of the newest event that was given to the client, or told by an ack. Streams need none; they
    /// keep it in debug builds only, where every event is checked against it.
    pub(super) sent: u64,
    /// Lost events that the client must be told of before the next one.
    pub(super) gap: Option<Lost>,
}

impl Subscription {
    /// The message that tells of a loss.
    pub(super) const fn gap_message(&self, lost: Lost) -> Gap {
        Gap {
            kind: "gap",
            symbol: self.symbol,
            channel: self.channel,
            from: lost.from,
            to: lost.to,
            why: lost.why.as_str(),
        }
    }
}

/// How it is delivered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Delivery {
    /// Only the newest event.
    Merge {
        /// Whether an event waits.
        pending: Pending,
        /// At most one event in this time.
        pace: Option<Pace>,
    },
    /// Every event, through the stream queue.
    Stream,
    /// Every event, through the control lane.
    Control,
}

/// Whether a merged event waits, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pending {
    /// Nothing waits.
    No,
    /// For the socket: the subscription is in the merge queue.
    Socket,
    /// For its time: the subscription is among the shard's timers.
    Until(Instant),
}

/// A limited rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// As the client asked for it, in events a second.
    pub(super) rate: f64,
    /// Time between two events.
    pub(super) interval: Duration,
    /// No event before this.
    pub(super) next: Instant,
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
}

impl Why {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::SlowClient => "slow_client",
            Self::Overload => "overload",
            Self::NotRecoverable => "not_recoverable",
            Self::Upstream => LossWhy::Reconnect.as_str(),
        }
    }
}

impl Delivery {
    /// The delivery that a client asked for, or the channel's default.
    #[expect(clippy::float_arithmetic, reason = "a rate becomes an interval; no price is near")]
    pub(super) fn new(channel: Channel, mode: Option<Mode>, max_rate: Option<f64>, now: Instant) -> Self {
        let pace =
            max_rate.map(|rate| Pace { rate, interval: Duration::from_secs_f64(1.0 / rate), next: now });
        match (channel, mode) {
            // A status is never merged away.
            (Channel::Status, _) => Self::Control,
            (Channel::Trades | Channel::Quotes, _) if pace.is_some() => {
                Self::Merge { pending: Pending::No, pace }
            }
            (_, Some(Mode::Merge)) | (Channel::Quotes, None) => Self::Merge { pending: Pending::No, pace },
            (_, Some(Mode::Stream)) | (Channel::Trades, None) => Self::Stream,
        }
    }

    /// Whether a merged event waits, when it merges.
    pub(super) const fn pending_mut(&mut self) -> Option<&mut Pending> {
        match self {
            Self::Merge { pending, .. } => Some(pending),
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
            Self::Merge { pace, .. } => pace.map(|pace| pace.rate),
            Self::Stream | Self::Control => None,
        }
    }
}

/// A standing wish for all symbols of a pattern, also those to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Following {
    pub(super) channel: Channel,
    pub(super) pattern: Pattern,
    pub(super) mode: Option<Mode>,
    pub(super) max_rate: Option<f64>,
    pub(super) snapshot: bool,
}
