//! What other threads ask of a shard.

use super::Shard;
use crate::{
    clock::Instant,
    dialect::talk::{List, Listed},
    limits::INSPECT_PAGE,
    session::{
        InfoPage, Mailbox,
        mailbox::{Letter, Letters},
    },
};

impl Shard {
    /// The way in from other threads.
    #[must_use]
    pub fn mailbox(&self) -> Mailbox {
        self.mailbox.clone()
    }

    /// The letters, for who drives the shard.
    pub(super) const fn take_letters(&mut self) -> Option<Letters> {
        self.letters.take()
    }

    /// Answers one letter. Who asked may have gone meanwhile.
    pub(in crate::session) fn open_letter(&mut self, letter: Letter) {
        let now = self.hub.instant();
        match letter {
            Letter::Evict { session, reason, answer } => {
                let key = self.sessions.find(session).map(|index| self.sessions.key(index));
                if let Some(key) = key {
                    self.close(key, reason, now);
                }
                let _gone = answer.send(key.is_some());
            }
            Letter::GrantsChanged { session, grants, answer } => match self.sessions.find(session) {
                Some(index) => self.change_grants(index, grants, answer),
                None => {
                    let _gone = answer.send(false);
                }
            },
            Letter::Info { session, answer } => {
                let info = self.sessions.find(session).map(|index| self.info(index, None, now));
                let _gone = answer.send(info);
            }
            Letter::Infos { from, answer } => {
                let _gone = answer.send(self.infos(from, now));
            }
            Letter::List { session, from, answer } => {
                let list = self.sessions.find(session).map(|index| self.list_from(index, from));
                let _gone = answer.send(list);
            }
        }
    }

    fn infos(&self, from: usize, now: Instant) -> InfoPage {
        let indexes = self.sessions.from(from, INSPECT_PAGE);
        let next = (indexes.len() == INSPECT_PAGE).then(|| indexes.last().map(|last| last + 1)).flatten();
        InfoPage { sessions: indexes.iter().map(|index| self.info(*index, None, now)).collect(), next }
    }

    /// Subscriptions of a session, under the names and in the order of its own `list`.
    fn list_from(&self, index: usize, from: usize) -> List {
        let session = &self.sessions[index];
        let subscriptions = session.subs.iter().skip(from).take(INSPECT_PAGE).filter_map(|sub| {
            let local = self.topics.get(sub.topic)?;
            Some(Listed {
                channel: sub.channel,
                form: sub.form,
                symbol: local.name(sub.channel, sub.form),
                mode: sub.delivery.mode(),
                max_rate: sub.delivery.max_rate(),
            })
        });
        let more = session.subs.len() > from.saturating_add(INSPECT_PAGE);
        let patterns = session.patterns.iter().filter(|_| !more);
        List {
            id: None,
            subscriptions: subscriptions.collect(),
            patterns: patterns.map(|it| (it.channel, it.pattern)).collect(),
            more,
        }
    }
}
