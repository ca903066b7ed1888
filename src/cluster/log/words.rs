//! What nodes say to each other beside the batches, and what the log answers.
//!
//! Documents are JSON, so that an operator can read them with `redis-cli`. A field that a later version adds is passed over.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cluster::{InboxId, Position};

/// What a numbering is made of. Its founder writes it down; who joins compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The name of the numbering.
    pub epoch: String,
    /// The version of the batches.
    pub format: u32,
    /// The version of what is derived: another one computes other bars.
    pub rules: u32,
    /// Tells whether two nodes have the same feeds.
    pub feeds: String,
    /// `history.intervals`, as in a configuration.
    pub intervals: Vec<String>,
    /// `history.trades_per_symbol`.
    pub trades_per_symbol: usize,
    /// `history.bars`.
    pub bars: usize,
    /// The node that founded it.
    pub founder: String,
}

/// A node's sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeWord {
    /// Its name.
    pub id: String,
    /// `auto`, `feed` or `edge`.
    pub role: String,
    /// Whether it leads.
    pub leads: bool,
    /// The version of the program.
    pub version: String,
    /// The latest version of the batches that it reads.
    pub wire: u32,
    /// The numbering that it is in; empty before its first image.
    pub epoch: String,
    /// The last batch that it has applied.
    #[serde(with = "position")]
    pub position: Position,
    /// Where its clients connect.
    pub address: String,
}

/// What a node tells all others at once. Only a hint: each thing that it tells of can also be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// What the clients of a node want has changed.
    Demand {
        /// The node.
        node: String,
    },
    /// A node needs an image. One of the others [claims](super::Log::claim) it.
    ImageWanted {
        /// The name of the image.
        id: String,
        /// The node that needs it.
        node: String,
    },
    /// The leader has resigned: the lead is free.
    Resigned {
        /// The node that led.
        node: String,
    },
    /// Every node should [beat](super::Log::beat) now: how far each one is decides what becomes of the numbering.
    RollCall {
        /// The node that asks.
        node: String,
    },
    /// A note of a later version.
    #[serde(other)]
    Unknown,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log, since now or since an earlier attempt whose answer was lost.
    Written,
    /// The log ends there, in a later term or with what the caller has not written: it does not lead any more.
    Fenced(Position),
    /// The log ends there, which is before what the caller has written: it has been set back.
    Behind(Position),
    /// There is no log.
    Gone,
}

/// The process behind the log. While both names stay the same, nothing that it has said can have been forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerIdentity {
    /// New with each start of the process.
    pub run_id: String,
    /// New with each change of the history that replicas follow.
    pub replid: String,
}

/// The log as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogState {
    /// The last position that was ever written; none if there is no log.
    pub newest: Option<Position>,
    /// The first batch that is still there.
    pub oldest: Option<Position>,
    /// How many batches there are.
    pub batches: u64,
    /// Who keeps it.
    pub server: ServerIdentity,
}

/// What one read brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Read {
    /// Batches in order. The first need not be the one behind the last: the reader compares.
    pub batches: Vec<(Position, Vec<u8>)>,
    /// Notes in order, each with its place.
    pub notes: Vec<(Position, Note)>,
    /// What the log says when it has been silent for the whole time: the reader may stand ahead of it, or behind what was cut.
    pub silent: Option<LogState>,
}

/// What became of pushed ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    /// They wait under this id: confirmed as soon as a batch names it, or a later one.
    Waiting(InboxId),
    /// The inbox is full.
    Full,
    /// There is no inbox: no node leads, or it has not got that far.
    Closed,
}

/// What is wrong with a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    /// Its `maxmemory-policy` may remove the log as a whole.
    Policy(String),
    /// It is older than 6.2.
    Version(String),
    /// It is no master.
    Role(String),
    /// Its clock differs by this much; a warning only.
    Clock(Duration),
}

impl Complaint {
    /// Whether no cluster can be run on it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, Self::Clock(_))
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy(policy) => write!(
                f,
                "its maxmemory-policy is {policy}, which may remove the whole log: set noeviction or one of volatile-*"
            ),
            Self::Version(version) => write!(f, "its version is {version}: 6.2 or later is needed"),
            Self::Role(role) => write!(f, "its role is {role}: the log is written on a master"),
            Self::Clock(off) => {
                write!(f, "its clock and ours differ by {} ms: set both by NTP", off.as_millis())
            }
        }
    }
}

/// Positions as the texts that they have in the log.
mod position {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::cluster::Position;

    pub(super) fn serialize<S: Serializer>(position: &Position, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(position)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_back_as_they_were_and_a_later_version_is_understood() {
        let word = NodeWord {
            id: "a".into(),
            role: "auto".into(),
            leads: true,
            version: "0.1.0".into(),
            wire: 1,
            epoch: "e".into(),
            position: Position { term: 3_145_729, seq: 12 },
            address: "10.0.0.1:8080".into(),
        };
        let text = serde_json::to_string(&word).unwrap();
        assert!(text.contains(r#""position":"3145729-12""#), "{text}");
        assert_eq!(serde_json::from_str::<NodeWord>(&text).unwrap(), word);
        for note in [Note::Demand { node: "a".into() }, Note::RollCall { node: "b".into() }] {
            let text = serde_json::to_string(&note).unwrap();
            assert_eq!(serde_json::from_str::<Note>(&text).unwrap(), note);
        }
        let later = r#"{"note":"something_new","node":"a","extra":[1]}"#;
        assert_eq!(serde_json::from_str::<Note>(later).unwrap(), Note::Unknown);
    }

    #[test]
    fn only_a_clock_is_no_reason_to_refuse_a_server() {
        assert!(!Complaint::Clock(Duration::from_secs(2)).is_fatal());
        assert!(Complaint::Policy("allkeys-lru".into()).is_fatal());
        assert_eq!(
            Complaint::Clock(Duration::from_secs(2)).to_string(),
            "its clock and ours differ by 2000 ms: set both by NTP"
        );
    }
}
