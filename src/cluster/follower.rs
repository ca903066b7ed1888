//! Brings the batches of the log into the hub that serves clients, in order and each once.
//!
//! It knows the place of the last batch that the hub has taken in. The next one must follow from it: a number further in the
//! same term, or the beginning of a later term by a leader that had not seen more. Anything else is a hole, and only an image
//! mends it. The beginning of a term does not tell whether the end of the one before is missing in front of it: a reader
//! of a log must know that its own place is still there. Long batches
//! are taken in by turns, so that lanes can be emptied in between.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use super::{
    bytes::WireError,
    image::{Slice, WholeImage},
    position::{InboxId, Position},
    wire::{Batch, Check, Entry, FeedWord, Open, WIRE_VERSION},
};
use crate::{
    hub::{Event, Hub, Input, RULES, RestoreError},
    limits::{MAX_BURST_TICKS, REMEMBERED_CHECKS, SLICE_TOPICS},
    market::{Symbol, UnixMicros},
};

/// Why what the log says cannot follow what the hub has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Hole {
    /// Batches in between are not there.
    #[error("{found} does not follow {at}")]
    Skipped {
        /// The last batch that was taken in.
        at: Position,
        /// The one that came.
        found: Position,
    },
    /// It stands before what was taken in.
    #[error("{found} stands before {at}, which was taken in already")]
    Regressed {
        /// The last batch that was taken in.
        at: Position,
        /// The one that came.
        found: Position,
    },
    /// The leader has come to other values.
    #[error("at {0} the leader has other numbers or values")]
    Differs(Position),
    /// The batch is damaged, or of another version.
    #[error("{0} {1}")]
    Unreadable(Position, WireError),
    /// The leader follows other rules, or says in a version that this gateway does not read.
    #[error("at {at} a leader begins that {what}")]
    Refused {
        /// Its first batch.
        at: Position,
        /// What cannot be followed.
        what: &'static str,
    },
    /// What it says cannot come of what the hub has.
    #[error("{at} does not fit: {why}")]
    Unsound {
        /// The batch.
        at: Position,
        /// Why.
        why: RestoreError,
    },
}

/// What a batch said besides what it did to the hub.
#[derive(Debug, Clone, Default)]
pub struct Applied {
    /// A leader began with it.
    pub open: Option<Open>,
    /// The leader has resigned with it.
    pub is_closed: bool,
    /// How the feeds are doing.
    pub feeds: Option<Vec<FeedWord>>,
    /// Inputs that it had.
    pub inputs: usize,
    /// Part of it is still to be done by [`Follower::proceed`].
    pub has_more: bool,
}

/// The batch that is being taken in.
#[derive(Debug)]
struct UnderWay {
    at: Position,
    inputs: VecDeque<Input>,
    /// Until when time passes behind them.
    passes: Option<UnixMicros>,
    check: Option<Check>,
}

/// What the serving hub has of the log.
#[derive(Debug)]
pub struct Follower {
    hub: Arc<Hub>,
    position: Position,
    /// Whether the hub has anything.
    has_joined: bool,
    /// While slices of an image are of different places: up to where each symbol is in step already.
    marks: HashMap<Symbol, Position>,
    /// The last slice's place: behind it the marks mean nothing.
    marked_until: Position,
    under_way: Option<UnderWay>,
    time: UnixMicros,
    inbox: Option<InboxId>,
    sums: VecDeque<(Position, u64)>,
    newest_sum: Option<(Position, u64)>,
}

impl Follower {
    /// One of a hub that has nothing of the log yet.
    #[must_use]
    pub fn new(hub: Arc<Hub>) -> Self {
        Self {
            hub,
            position: Position::START,
            has_joined: false,
            marks: HashMap::new(),
            marked_until: Position::START,
            under_way: None,
            time: UnixMicros(i64::MIN),
            inbox: None,
            sums: VecDeque::new(),
            newest_sum: None,
        }
    }

