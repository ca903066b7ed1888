//! How far a stream has been read, and whether what lies between is whole: by the ids of its entries, and by their count, which
//! Redis keeps since 7.0. `XREAD` itself goes on from the oldest entry without a word when others were trimmed, and waits for
//! ever on a stream that began anew.

use std::{fmt, str::FromStr};

/// The id of an entry: `MILLISECONDS-NUMBER`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryId {
    millis: u64,
    number: u64,
}

impl EntryId {
    /// Before every entry.
    pub(super) const ZERO: Self = Self { millis: 0, number: 0 };
}

impl FromStr for EntryId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (millis, number) = text.split_once('-').unwrap_or((text, "0"));
        let whole = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok()).flatten().ok_or(())
        };
        Ok(Self { millis: whole(millis)?, number: whole(number)? })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

/// What `XINFO STREAM` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamState {
    /// Entries that are there.
    pub(super) length: u64,
    /// Id of the entry that was added last, also when it is gone.
    pub(super) last: EntryId,
    /// Id of the oldest entry that is there.
    pub(super) first: Option<EntryId>,
    /// Entries that were ever added. Redis before 7.0 does not count them.
    pub(super) added: Option<u64>,
}

/// How far a stream has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// The last entry that was read.
    pub(super) id: EntryId,
    /// Entries that were ever added, up to and with that one, if known.
    read: Option<u64>,
}

/// What was found about the entries behind a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// None is missing.
    Whole,
    /// Some were trimmed, or deleted, before they were read: how many, if that is known.
    Trimmed(Option<u64>),
    /// The stream is another one than the one that was read.
    Renewed,
}

/// Where a stream without a position is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// What comes from now on.
    New,
    /// The oldest entry that is there.
    Oldest,
    /// Behind that entry.
    After(EntryId),
}

impl Position {
    /// Where reading begins. The stream may not be there yet: all that comes is new then.
    pub(super) fn begin(from: Begin, found: Option<&StreamState>) -> Self {
        match (from, found) {
            (Begin::After(id), _) => Self { id, read: None },
            (_, None) => Self { id: EntryId::ZERO, read: Some(0) },
            (Begin::New, Some(state)) => Self { id: state.last, read: state.added },
            (Begin::Oldest, Some(state)) => {
                let gone = state.added.map(|added| added.saturating_sub(state.length));
                Self { id: EntryId::ZERO, read: gone }
            }
        }
    }

    /// An entry was read.
    pub(super) fn advance(&mut self, id: EntryId) {
        self.id = id;
        self.read = self.read.map(|read| read + 1);
    }

    /// The position after `entries` more, of which the last one has that id.
    pub(super) fn after(self, id: EntryId, entries: usize) -> Self {
        Self { id, read: self.read.map(|read| read.saturating_add(entries as u64)) }
    }

    /// Looks whether entries are missing, and takes note of it, so that none is told twice. `is_first`: nothing was read since
    /// the connection was made.
    pub(super) fn judge(&mut self, found: Option<&StreamState>, is_first: bool) -> Finding {
        let Some(state) = found else {
            return if self.id == EntryId::ZERO { Finding::Whole } else { self.renewed() };
        };
        if state.last < self.id {
            return self.renewed();
        }
        let is_drained = state.last == self.id;
        match (self.read, state.added) {
            (Some(read), Some(added)) if added < read => {
                // It began anew, with ids above ours. How much of it we know is clear once we stand at its end.
                self.read = is_drained.then_some(added);
                Finding::Renewed
            }
            (Some(read), Some(added)) => {
                let passed = if is_drained { added } else { added.saturating_sub(state.length) };
                if passed <= read {
                    return Finding::Whole;
                }
                self.read = Some(passed);
                Finding::Trimmed(Some(passed - read))
            }
            (None, _) | (_, None) => {
                self.read = state.added.filter(|_| is_drained);
                // While the entry of the position is there, nothing behind it was trimmed.
                let is_gone = state.first.is_none_or(|first| first > self.id);
                let may_miss = is_first && !is_drained && is_gone && self.id != EntryId::ZERO;
                if may_miss { Finding::Trimmed(None) } else { Finding::Whole }
            }
        }
    }

