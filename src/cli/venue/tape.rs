//! The data frames of a recording, and the topics in each.

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use serde_json::value::RawValue;

use crate::{
    cli::logging,
    dialect::{Message, Naming, Topic, Venue},
    feed::replay::Frames,
    market::{Quote, Symbol, Tick, UnixMicros},
};

/// One data frame.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The receive time, if the recording has one.
    pub(super) at: Option<UnixMicros>,
    pub(super) text: String,
    pub(super) topics: BTreeSet<Topic>,
}

impl Recorded {
    /// A frame of this venue; `None` if it has no ticks.
    #[must_use]
    pub fn new(venue: Venue, at: Option<UnixMicros>, text: String) -> Option<Self> {
        let topics = topics(venue, text.as_bytes());
        (!topics.is_empty()).then_some(Self { at, text, topics })
    }

    /// The quotes of the frame, each with the venue's name of its symbol.
    pub(super) fn quotes(&self, venue: Venue) -> impl Iterator<Item = (String, Quote)> {
        ticks(venue, self.text.as_bytes()).into_iter().filter_map(|(theirs, tick)| match tick {
            Tick::Quote(quote) => Some((theirs, quote)),
            Tick::Trade(_) | Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => None,
        })
    }

    /// The part of the frame that a client with these subscriptions gets; `None` if it gets nothing.
    pub(super) fn of(&self, venue: Venue, subscribed: &BTreeSet<Topic>) -> Option<String> {
        if self.topics.is_subset(subscribed) {
            return Some(self.text.clone());
        }
        if venue != Venue::Alpaca || self.topics.is_disjoint(subscribed) {
            return None;
        }
        // An Alpaca frame has ticks of several symbols.
        let entries: Vec<&RawValue> = serde_json::from_str(&self.text).ok()?;
        let wanted = |entry: &&&RawValue| {
            let alone = format!("[{}]", entry.get());
            topics(venue, alone.as_bytes()).is_subset(subscribed)
        };
        let kept: Vec<_> = entries.iter().filter(wanted).map(|entry| entry.get()).collect();
        Some(format!("[{}]", kept.join(",")))
    }
}

/// The venue's names in a frame. A venue may use any characters, so each name's index stands for it as a symbol.
#[derive(Default)]
struct Places(RefCell<Vec<String>>);

impl Naming for Places {
    fn ours(&self, theirs: &str) -> Option<Symbol> {
        let mut names = self.0.borrow_mut();
        let known = names.iter().position(|name| name == theirs);
        let place = known.unwrap_or(names.len());
        if known.is_none() {
            names.push(theirs.to_owned());
        }
        Symbol::new(&place.to_string()).ok()
    }
}

impl Places {
    fn theirs(&self, symbol: Symbol) -> Option<String> {
        self.0.borrow().get(symbol.as_str().parse::<usize>().ok()?).cloned()
    }
}

/// The ticks of a frame, each with the venue's name of its symbol.
fn ticks(venue: Venue, frame: &[u8]) -> Vec<(String, Tick)> {
    let (mut messages, places) = (Vec::new(), Places::default());
    // Clients cannot subscribe to what the dialect cannot read.
    if venue.parse_as(frame, UnixMicros(0), &places, &mut messages).is_err() {
        return Vec::new();
    }
    let tick = |message| match message {
        Message::Tick { tick, .. } => places.theirs(tick.symbol()).map(|theirs| (theirs, tick)),
        Message::Ack(_)
        | Message::Refused(_)
        | Message::Heartbeat
        | Message::Mark { .. }
        | Message::Status { .. }
        | Message::Shutdown
        | Message::Unnamed(_)
        | Message::Ignored(_)
        | Message::Unknown => None,
    };
    messages.into_iter().filter_map(tick).collect()
}

fn topics(venue: Venue, frame: &[u8]) -> BTreeSet<Topic> {
    ticks(venue, frame).into_iter().map(|(theirs, tick)| (tick.channel(), theirs)).collect()
}

/// Reads a whole recording.
///
/// # Errors
/// Says what is wrong with the file, or that there is no tick in it.
pub fn read(venue: Venue, path: &Path) -> Result<Vec<Recorded>, String> {
    let mut frames = Frames::open(path)?;
    let mut recorded = Vec::new();
    while let Some((at, bytes)) = frames.advance()? {
        if let Ok(text) = String::from_utf8(bytes) {
            recorded.extend(Recorded::new(venue, at, text));
        }
    }
    if frames.broke_off() {
        let note = "breaks off, as after a recorder was killed; what is in it is played";
        logging::last_words(&format!("tickcast: {}: {note}\n", path.display()));
    }
    if recorded.is_empty() {
        return Err(format!("{}: has no tick of {}", path.display(), venue.as_str()));
    }
    Ok(recorded)
}
