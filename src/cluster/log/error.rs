//! Why a call to the log failed.

/// What went wrong with one call. The connection behind it is given up; the next call makes another one.
///
/// A call that failed may still have happened: only the answer is missing. Each call says how it is asked again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// No connection was made.
    #[error("no connection to the log: {0}")]
    Connect(String),
    /// No answer came in time.
    #[error("no answer to `{call}` in time")]
    Timeout {
        /// The call.
        call: &'static str,
    },
    /// The connection ended before the answer.
    #[error("the connection ended during `{call}`: {why}")]
    Closed {
        /// The call.
        call: &'static str,
        /// In the system's words.
        why: String,
    },
    /// The server answered that it will not do it.
    #[error("`{call}` was refused: {code} {text}")]
    Refused {
        /// The call.
        call: &'static str,
        /// The first word of its answer, such as `OOM` or `READONLY`.
        code: String,
        /// The rest of it.
        text: String,
    },
    /// The answer has a form that no server of ours gives.
    #[error("`{call}` got an answer that cannot be read: {what}")]
    Unreadable {
        /// The call.
        call: &'static str,
        /// What was expected.
        what: String,
    },
    /// What the caller wants to write is larger than any reader takes.
    #[error("`{call}` would write {bytes} bytes, and the most is {most}")]
    TooLarge {
        /// The call.
        call: &'static str,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        most: usize,
    },
}

impl LogError {
    /// Its kind, for metrics: one of seven words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Timeout { .. } => "timeout",
            Self::Closed { .. } => "closed",
            Self::Refused { code, .. } if code == "OOM" => "full",
            Self::Refused { .. } => "refused",
            Self::Unreadable { .. } => "unreadable",
            Self::TooLarge { .. } => "too_large",
        }
    }

    /// Every word that [`kind`](Self::kind) can be.
    pub const KINDS: [&'static str; 7] =
        ["connect", "timeout", "closed", "full", "refused", "unreadable", "too_large"];
}