    /// Entries that are still to be read, if they are counted.
    pub(super) fn behind(&self, state: &StreamState) -> Option<u64> {
        Some(state.added?.saturating_sub(self.read?))
    }

    fn renewed(&mut self) -> Finding {
        *self = Self { id: EntryId::ZERO, read: Some(0) };
        Finding::Renewed
    }
}

/// As the store keeps it.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.read {
            Some(read) => write!(f, "{} {read}", self.id),
            None => write!(f, "{}", self.id),
        }
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.split_once(' ') {
            None => Ok(Self { id: text.parse()?, read: None }),
            Some((id, read)) => Ok(Self { id: id.parse()?, read: Some(read.parse().map_err(drop)?) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(millis: u64) -> EntryId {
        EntryId { millis, number: 0 }
    }

    fn at(millis: u64, read: impl Into<Option<u64>>) -> Position {
        Position { id: id(millis), read: read.into() }
    }

    /// Entries `first..=last` are there, of those that were added.
    fn state(first: u64, last: u64, added: impl Into<Option<u64>>) -> StreamState {
        let length = if first > last { 0 } else { last + 1 - first };
        StreamState { length, last: id(last), first: (length > 0).then(|| id(first)), added: added.into() }
    }

    #[test]
    fn a_position_is_kept_as_text() {
        for (text, position) in [("5-0 17", at(5, 17)), ("5-0", at(5, None))] {
            assert_eq!(position.to_string(), text);
            assert_eq!(text.parse(), Ok(position));
        }
        assert_eq!("1526919030474-55".parse(), Ok(EntryId { millis: 1_526_919_030_474, number: 55 }));
        assert_eq!("7".parse(), Ok(id(7)));
        for bad in ["", "-", "$", "+", "5-", "-5", "5-x", "5-0 x", "99999999999999999999-0", "+5-0"] {
            assert_eq!(bad.parse::<Position>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn reading_begins_where_it_was_told_to() {
        let found = state(11, 20, 20);
        assert_eq!(Position::begin(Begin::New, Some(&found)), at(20, 20));
        let mut oldest = Position::begin(Begin::Oldest, Some(&found));
        assert_eq!(oldest, at(0, 10));
        assert_eq!(
            oldest.judge(Some(&found), true),
            Finding::Whole,
            "what was trimmed before is not missing"
        );
        assert_eq!(oldest.behind(&found), Some(10));
        for from in [Begin::New, Begin::Oldest] {
            assert_eq!(Position::begin(from, None), at(0, 0), "all that will come is new");
        }
        assert_eq!(Position::begin(Begin::After(id(3)), Some(&found)), at(3, None));
    }

    #[test]
    fn what_was_trimmed_unread_is_counted_once() {
        let mut position = at(10, 10);
        assert_eq!(position.judge(Some(&state(1, 20, 20)), true), Finding::Whole);
        assert_eq!(position.judge(Some(&state(11, 20, 20)), true), Finding::Whole, "all up to it is gone");
        assert_eq!(position.judge(Some(&state(14, 20, 20)), true), Finding::Trimmed(Some(3)));
        assert_eq!(position.judge(Some(&state(14, 20, 20)), false), Finding::Whole, "told once");
        (14..=20).for_each(|entry| position.advance(id(entry)));
        assert_eq!(position, at(20, 20));
        assert_eq!(position.judge(Some(&state(20, 20, 20)), false), Finding::Whole);
        // Trimmed between two looks: the count at the end of the stream shows it.
        (25..=30).for_each(|entry| position.advance(id(entry)));
        assert_eq!(position.judge(Some(&state(30, 30, 30)), false), Finding::Trimmed(Some(4)));
        assert_eq!(
            position.judge(Some(&state(31, 30, 30)), false),
            Finding::Whole,
            "empty, and all was read"
        );
        assert_eq!(position.judge(Some(&state(36, 35, 35)), false), Finding::Trimmed(Some(5)), "empty");
    }

    #[test]
    fn a_stream_that_began_anew_is_read_from_its_beginning() {
        for found in [None, Some(state(1, 3, 3))] {
            let mut position = at(10, 10);
            assert_eq!(position.judge(found.as_ref(), false), Finding::Renewed);
            assert_eq!(position, at(0, 0));
            assert_eq!(position.judge(found.as_ref(), false), Finding::Whole, "told once");
        }
        // Its ids are times, and so above those of the one before.
        let mut position = at(10, 10);
        assert_eq!(position.judge(Some(&state(11, 13, 3)), false), Finding::Renewed);
        assert_eq!(position, at(10, None));
        (11..=13).for_each(|entry| position.advance(id(entry)));
        assert_eq!(position.judge(Some(&state(11, 13, 3)), false), Finding::Whole);
        assert_eq!(position, at(13, 3), "at its end the count is known again");
    }

    /// What happens to a stream and to its reader.
    #[derive(Debug, Clone)]
    enum Step {
        Add(u64),
        /// To at most that many entries.
        Trim(usize),
        Read(usize),
        Look,
        Reconnect,
    }

    fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
        use proptest::prelude::*;
        let step = prop_oneof![
            3 => (1..6_u64).prop_map(Step::Add),
            1 => (0..8_usize).prop_map(Step::Trim),
            3 => (1..5_usize).prop_map(Step::Read),
            2 => Just(Step::Look),
            1 => Just(Step::Reconnect),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest::proptest! {
        /// However adding, trimming, reading and looking follow each other: what was never read is told, and nothing else.
        #[test]
        fn every_entry_is_read_or_counted_as_lost(steps in steps()) {
            let (mut there, mut added) = (std::collections::VecDeque::new(), 0);
            let (mut position, mut read, mut told) = (at(0, 0), 0, 0);
            for step in steps.into_iter().chain([Step::Read(usize::MAX), Step::Look]) {
                let is_first = matches!(step, Step::Reconnect);
                match step {
                    Step::Add(count) => {
                        // Ids have holes.
                        there.extend((1..=count).map(|i| id((added + i) * 3)));
                        added += count;
                    }
                    Step::Trim(most) => drop(there.drain(..there.len().saturating_sub(most))),
                    Step::Read(most) => {
                        let behind: Vec<_> = there.iter().copied().filter(|id| *id > position.id).take(most).collect();
                        read += behind.len() as u64;
                        behind.into_iter().for_each(|id| position.advance(id));
                    }
                    Step::Look | Step::Reconnect => {
                        let (length, last) = (there.len() as u64, id(added * 3));
                        let state = StreamState { length, last, first: there.front().copied(), added: Some(added) };
                        match position.judge(Some(&state), is_first) {
                            Finding::Whole => {}
                            Finding::Trimmed(lost) => told += lost.expect("Redis counts"),
                            Finding::Renewed => panic!("it is the same stream"),
                        }
                    }
                }
                proptest::prop_assert!(read + told <= added, "{read} read and {told} lost, of {added}");
            }
            proptest::prop_assert_eq!(read + told, added);
        }
    }

    #[test]
    fn a_server_that_does_not_count_is_judged_by_what_is_there() {
        let mut position = at(10, None);
        assert_eq!(position.judge(Some(&state(10, 20, None)), true), Finding::Whole);
        assert_eq!(
            position.judge(Some(&state(11, 20, None)), true),
            Finding::Trimmed(None),
            "unknown how many"
        );
        assert_eq!(position.judge(Some(&state(11, 20, None)), false), Finding::Whole);
        assert_eq!(position.judge(Some(&state(11, 10, None)), true), Finding::Whole, "all was read");
        assert_eq!(position.judge(Some(&state(1, 5, None)), true), Finding::Renewed);
        assert_eq!(position.behind(&state(1, 5, None)), None);
        let mut position = at(10, 10);
        assert_eq!(position.judge(Some(&state(11, 20, None)), true), Finding::Trimmed(None), "it was newer");
    }
}
