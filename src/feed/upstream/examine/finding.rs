//! What an examination says of one step.

use serde_json::{Map, Value};

/// A step of an examination. The steps are made in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// What the definition says, and whether the credentials that the venue asks for are there.
    Configuration,
    /// Addresses of both families.
    Dns,
    /// Whether the way leads through a proxy.
    Proxy,
    /// A connection by each family.
    Tcp,
    /// Encryption, and the server's certificate.
    Tls,
    /// The machine's clock beside the venue's.
    Clock,
    /// The product list.
    Products,
    /// The WebSocket.
    Handshake,
    /// The credentials.
    Login,
    /// One subscription with a wrong symbol in it.
    Subscription,
    /// The first trade and quote of each symbol.
    Data,
    /// Ticks and messages in time, and how long ticks are on their way.
    Pace,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 12] = [
        Self::Configuration,
        Self::Dns,
        Self::Proxy,
        Self::Tcp,
        Self::Tls,
        Self::Clock,
        Self::Products,
        Self::Handshake,
        Self::Login,
        Self::Subscription,
        Self::Data,
        Self::Pace,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Dns => "dns",
            Self::Proxy => "proxy",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Clock => "clock",
            Self::Products => "products",
            Self::Handshake => "handshake",
            Self::Login => "login",
            Self::Subscription => "subscription",
            Self::Data => "data",
            Self::Pace => "pace",
        }
    }
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Ok,
    /// It works, and something should be known.
    Warning,
    /// It does not work.
    Failed,
    /// It was not made.
    Skipped,
}

impl Outcome {
    /// Its name in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What an examination says of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which step.
    pub step: Step,
    /// What it came to.
    pub outcome: Outcome,
    /// What was measured, or why it failed or was not made: one sentence.
    pub what: String,
    /// What to do about it: one sentence.
    pub remedy: Option<String>,
    /// The same in numbers, by name.
    pub measured: Map<String, Value>,
}

impl Finding {
    fn new(step: Step, outcome: Outcome, what: impl Into<String>) -> Self {
        Self { step, outcome, what: what.into(), remedy: None, measured: Map::new() }
    }

    /// All is well.
    #[must_use]
    pub fn ok(step: Step, what: impl Into<String>) -> Self {
        Self::new(step, Outcome::Ok, what)
    }

    /// It works, and something should be known.
    #[must_use]
    pub fn warning(step: Step, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(step, Outcome::Warning, what) }
    }

    /// It does not work.
    #[must_use]
    pub fn failed(step: Step, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..Self::new(step, Outcome::Failed, what) }
    }

    /// It was not made.
    #[must_use]
    pub fn skipped(step: Step, why: impl Into<String>) -> Self {
        Self::new(step, Outcome::Skipped, why)
    }

    /// Adds something measured.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.measured.insert(name.to_owned(), value.into());
        self
    }
}
