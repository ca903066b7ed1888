//! What a shard does when a session's grants change: subscriptions that they do not allow end, in turns, and the client is told
//! as by an unsubscribe. What waits of them is not sent.

use std::collections::{BTreeMap, HashSet};

use tokio::sync::oneshot;

use super::Shard;
use crate::{
    dialect::{Form, Reply, talk::Unsubscribed},
    hub::Topic,
    limits::ANSWER_SYMBOLS,
    market::{Channel, Symbol},
    session::{
        Framing, Grants,
        grants::{Access, Recheck},
        subscription::SubKey,
        units::{LOOK, PART, Progress, Units},
    },
};

impl Shard {
    /// Whether a session may have a channel of a topic.
    pub(super) fn may_have(&self, index: usize, topic: &Topic, channel: Channel) -> bool {
        let access = self.sessions[index].access.as_deref();
        access.is_none_or(|access| access.grants.allow(topic, channel))
    }

    /// A session has other grants from now on. The answer comes when it has nothing that these do not allow, or newer ones
    /// have come.
    pub(super) fn change_grants(&mut self, index: usize, grants: Grants, answer: oneshot::Sender<bool>) {
        let recheck = Recheck { behind: None, answer };
        let session = &mut self.sessions[index];
        if session.closing.is_some() {
            return recheck.finish();
        }
        let access = Access { grants, recheck: Some(recheck) };
        if let Some(Access { recheck: Some(older), .. }) =
            session.access.replace(Box::new(access)).map(|old| *old)
        {
            older.finish();
        }
        self.line_up(index);
    }

    /// Compares a session's subscriptions with its new grants, as far as the units go.
    pub(super) fn recheck_some(&mut self, index: usize, units: &mut Units) -> Progress {
        loop {
            let Some(access) = self.sessions[index].access.as_deref() else { return Progress::Idle };
            let Some(recheck) = &access.recheck else { return Progress::Idle };
            if units.left() == 0 {
                return Progress::More;
            }
            let step = units.left().min(ANSWER_SYMBOLS);
            let keys = self.sessions[index].subs.behind(recheck.behind).take(step).map(|sub| sub.key());
            let keys: Vec<_> = keys.collect();
            let Some(last) = keys.last().copied() else {
                self.finish_recheck(index);
                return Progress::Idle;
            };
            units.spend(LOOK * keys.len());
            self.end_what_is_not_allowed(index, &keys, units);
            if let Some(recheck) =
                self.sessions[index].access.as_mut().and_then(|access| access.recheck.as_mut())
            {
                recheck.behind = Some(last);
            }
        }
    }

    fn end_what_is_not_allowed(&mut self, index: usize, keys: &[SubKey], units: &mut Units) {
        let mut ended: BTreeMap<(usize, Form), (Channel, Vec<Symbol>)> = BTreeMap::new();
        let mut gone = HashSet::new();
        for key @ (topic, channel, form) in keys.iter().copied() {
            let Some(local) = self.topics.get(topic) else { continue };
            if self.may_have(index, &local.topic, channel) {
                continue;
            }
            let name = local.name(channel, form);
            units.spend(PART);
            gone.extend(self.remove(index, key));
            ended.entry((channel.index(), form)).or_insert_with(|| (channel, Vec::new())).1.push(name);
        }
        if gone.is_empty() {
            return;
        }
        let session = &mut self.sessions[index];
        session.outbox.purge(|sub| gone.contains(&sub));
        // A poll's answer has events only.
        if session.framing != Framing::Poll {
            for ((_, form), (channel, symbols)) in ended {
                let ended = Unsubscribed { id: None, channel, form, ok: &symbols, err: &[], more: false };
                session.say(&Reply::Unsubscribed(ended));
            }
        }
        self.touch(index);
    }

    /// All is compared: who asked is told, and a session that may have everything keeps nothing of it.
    fn finish_recheck(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        let Some(access) = &mut session.access else { return };
        if let Some(recheck) = access.recheck.take() {
            recheck.finish();
        }
        if matches!(access.grants, Grants::Everything) {
            session.access = None;
        }
    }
}
