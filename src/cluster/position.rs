//! Places in the log and in the inbox, as the ids of entries of a Redis stream.

use std::{fmt, str::FromStr};

/// Where a batch stands in the log: the token of who wrote it, and its number among that one's. Later batches have greater
/// ones, also those of another leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Position {
    /// The token of the leader that wrote it.
    pub term: u64,
    /// Its number in that term, from 0.
    pub seq: u64,
}

impl Position {
    /// Before everything.
    pub const START: Self = Self { term: 0, seq: 0 };

    /// The place behind this one in the same term.
    #[must_use]
    pub const fn next(self) -> Self {
        Self { seq: self.seq.saturating_add(1), ..self }
    }
}

/// The place of an entry in the inbox: the id that Redis gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct InboxId(pub u64, pub u64);

/// A text is not two numbers with a dash in between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the id of an entry: two numbers with a dash in between")]
pub struct NoId(String);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.term, self.seq)
    }
}

impl FromStr for Position {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        parts(text).map(|(term, seq)| Self { term, seq })
    }
}

impl fmt::Display for InboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

impl FromStr for InboxId {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        parts(text).map(|(first, second)| Self(first, second))
    }
}

fn parts(text: &str) -> Result<(u64, u64), NoId> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let parts = text.split_once('-').filter(|(first, second)| is_number(first) && is_number(second));
    let parts = parts.and_then(|(first, second)| Some((first.parse().ok()?, second.parse().ok()?)));
    parts.ok_or_else(|| NoId(text.chars().take(48).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_to_text_and_back() {
        for (term, seq) in [(0, 0), (7, 1), (u64::MAX, u64::MAX)] {
            let position = Position { term, seq };
            assert_eq!(position.to_string().parse(), Ok(position));
            assert_eq!(InboxId(term, seq).to_string().parse(), Ok(InboxId(term, seq)));
        }
        for bad in ["", "-", "1", "1-", "-1", "1-2-3", "+1-2", "1- 2", "18446744073709551616-0", "$"] {
            assert!(bad.parse::<Position>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_later_term_stands_behind_every_batch_of_an_earlier_one() {
        let at = |term, seq| Position { term, seq };
        assert!(at(2, 0) > at(1, u64::MAX) && at(1, 1) > at(1, 0) && at(1, 0) > Position::START);
        assert_eq!(at(1, 0).next(), at(1, 1));
    }
}
