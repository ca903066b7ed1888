//! Whether and when to come back after a connection has ended: what the range of the close code says.

use std::time::Duration;

use super::protocol::Bye;
use crate::limits::WATCH_LONGEST_AFTER;

/// How a connection ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// In words.
    pub(super) why: String,
    /// The close frame's code.
    pub(super) code: Option<u16>,
    /// The gateway's last message, if it said goodbye.
    pub(super) bye: Option<Bye>,
    /// Another attempt cannot help: the address is wrong, or the request was refused.
    pub(super) is_final: bool,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Stay away.
    Stop,
    /// Come back after a pause that grows with every failure.
    Backoff,
    /// Come back after exactly this.
    After(Duration),
}

/// A connection that ended sooner than this does not come back at once, whatever its code says: a gateway that sends
/// everyone away would otherwise be asked without a pause.
const TOO_SHORT: Duration = Duration::from_secs(1);

impl Ending {
    /// An ending without a close frame.
    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self { why: why.into(), ..Self::default() }
    }

    /// What to do after it, for a connection that lived for `lived`.
    pub(super) fn next(&self, lived: Duration) -> Next {
        if self.is_final || self.bye.as_ref().is_some_and(|bye| bye.reconnect == Some(false)) {
            return Next::Stop;
        }
        match self.code.or_else(|| self.bye.as_ref()?.code) {
            Some(4000..=4099) => Next::Stop,
            Some(4200..=4299) => match self.bye.as_ref().and_then(|bye| bye.after_ms) {
                Some(after) => Next::After(Duration::from_millis(after).min(WATCH_LONGEST_AFTER)),
                None if lived < TOO_SHORT => Next::Backoff,
                None => Next::After(Duration::ZERO),
            },
            Some(_) | None => Next::Backoff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(code: Option<u16>, bye: Option<Bye>) -> Ending {
        Ending { code, bye, ..Ending::default() }
    }

    fn bye(code: u16, reconnect: Option<bool>, after_ms: Option<u64>) -> Bye {
        Bye { code: Some(code), msg: String::new(), reconnect, after_ms }
    }

    #[test]
    fn the_range_of_the_code_decides() {
        let long = Duration::from_secs(60);
        for (ending, next) in [
            (ending(Some(4001), None), Next::Stop),
            (ending(Some(4005), None), Next::Stop),
            (ending(Some(4103), None), Next::Backoff),
            (ending(Some(4203), None), Next::After(Duration::ZERO)),
            (
                ending(Some(4201), Some(bye(4201, Some(true), Some(3811)))),
                Next::After(Duration::from_millis(3811)),
            ),
            (ending(None, Some(bye(4201, Some(true), Some(5)))), Next::After(Duration::from_millis(5))),
            (ending(Some(4201), Some(bye(4201, None, Some(u64::MAX)))), Next::After(WATCH_LONGEST_AFTER)),
            (ending(Some(4201), Some(bye(4201, Some(false), None))), Next::Stop),
            (ending(None, Some(bye(4006, None, None))), Next::Stop),
            (ending(Some(1000), None), Next::Backoff),
            (ending(Some(1009), None), Next::Backoff),
            (Ending::broken("connection reset"), Next::Backoff),
            (Ending { is_final: true, ..Ending::default() }, Next::Stop),
        ] {
            assert_eq!(ending.next(long), next, "{ending:?}");
        }
    }

    #[test]
    fn now_is_not_taken_literally_by_a_connection_that_hardly_lived() {
        assert_eq!(ending(Some(4203), None).next(Duration::from_millis(10)), Next::Backoff);
    }
}
