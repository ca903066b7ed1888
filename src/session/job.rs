//! Commands under way: what is left of them to be carried out.

use std::{sync::Arc, vec::IntoIter};

use super::{position::Position, search::Search, subscription::SubKey};
use crate::{
    dialect::{CommandId, Fault, Form, Refused, Subscribe},
    hub::Topic,
    market::Channel,
};

/// A command under way.
pub(super) struct Job {
    pub(super) id: Option<CommandId>,
    pub(super) what: What,
    pub(super) stage: Stage,
    pub(super) search: Search,
    pub(super) topics: IntoIter<Arc<Topic>>,
    pub(super) refused: IntoIter<Refused>,
    /// The last subscription that was listed.
    pub(super) listed: Option<SubKey>,
    /// Bytes of recovered events in its answers.
    pub(super) recovered: usize,
}

pub(super) enum What {
    Subscribe {
        wanted: Subscribe,
        most: usize,
    },
    Update(Subscribe),
    Unsubscribe(Channel, Form),
    List,
    /// Nothing: a session that has had much at once waits for its turn.
    Rest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Search,
    /// Takes in what any shard has handed out: from the burst, and then from the lane.
    CatchUp {
        drained: bool,
    },
    Act,
}

impl Job {
    pub(super) fn new(id: Option<CommandId>, what: What, stage: Stage, search: Search) -> Self {
        let (topics, refused) = (Vec::new().into_iter(), Vec::new().into_iter());
        Self { id, what, stage, search, topics, refused, listed: None, recovered: 0 }
    }

    /// What only waits for its turn.
    pub(super) fn rest() -> Self {
        Self::new(None, What::Rest, Stage::Act, Search::nothing())
    }

    /// What is subscribed.
    pub(super) fn list(id: Option<CommandId>) -> Self {
        Self::new(id, What::List, Stage::Act, Search::nothing())
    }

    /// The command's name.
    pub(super) const fn name(&self) -> &'static str {
        match self.what {
            What::Subscribe { .. } => "subscribe",
            What::Update(_) => "update",
            What::Unsubscribe(..) => "unsubscribe",
            What::List => "list",
            What::Rest => "none",
        }
    }
}

/// What a session beside WebSocket is still to be subscribed to.
pub(super) struct Joining {
    pub(super) wanted: IntoIter<Subscribe>,
    pub(super) position: Option<Position>,
    pub(super) most: usize,
    /// How it ended.
    pub(super) result: Option<Result<(), Fault>>,
}
