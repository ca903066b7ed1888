//! Where a client stands in everything it has subscribed to, as one short text that it hands back when it returns.
//!
//! The text means something to this gateway only, and to this incarnation of the numbering only. It is not signed: a
//! made-up one gets its maker a gap or a resynchronisation, as a made-up `since` does.

use std::collections::{BTreeMap, HashMap};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::subs::Subs;
use crate::{dialect::Since, hub::Hub, limits::POSITION_BYTES, market::Channel};

/// A position that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Position {
    epoch: String,
    /// With a pattern: topics from this number on were not known to the client yet.
    known: Option<u32>,
    /// Numbers of topics in rising order, each with where the client stands in it, by the ids of channels; nothing when
    /// there were too many. Neither is ever given again: so no other order of the feeds, and no other version of the
    /// gateway, makes a position mean something else.
    n: Option<BTreeMap<u8, Vec<(u32, u64)>>>,
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

/// First byte: the version of the form. Version 1 had the channel's place in the tables of its build, version 2 the topic's
/// place among all.
const VERSION: u8 = 3;

impl Position {
    /// Where a session stands now: everything up to here was written. With a pattern `known` topics were matched.
    pub(super) fn of(epoch: &str, subs: &Subs, known: Option<u32>) -> Self {
        let epoch = epoch.to_owned();
        if subs.len() > POSITION_BYTES / 2 {
            // Each takes two bytes at least, so they have no room: they need not be looked at.
            return Self { epoch, known: None, n: None };
        }
        let mut numbers: BTreeMap<u8, Vec<_>> = BTreeMap::new();
        for sub in subs.iter() {
            // In the order of topics, so numbers rise.
            numbers.entry(sub.channel.id()).or_default().push((sub.topic.number(), sub.sent));
        }
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
        put(&mut bytes, self.known.map_or(0, |known| u64::from(known) + 1));
        let Some(numbers) = &self.n else { return bytes };
        put(&mut bytes, numbers.len() as u64);
        for (channel, numbers) in numbers {
            bytes.push(*channel);
            put(&mut bytes, numbers.len() as u64);
            let mut last = 0;
            for (topic, n) in numbers {
                put(&mut bytes, u64::from(topic - last));
                put(&mut bytes, *n);
                last = *topic;
            }
        }
        bytes
    }

    /// Reads a position that `hub` can serve.
    pub(super) fn read(text: &str, hub: &Hub) -> Result<Self, ResyncReason> {
        let position = Self::parse(text).ok_or(ResyncReason::Unreadable)?;
        if *position.epoch != *hub.epoch() {
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
        let known = match take(rest)? {
            0 => None,
            next => Some(u32::try_from(next - 1).ok()?),
        };
        if rest.is_empty() {
            return Some(Self { epoch, known, n: None });
        }
        let mut numbers = BTreeMap::new();
        for _ in 0..take(rest)? {
            let channel = *rest.split_off_first()?;
            let mut of_channel = Vec::new();
            let mut topic = 0_u32;
            for _ in 0..take(rest)? {
                topic = topic.checked_add(u32::try_from(take(rest)?).ok()?)?;
                of_channel.push((topic, take(rest)?));
            }
            numbers.insert(channel, of_channel);
        }
        rest.is_empty().then_some(Self { epoch, known, n: Some(numbers) })
    }

    /// Topics with smaller numbers than this were known where the client comes from.
    pub(super) fn topics(&self) -> u32 {
        let named = self.n.iter().flat_map(|n| n.values()).filter_map(|numbers| numbers.last());
        named.map(|(topic, _)| topic + 1).chain(self.known).max().unwrap_or(0)
    }

    /// The part of one channel, as a subscribe command has it. Symbols that became known after the client was matched
    /// with them start from their first event.
    pub(super) fn since(&self, channel: Channel, hub: &Hub) -> Since {
        let (mut n, mut names_removed) = (HashMap::new(), false);
        let of_channel = self.n.as_ref().and_then(|n| n.get(&channel.id()));
        for (number, sent) in of_channel.into_iter().flatten() {
            match hub.topic_at(*number) {
                Some(topic) => {
                    n.insert(topic.symbol(), *sent);
                }
                None => names_removed = true,
            }
        }
        Since { epoch: self.epoch.clone(), n, new_from: self.known, names_removed }
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

    fn position(known: Option<u32>, n: BTreeMap<u8, Vec<(u32, u64)>>) -> Position {
        Position { epoch: "63f1c0a2b7d40-9c1e".into(), known, n: Some(n) }
    }

    proptest! {
        #[test]
        fn text_and_back(
            known in proptest::option::of(0..u32::MAX),
            n in proptest::collection::btree_map(
                0..Channel::ID_LIMIT,
                proptest::collection::btree_map(any::<u32>(), any::<u64>(), 1..40),
                0..6,
            ),
        ) {
            let n = n.into_iter().map(|(channel, numbers)| (channel, numbers.into_iter().collect()));
            let position = position(known, n.collect());
            prop_assert_eq!(Position::parse(&position.text()), Some(position));
        }

        #[test]
        fn no_text_panics(text in "[A-Za-z0-9_-]{0,60}|.{0,40}") {
            let _ = Position::parse(&text);
        }
    }

    /// Text of older versions, for trades 5 and quotes 7 of the first topic in the epoch `e`.
    #[test]
    fn a_position_of_an_older_form_is_not_guessed_at() {
        for version in [1, 2] {
            let old = URL_SAFE_NO_PAD.encode([version, 1, b'e', 0, 2, 0, 5, 1, 7]);
            assert_eq!(Position::parse(&old), None);
        }
        let same = URL_SAFE_NO_PAD.encode([3, 1, b'e', 0, 2, 0, 1, 0, 5, 1, 1, 0, 7]);
        let read = Position::parse(&same).unwrap();
        assert_eq!(read.n, Some(BTreeMap::from([(0, vec![(0, 5)]), (1, vec![(0, 7)])])));
        assert_eq!(read.text(), same);
    }

    /// A thousand of the hundred thousand symbols of a hub, side by side or as far apart as they can be, after two million
    /// events of each.
    #[test]
    fn a_position_holds_a_thousand_subscriptions() {
        for (step, size) in [(1, 5_375), (100, 5_375)] {
            let first = 3_000_000;
            let numbers = (0..1_000).map(|i| (first + i * step, 2_000_000)).collect();
            let position = position(Some(4_000_000), BTreeMap::from([(0, numbers)]));
            let text = position.text();
            assert_eq!(text.len(), size);
            assert!(size <= POSITION_BYTES);
            assert_eq!(Position::parse(&text), Some(position), "none is left out");
        }
    }

    #[test]
    fn many_subscriptions_have_no_room_and_say_so() {
        let numbers = (0..20_000).map(|topic| (topic, 1 << 40)).collect();
        let position = position(Some(3), BTreeMap::from([(0, numbers)]));
        let text = position.text();
        assert!(text.len() <= POSITION_BYTES);
        assert_eq!(Position::parse(&text), Some(Position { known: None, n: None, ..position }));
    }
}
