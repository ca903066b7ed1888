//! What the targets of a command are: found step by step, since a pattern may match every symbol there is.

use std::sync::Arc;

use super::Shard;
use crate::{
    dialect::{Code, Refused, Target},
    hub::Topic,
    market::Symbol,
    session::{
        search::{At, Search, UNKNOWN_SYMBOL},
        subscription::SubKey,
        symbols::theirs,
        units::{LOOK, Units},
    },
};

/// Symbols of one step, under one lock of the hub.
const STEP: usize = 256;

impl Shard {
    /// Goes on looking until the units are used up, everything was found, or more that is new than `room`. Returns
    /// whether it is over.
    pub(super) fn search(&self, index: usize, search: &mut Search, room: usize, units: &mut Units) -> bool {
        while units.left() > 0 && search.new <= room {
            if let Some(name) = search.names.next() {
                units.spend(LOOK + search.patterns.len() / 32);
                self.look_up(index, search, name);
                continue;
            }
            match search.at {
                _ if search.walks.is_empty() => return true,
                At::Hub(behind) => self.walk_hub(index, search, behind, units),
                At::Own(behind) => self.walk_own(index, search, behind, units),
            }
        }
        search.new > room
    }

    fn look_up(&self, index: usize, search: &mut Search, name: Target) {
        let name = match name {
            Target::One(name) => name,
            Target::Bad(symbol, why) => {
                let msg = format!("not a symbol: it {why}");
                return search.refused.push(Refused { symbol, code: Code::UnknownSymbol, msg });
            }
            Target::All(_) => return,
        };
        let symbol = match self.symbols.ours(search.form.dialect(), name, &self.hub) {
            Ok(symbol) => symbol,
            Err(why) => return search.refuse(name, Code::UnknownSymbol, &why),
        };
        let allowed = |topic: &Arc<Topic>| self.may_have(index, topic, search.channel);
        let Some(topic) = self.hub.topic(symbol).filter(allowed) else {
            return search.refuse(name, Code::UnknownSymbol, UNKNOWN_SYMBOL);
        };
        let is_new = self.sessions[index].subs.find(search.key(&topic)).is_none();
        if is_new && matches!(search.at, At::Own(_)) {
            search.refuse(name, Code::BadParameter, "not subscribed");
        } else if !search.matches(&symbol) {
            search.topics.push(topic);
            search.new += usize::from(is_new);
        }
    }

    fn walk_hub(&self, index: usize, search: &mut Search, behind: Option<Symbol>, units: &mut Units) {
        let Some(pattern) = search.walks.last() else { return };
        let most = units.left().min(STEP);
        let topics = self.hub.topics_named(pattern.prefix(), behind.as_ref(), most);
        units.spend(LOOK * (topics.len() + 1));
        if topics.len() < most {
            search.walks.pop();
            search.at = At::Hub(None);
        } else {
            search.at = At::Hub(topics.last().map(|topic| topic.symbol()));
        }
        let (subs, dialect, channel) = (&self.sessions[index].subs, search.form.dialect(), search.channel);
        let found = topics.into_iter().filter(|topic| theirs(dialect, topic.symbol()).is_some());
        for topic in found.filter(|topic| self.may_have(index, topic, channel)) {
            search.new += usize::from(subs.find(search.key(&topic)).is_none());
            search.topics.push(topic);
        }
    }

    fn walk_own(&self, index: usize, search: &mut Search, behind: Option<SubKey>, units: &mut Units) {
        let most = units.left().min(STEP);
        let (mut seen, mut last) = (0, behind);
        for sub in self.sessions[index].subs.behind(behind).take(most) {
            (seen, last) = (seen + 1, Some(sub.key()));
            if (sub.channel, sub.form) == (search.channel, search.form)
                && let Some(local) = self.topics.get(sub.topic)
                && search.matches(&local.topic.symbol())
            {
                search.topics.push(Arc::clone(&local.topic));
            }
        }
        units.spend(seen * (LOOK + search.patterns.len() / 32) + LOOK);
        search.at = At::Own(last);
        if seen < most {
            search.walks.clear();
        }
    }
}
