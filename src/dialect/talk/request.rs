//! What clients ask for.

use std::collections::HashMap;

use arrayvec::ArrayString;
use serde::Serialize;

use crate::{
    dialect::Form,
    limits::MAX_SYMBOL_LEN,
    market::{Channel, Symbol, SymbolError},
};

use super::Code;

/// What a client calls its command; echoed in the answer with its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum CommandId {
    /// A number.
    Number(i64),
    /// A text of at most 36 characters.
    Text(Box<str>),
}

/// One thing that a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// What the client calls it.
    pub id: Option<CommandId>,
    /// What it asks for.
    pub op: Op,
}

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Start to receive.
    Subscribe(Subscribe),
    /// Stop to receive.
    Unsubscribe {
        /// Of which channel.
        channel: Channel,
        /// In which form.
        form: Form,
        /// Of which symbols.
        targets: Vec<Target>,
    },
    /// Change how something subscribed is delivered.
    Update(Subscribe),
    /// What is subscribed?
    List,
    /// How is the session doing?
    Info,
    /// Are you there?
    Ping,
    /// Authentication, which this gateway does not ask for.
    Auth,
}

impl Op {
    /// Every name that [`as_str`](Self::as_str) gives.
    pub const NAMES: [&str; 7] = ["subscribe", "unsubscribe", "update", "list", "info", "ping", "auth"];

    /// The name as a metric label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Subscribe(_) => "subscribe",
            Self::Unsubscribe { .. } => "unsubscribe",
            Self::Update(_) => "update",
            Self::List => "list",
            Self::Info => "info",
            Self::Ping => "ping",
            Self::Auth => "auth",
        }
    }
}

/// What to subscribe and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscribe {
    /// Which channel.
    pub channel: Channel,
    /// How its events are written.
    pub form: Form,
    /// Which symbols, as the dialect calls them.
    pub targets: Vec<Target>,
    /// How, absent for the channel's default.
    pub mode: Option<Mode>,
    /// At most that many events a second and symbol; implies merge.
    pub max_rate: Option<f64>,
    /// Whether the newest event comes with the answer.
    pub snapshot: bool,
    /// Where the client left off.
    pub since: Option<Since>,
}

/// How events are delivered to a client that cannot take all of them at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only the newest event of each symbol.
    Merge,
    /// Every event in order, or a gap.
    Stream,
}

/// A client's last position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The incarnation of the numbers.
    pub epoch: String,
    /// The last number of each symbol.
    pub n: HashMap<Symbol, u64>,
    /// Of symbols that are not named: those at this place or a later one, in the order in which they became known, start
    /// with their first event. Only positions say that.
    pub new_from: Option<u32>,
    /// Whether it also names symbols that were removed since: which ones is not known any more.
    pub names_removed: bool,
}

/// What an entry of `symbols` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One symbol.
    One(Symbol),
    /// All symbols that match, now and later.
    All(Pattern),
    /// Not a symbol: what the client wrote (cut to a bearable length) and why it is none.
    Bad(String, SymbolError),
}

/// `*` or `PREFIX*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pattern(ArrayString<MAX_SYMBOL_LEN>);

impl Pattern {
    /// All symbols that begin so.
    #[must_use]
    pub const fn of(prefix: ArrayString<MAX_SYMBOL_LEN>) -> Self {
        Self(prefix)
    }

    /// What the symbols begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// Whether the symbol is meant.
    #[must_use]
    pub fn matches(&self, symbol: &Symbol) -> bool {
        symbol.as_str().starts_with(self.0.as_str())
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}*", self.0))
    }
}

/// A command that was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The command's id where it could be read.
    pub id: Option<CommandId>,
    /// Which kind of error.
    pub code: Code,
    /// What was wrong and where.
    pub msg: String,
}
