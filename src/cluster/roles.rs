//! Who stands for the lead, and whether the numbering goes on: decided from what a node knows, without asking anything.
//!
//! The lease only keeps candidates from taking turns; what is safe is the fence. So these rules may be patient: the leader that
//! was held up together with Redis has its chance to go on first, because it alone has what sources said meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Position, Role, log::ServerIdentity};
use crate::metrics::{EpochReason, HoleReason, TakeoverReason};

/// How a node stands to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has nothing yet.
    Joining,
    /// What it has is what the log says up to its position.
    InStep,
    /// What it has does not lead to what the log says now.
    Astray(HoleReason),
}

/// What a candidate knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outlook {
    pub(super) standing: Standing,
    pub(super) role: Role,
    /// Whether its feeds and all that it computes are the cluster's.
    pub(super) fits: bool,
    /// How long it has heard no batch from a log that answers; nothing when that does not answer.
    pub(super) quiet: Option<Duration>,
    /// The leader has let go.
    pub(super) is_resigned: bool,
    /// Whether the log has batches.
    pub(super) has_log: bool,
    /// Whether other nodes are there that could hand it an image.
    pub(super) has_company: bool,
    pub(super) lease: Duration,
    pub(super) found: Duration,
}

impl Outlook {
    /// Why this node should try to take the lead now, if it should.
    pub(super) fn chance(&self) -> Option<TakeoverReason> {
        if self.role == Role::Edge || !self.fits {
            return None;
        }
        let quiet = self.quiet?;
        match self.standing {
            Standing::InStep if self.is_resigned => Some(TakeoverReason::Resigned),
            Standing::InStep => (quiet >= self.lease).then_some(TakeoverReason::Expired),
            // Others may have what the log says. Those that have a history go before those without one.
            Standing::Astray(_) => {
                (!self.has_company && quiet >= self.lease).then_some(TakeoverReason::Resumed)
            }
            Standing::Joining if self.has_company || quiet < self.found => None,
            Standing::Joining if self.has_log => Some(TakeoverReason::Resumed),
            Standing::Joining => Some(TakeoverReason::Founded),
        }
    }
}

/// Which Redis it was: its process, and its history of replication.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) run_id: String,
    pub(super) replid: String,
}

impl From<&ServerIdentity> for Identity {
    fn from(server: &ServerIdentity) -> Self {
        Self { run_id: server.run_id.clone(), replid: server.replid.clone() }
    }
}

/// Why the numbering cannot go on from `applied`, if it cannot: when it is not proven that no client has seen more.
///
/// `opened` is the server in which the log was opened last, `now` the one that has it now with `newest` as its last batch.
pub(super) fn renumbers(
    standing: Standing,
    applied: Position,
    newest: Option<Position>,
    (opened, now): (&Identity, &Identity),
) -> Option<EpochReason> {
    match (standing, newest) {
        (Standing::Joining, _) => Some(EpochReason::Founded),
        (_, None) => Some(EpochReason::Gone),
        (_, Some(newest)) if newest < applied => Some(EpochReason::Regressed),
        (Standing::Astray(_), Some(_)) => Some(EpochReason::Unproven),
        (Standing::InStep, Some(_)) => (opened != now).then_some(EpochReason::Unproven),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(3);
    const FOUND: Duration = Duration::from_secs(10);

    fn outlook(standing: Standing) -> Outlook {
        Outlook {
            standing,
            role: Role::Auto,
            fits: true,
            quiet: Some(Duration::ZERO),
            is_resigned: false,
            has_log: true,
            has_company: false,
            lease: LEASE,
            found: FOUND,
        }
    }

    #[test]
    fn a_node_in_step_stands_when_the_leader_is_silent_or_lets_go() {
        let now = outlook(Standing::InStep);
        assert_eq!(now.chance(), None);
        assert_eq!(Outlook { quiet: Some(LEASE), ..now }.chance(), Some(TakeoverReason::Expired));
        assert_eq!(Outlook { is_resigned: true, ..now }.chance(), Some(TakeoverReason::Resigned));
        assert_eq!(Outlook { quiet: None, is_resigned: true, ..now }.chance(), None);
        for not in [Outlook { role: Role::Edge, ..now }, Outlook { fits: false, ..now }] {
            assert_eq!(Outlook { quiet: Some(FOUND), is_resigned: true, ..not }.chance(), None);
        }
    }

    #[test]
    fn a_node_without_history_waits_for_those_that_have_one() {
        let now = outlook(Standing::Joining);
        assert_eq!(Outlook { quiet: Some(LEASE), ..now }.chance(), None);
        assert_eq!(Outlook { quiet: Some(FOUND), has_company: true, ..now }.chance(), None);
        assert_eq!(Outlook { quiet: Some(FOUND), ..now }.chance(), Some(TakeoverReason::Resumed));
        assert_eq!(
            Outlook { quiet: Some(FOUND), has_log: false, ..now }.chance(),
            Some(TakeoverReason::Founded)
        );
    }

    #[test]
    fn a_node_astray_goes_before_a_node_without_history_and_behind_those_in_step() {
        let now = Outlook { quiet: Some(LEASE), ..outlook(Standing::Astray(HoleReason::Gone)) };
        assert_eq!(now.chance(), Some(TakeoverReason::Resumed));
        assert_eq!(Outlook { has_company: true, ..now }.chance(), None);
    }

    #[test]
    fn numbers_go_on_only_where_the_history_is_proven_whole() {
        let at = |seq| Position { term: 1, seq };
        let (redis, other) = (Identity::default(), Identity { run_id: "b".into(), ..Identity::default() });
        let same = (&redis, &redis);
        let astray = Standing::Astray(HoleReason::Skipped);
        assert_eq!(renumbers(Standing::InStep, at(5), Some(at(5)), same), None);
        assert_eq!(renumbers(Standing::InStep, at(5), Some(at(7)), same), None);
        for (standing, newest, servers, reason) in [
            (Standing::InStep, Some(at(4)), same, EpochReason::Regressed),
            (Standing::InStep, None, same, EpochReason::Gone),
            (Standing::InStep, Some(at(5)), (&redis, &other), EpochReason::Unproven),
            (astray, Some(at(5)), same, EpochReason::Unproven),
            (astray, None, same, EpochReason::Gone),
            (Standing::Joining, None, same, EpochReason::Founded),
            (Standing::Joining, Some(at(5)), same, EpochReason::Founded),
        ] {
            assert_eq!(renumbers(standing, at(5), newest, servers), Some(reason), "{standing:?} {newest:?}");
        }
    }
}
