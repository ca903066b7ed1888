//! Where a client stands in everything it has subscribed to, as one short text that it hands back when it returns.
//!
//! The text means something to this gateway only, and to this incarnation of the numbering only. It is not signed: a
//! made-up one gets its maker a gap or a resynchronisation, as a made-up `since` does.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::subs::Subs;
use crate::{
    dialect::native::Since,
    hub::{Hub, TopicId},
    limits::{MAX_TOPICS, POSITION_BYTES},
    market::Channel,
};

/// A position that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    epoch: String,
    /// With a pattern: topics from here on were not known to the client yet.
    known: Option<usize>,
    /// Number of each subscription by its [key], in rising order; nothing when there were too many.
    n: Option<Vec<(usize, u64)>>,
}

/// Keys of one topic: one for each possible channel.
const KEYS: usize = Channel::ID_LIMIT as usize;

/// Topic and channel as one number. It has the channel's id, not its place in this build's tables: a gateway of another
/// version reads the same.
fn key(topic: TopicId, channel: Channel) -> usize {
    topic.index() * KEYS + usize::from(channel.id())
}

/// Why a client cannot go on from its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResyncReason {
    /// Not a position of this version of the gateway.
    Unreadable,
    /// Of another incarnation of the numbering.
    OtherEpoch,
    /// It had no room for all subscriptions.
    TooMany,
}

impl ResyncReason {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::OtherEpoch => "other_epoch",
            Self::TooMany => "too_many",
        }
    }
}

/// First byte: the version of the form. Version 1 had the channel's place in the tables of its build.
const VERSION: u8 = 2;

impl Position {
    /// Where a session stands now: everything up to here was written. With a pattern `known` topics were matched.
    pub(super) fn of(epoch: &str, subs: &Subs, known: Option<usize>) -> Self {
        let epoch = epoch.to_owned();
        if subs.len() > POSITION_BYTES / 2 {
            // Each takes two bytes at least, so they have no room: they need not be looked at.
            return Self { epoch, known: None, n: None };
        }
        let mut numbers: Vec<_> = subs.iter().map(|sub| (key(sub.topic, sub.channel), sub.sent)).collect();
        // Channels of one topic come in the order of this build.
        numbers.sort_unstable();
        Self { epoch, known, n: Some(numbers) }
    }

    /// The position as text of at most [`POSITION_BYTES`].
    pub(super) fn text(&self) -> String {
        let encoded = URL_SAFE_NO_PAD.encode(self.bytes());
        if encoded.len() <= POSITION_BYTES {
            return encoded;
        }
        URL_SAFE_NO_PAD.encode(Self { epoch: self.epoch.clone(), known: None, n: None }.bytes())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        put(&mut bytes, self.epoch.len() as u64);
        bytes.extend_from_slice(self.epoch.as_bytes());
        put(&mut bytes, self.known.map_or(0, |known| known as u64 + 1));
        let Some(numbers) = &self.n else { return bytes };
        put(&mut bytes, numbers.len() as u64);
        let mut last = 0;
        for (key, n) in numbers {
            put(&mut bytes, (key - last) as u64);
            put(&mut bytes, *n);
            last = *key;
        }
        bytes
    }

    /// Reads a position that `hub` can serve.
    pub(super) fn read(text: &str, hub: &Hub) -> Result<Self, ResyncReason> {
        let position = Self::parse(text).ok_or(ResyncReason::Unreadable)?;
        if position.epoch != hub.epoch() {
            return Err(ResyncReason::OtherEpoch);
        }
        if position.n.is_none() { Err(ResyncReason::TooMany) } else { Ok(position) }
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() > POSITION_BYTES {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let rest = &mut bytes.strip_prefix(&[VERSION])?;
        let length = usize::try_from(take(rest)?).ok()?;
        let epoch = rest.split_off(..length)?;
        let epoch = std::str::from_utf8(epoch).ok()?.to_owned();
        let known = usize::try_from(take(rest)?).ok()?.checked_sub(1);
        if rest.is_empty() {
            return Some(Self { epoch, known, n: None });
        }
        let count = take(rest)?;
        let mut numbers = Vec::new();
        let mut key = 0_usize;
        for _ in 0..count {
            key = key.checked_add(usize::try_from(take(rest)?).ok()?)?;
            numbers.push((key, take(rest)?));
        }
        let possible = key < MAX_TOPICS * KEYS && rest.is_empty();
        possible.then_some(Self { epoch, known, n: Some(numbers) })
    }

    /// The part of one channel, as a subscribe command has it. Symbols that became known after the client was matched
    /// with them start from their first event.
    pub(super) fn since(&self, channel: Channel, hub: &Hub) -> Since {
        let mut n = HashMap::new();
        for (key, number) in self.n.iter().flatten() {
            if key % KEYS == usize::from(channel.id())
                && let Some(topic) = hub.topic_at(key / KEYS)
            {
                n.insert(topic.symbol(), *number);
            }
        }
        Since { epoch: self.epoch.clone(), n, new_from: self.known }
    }
}

/// Appends a number, seven bits a byte, the lowest first.
#[expect(clippy::cast_possible_truncation, reason = "the seven lowest bits are meant")]
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *bytes.split_off_first()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_back(
            known in proptest::option::of(0..MAX_TOPICS),
            n in proptest::collection::btree_map(0..MAX_TOPICS * KEYS, any::<u64>(), 0..200),
        ) {
            let position = Position { epoch: "e-1".into(), known, n: Some(n.into_iter().collect()) };
            prop_assert_eq!(Position::parse(&position.text()), Some(position));
        }

        #[test]
        fn no_text_panics(text in "[A-Za-z0-9_-]{0,60}|.{0,40}") {
            let _ = Position::parse(&text);
        }
    }

    /// Text of the first version, for trades 5 and quotes 7 of the first topic in the epoch `e`.
    #[test]
    fn a_position_of_an_older_form_is_not_guessed_at() {
        let old = URL_SAFE_NO_PAD.encode([1, 1, b'e', 0, 2, 0, 5, 1, 7]);
        assert_eq!(Position::parse(&old), None);
        let same = URL_SAFE_NO_PAD.encode([2, 1, b'e', 0, 2, 0, 5, 1, 7]);
        let read = Position::parse(&same).unwrap();
        assert_eq!(read.n, Some(vec![(0, 5), (1, 7)]));
        assert_eq!(read.text(), same);
    }

    #[test]
    fn many_subscriptions_have_no_room_and_say_so() {
        let numbers = (0..20_000).map(|key| (key, 1 << 40)).collect();
        let position = Position { epoch: "e".into(), known: Some(3), n: Some(numbers) };
        let text = position.text();
        assert!(text.len() <= POSITION_BYTES);
        assert_eq!(Position::parse(&text), Some(Position { epoch: "e".into(), known: None, n: None }));
    }
}
