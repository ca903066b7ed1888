//! What a session may have: everything, or what a predicate allows.
//!
//! Refuses to know users, keys and tokens. Authentication, which does, hands a predicate over.

use std::{fmt, sync::Arc};

use tokio::sync::oneshot;

use super::subscription::SubKey;
use crate::{
    hub::Topic,
    market::{Channel, Source, Symbol},
};

/// Whether a session may have a symbol of a feed on a channel. It is asked on the shard's thread, once for each symbol of a
/// command, so it must neither wait nor take long.
pub type Allow = dyn Fn(Symbol, Source, Channel) -> bool + Send + Sync;

/// What a session may have.
#[derive(Clone, Default)]
pub enum Grants {
    /// Everything there is.
    #[default]
    Everything,
    /// What is allowed. The rest is unknown to the session.
    Only(Arc<Allow>),
}

impl Grants {
    /// Whether they allow a channel of a topic, by the feed that is the topic's source now.
    #[must_use]
    pub fn allow(&self, topic: &Topic, channel: Channel) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(allow) => allow(topic.symbol(), topic.feed(), channel),
        }
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everything => "Everything",
            Self::Only(_) => "Only(..)",
        })
    }
}

/// The grants of a session that cannot have everything, or whose grants have just changed.
#[derive(Debug, Default)]
pub(super) struct Access {
    pub(super) grants: Grants,
    pub(super) recheck: Option<Recheck>,
}

/// How far a session's subscriptions are compared with its new grants.
#[derive(Debug)]
pub(super) struct Recheck {
    /// The last that was.
    pub(super) behind: Option<SubKey>,
    /// Who waits for the end.
    pub(super) answer: oneshot::Sender<bool>,
}

impl Recheck {
    /// Says that the session has nothing any more that it may not have. Who asked may have gone meanwhile.
    pub(super) fn finish(self) {
        let _gone = self.answer.send(true);
    }
}
