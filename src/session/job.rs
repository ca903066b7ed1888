//! Commands under way: what is left of them to be carried out.

use std::{sync::Arc, vec::IntoIter};

use super::{position::Position, search::Search, subscription::SubKey};
use crate::{
    clock::Instant,
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
    /// Until when it waits for what its client has seen elsewhere, once it does.
    pub(super) until: Option<Instant>,
    /// Stands among those that wait for that.
    pub(super) is_parked: bool,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// To its end.
    Done,
    /// Its next turn goes on with it.
    More,
    /// It waits for what its client has seen elsewhere.
    Waits,
}

pub(super) enum What {
    Subscribe {
        wanted: Subscribe,
        most: usize,
    },
    Update(Subscribe),
    Unsubscribe(Channel, Form),
    List,
    /// Waits until that many topics are known.
    Arrival(u32),
    /// Nothing: a session that has had much at once waits for its turn.
    Rest,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waits for symbols that the client has seen elsewhere.
    Arrival,
    Search,
    /// Takes in what any shard has handed out: from the burst, and then from the lane.
    CatchUp {
        drained: bool,
    },
    /// Waits for events that the client has seen elsewhere.
    Ahead,
    Act,
}

impl Job {
    pub(super) fn new(id: Option<CommandId>, what: What, stage: Stage, search: Search) -> Self {
        let (topics, refused) = (Vec::new().into_iter(), Vec::new().into_iter());
        let (listed, recovered, until, is_parked) = (None, 0, None, false);
        Self { id, what, stage, search, topics, refused, listed, recovered, until, is_parked }
    }

    /// What waits until that many topics are known.
    pub(super) fn arrival(topics: u32) -> Self {
        Self::new(None, What::Arrival(topics), Stage::Act, Search::nothing())
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
            What::Arrival(_) | What::Rest => "none",
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