    /// The hub.
    #[must_use]
    pub const fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// The last batch that was taken in; a part of one does not count.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Whether the hub has an image, or has followed since the beginning.
    #[must_use]
    pub const fn has_joined(&self) -> bool {
        self.has_joined
    }

    /// The leaders' time at the newest batch. The time of the next one must not be before it.
    #[must_use]
    pub const fn time(&self) -> UnixMicros {
        self.time
    }

    /// The newest entry of the inbox that is in the log.
    #[must_use]
    pub const fn inbox(&self) -> Option<InboxId> {
        self.inbox
    }

    /// The sum of the newest check and the batch that asked for it, for a leader to tell; `None` while an image is joined.
    #[must_use]
    pub const fn newest_sum(&self) -> Option<(Position, u64)> {
        self.newest_sum
    }

    /// Whether every topic is in step with the position, so that an image can be taken of the hub.
    #[must_use]
    pub fn is_in_step(&self) -> bool {
        self.has_joined && self.marks.is_empty() && self.under_way.is_none()
    }

    /// Takes in the batch at that place, or its first turn. What was left of the one before is done first.
    ///
    /// # Errors
    /// When it does not follow; then nothing may be taken in before an image is [loaded](Self::load).
    pub fn apply(&mut self, at: Position, batch: Batch) -> Result<Applied, Hole> {
        while self.proceed()? {}
        self.follows(at, &batch)?;
        let mut applied = Applied::default();
        let mut inputs = VecDeque::with_capacity(batch.entries.len());
        let mut check = None;
        for entry in batch.entries {
            match entry {
                Entry::Input(input) => inputs.push_back(input),
                Entry::Open(open) => applied.open = Some(open),
                Entry::Close => applied.is_closed = true,
                Entry::Feeds(feeds) => applied.feeds = Some(feeds),
                Entry::Check(said) => check = Some(said),
            }
        }
        if let Some(open) = &applied.open {
            if *open.epoch != *self.hub.epoch() {
                self.hub.renumber(open.epoch.clone());
            }
            self.has_joined = true;
        }
        if at > self.marked_until {
            self.marks.clear();
        }
        self.time = self.time.max(batch.time);
        self.inbox = batch.inbox.or(self.inbox);
        applied.inputs = inputs.len();
        let passes = batch.passes.then_some(self.time);
        self.under_way = Some(UnderWay { at, inputs, passes, check });
        applied.has_more = self.proceed()?;
        Ok(applied)
    }

    /// Whether the batch is the next one.
    fn follows(&self, at: Position, batch: &Batch) -> Result<(), Hole> {
        let skipped = Hole::Skipped { at: self.position, found: at };
        let opens = batch.entries.iter().filter(|entry| matches!(entry, Entry::Open(_))).count();
        if at <= self.position {
            return Err(Hole::Regressed { at: self.position, found: at });
        }
        if at.term == self.position.term {
            return if opens == 0 && at == self.position.next() { Ok(()) } else { Err(skipped) };
        }
        let Some(Entry::Open(open)) = batch.entries.first().filter(|_| opens == 1 && at.seq == 0) else {
            return Err(skipped);
        };
        // What the one before had still written stands in front of the opening batch: its writer reads that before it leads.
        // Where the numbering is another one, the log may be too, and this node may have what was lost with the old one.
        let is_behind = open.follows < self.position && *open.epoch == *self.hub.epoch();
        let follows = open.follows == self.position && (self.has_joined || open.follows == Position::START);
        let follows = follows || self.has_joined && is_behind;
        if !follows {
            return Err(skipped);
        }
        match open {
            open if open.format != WIRE_VERSION => Err(Hole::Refused { at, what: "writes another version" }),
            open if open.rules != RULES => Err(Hole::Refused { at, what: "derives by other rules" }),
            _ => Ok(()),
        }
    }

    /// One more turn of the batch that is being taken in. Returns whether something is left; to be called until then, while
    /// no lane is congested.
    ///
    /// # Errors
    /// When it does not fit what the hub has; then nothing may be taken in before an image is [loaded](Self::load).
    pub fn proceed(&mut self) -> Result<bool, Hole> {
        let Some(under_way) = &mut self.under_way else { return Ok(false) };
        let at = under_way.at;
        let marks = &self.marks;
        let joins = !marks.is_empty();
        // An image has each symbol as it was at its mark, and no symbol that had gone by then.
        let is_new = |input: &Input| {
            let symbol = input.symbol();
            !joins
                || symbol.is_some_and(|symbol| marks.get(&symbol).is_none_or(|mark| *mark < at))
                    && !matches!(input, Input::Symbol(..))
        };
        let turn = under_way.inputs.len().min(MAX_BURST_TICKS);
        let inputs = under_way.inputs.drain(..turn).filter(is_new);
        let applied = self.hub.apply(inputs);
        if let Err(why) = applied {
            self.under_way = None;
            return Err(Hole::Unsound { at, why });
        }
        if !under_way.inputs.is_empty() {
            return Ok(true);
        }
        if let Some(until) = under_way.passes {
            let may = |symbol| marks.get(&symbol).is_none_or(|mark| *mark < at);
            if turn > 0 && self.hub.is_due(until) || self.hub.pass_due(until, may) {
                return Ok(true);
            }
        }
        let check = under_way.check;
        self.under_way = None;
        self.position = at;
        if at >= self.marked_until {
            self.marks.clear();
        }
        check.map_or(Ok(()), |check| self.check(at, check))?;
        Ok(false)
    }

    fn check(&mut self, at: Position, Check { from, most, told }: Check) -> Result<(), Hole> {
        if let Some((asked, sum)) = told
            && self.sums.iter().any(|(at, own)| *at == asked && *own != sum)
        {
            return Err(Hole::Differs(asked));
        }
        if self.marks.is_empty() {
            if self.sums.len() >= REMEMBERED_CHECKS {
                self.sums.pop_front();
            }
            let sum = self.hub.sum(from, most);
            self.sums.push_back((at, sum));
            self.newest_sum = Some((at, sum));
        }
        Ok(())
    }

    /// The first topics from that number on, for an image; `None` while the hub is not in step itself.
    #[must_use]
    pub fn slice(&self, from: u32) -> Option<Slice<Arc<Event>>> {
        self.slice_of(from, SLICE_TOPICS)
    }

    fn slice_of(&self, from: u32, most: usize) -> Option<Slice<Arc<Event>>> {
        let place = (self.position, self.time, self.inbox);
        self.is_in_step().then(|| Slice::take(&self.hub, place, from, most))
    }

    /// Takes over what another node has. The next batch is the one behind the image's first slice.
    ///
    /// # Errors
    /// When no hub can have come to that; then another image must be loaded.
    pub fn load(&mut self, image: WholeImage) -> Result<(), RestoreError> {
        let WholeImage { epoch, time, inbox, first, last, marks, topics, numbering } = image;
        self.under_way = None;
        self.has_joined = false;
        self.hub.renew_as(topics, numbering, &epoch)?;
        (self.position, self.marked_until, self.time, self.inbox) = (first, last, time, inbox);
        self.marks = if first < last { marks } else { HashMap::new() };
        self.sums.clear();
        self.newest_sum = None;
        self.has_joined = true;
        Ok(())
    }

    /// The numbering goes on from what the hub has, under another name, as this node founds it. The
    /// next batch is the one that opens behind `at`.
    pub fn found(&mut self, at: Position) {
        self.under_way = None;
        self.marks.clear();
        self.sums.clear();
        self.newest_sum = None;
        self.position = at;
        self.has_joined = true;
    }
}

#[cfg(test)]
mod tests;
