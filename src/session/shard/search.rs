//! What the targets of a command are: found step by step, since a pattern may match every symbol there is.

use std::{sync::Arc, vec::IntoIter};

use super::{Shard, work::Units};
use crate::{
    dialect::native::{Code, Pattern, Refused, Target},
    hub::Topic,
    market::{Channel, Symbol},
    session::subs::SubKey,
};

/// Units of work for a symbol that is looked up, or compared with a pattern.
const LOOK: usize = 1;

/// Symbols of one step: a lock of the hub is held for so long.
const STEP: usize = 256;

/// The targets of one command, and what was found of them so far.
#[derive(Debug)]
pub(in crate::session) struct Search {
    channel: Channel,
    /// Single names.
    names: IntoIter<Target>,
    /// All patterns, as they were named.
    pub(super) patterns: Vec<Pattern>,
    /// Those still to be looked through, of which none covers another. The last is at hand.
    walks: Vec<Pattern>,
    at: At,
    /// What was found, each once.
    pub(super) topics: Vec<Arc<Topic>>,
    /// How many of them are not subscribed.
    pub(super) new: usize,
    pub(super) refused: Vec<Refused>,
}

/// What is looked through, and how far.
#[derive(Debug)]
enum At {
    /// Every symbol there is.
    Hub(Option<Symbol>),
    /// What the session has subscribed to.
    Own(Option<SubKey>),
}

impl Search {
    /// Looks for symbols that may or may not be subscribed.
    pub(super) fn everywhere(channel: Channel, targets: Vec<Target>) -> Self {
        Self::new(channel, targets, At::Hub(None))
    }

    /// Looks for symbols among those that are subscribed; others are refused.
    pub(super) fn of_own(channel: Channel, targets: Vec<Target>) -> Self {
        Self::new(channel, targets, At::Own(None))
    }

    fn new(channel: Channel, targets: Vec<Target>, at: At) -> Self {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for target in targets {
            match target {
                Target::All(pattern) => patterns.push(pattern),
                Target::One(_) | Target::Bad(..) => names.push(target),
            }
        }
        // Behind its own prefixes, a pattern is covered by the one before or by none.
        let mut walks = patterns.clone();
        walks.sort_unstable_by(|a, b| a.prefix().cmp(b.prefix()));
        walks.dedup_by(|next, kept| next.prefix().starts_with(kept.prefix()));
        walks.reverse();
        let names = names.into_iter();
        Self { channel, names, patterns, walks, at, topics: Vec::new(), new: 0, refused: Vec::new() }
    }

    fn refuse(&mut self, symbol: Symbol, code: Code, msg: &str) {
        self.refused.push(Refused { symbol: symbol.to_string(), code, msg: msg.into() });
    }

    fn matches(&self, symbol: &Symbol) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(symbol))
    }
}

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
        let symbol = match name {
            Target::One(symbol) => symbol,
            Target::Bad(symbol, why) => {
                let msg = format!("not a symbol: it {why}");
                return search.refused.push(Refused { symbol, code: Code::UnknownSymbol, msg });
            }
            Target::All(_) => return,
        };
        let Some(topic) = self.hub.topic(symbol) else {
            return search.refuse(symbol, Code::UnknownSymbol, "unknown symbol");
        };
        let is_new = self.sessions[index].subs.find(topic.id(), search.channel).is_none();
        if is_new && matches!(search.at, At::Own(_)) {
            search.refuse(symbol, Code::BadParameter, "not subscribed");
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
        let (subs, channel) = (&self.sessions[index].subs, search.channel);
        search.new += topics.iter().filter(|topic| subs.find(topic.id(), channel).is_none()).count();
        if topics.len() < most {
            search.walks.pop();
            search.at = At::Hub(None);
        } else {
            search.at = At::Hub(topics.last().map(|topic| topic.symbol()));
        }
        search.topics.extend(topics);
    }

    fn walk_own(&self, index: usize, search: &mut Search, behind: Option<SubKey>, units: &mut Units) {
        let most = units.left().min(STEP);
        let (mut seen, mut last) = (0, behind);
        for sub in self.sessions[index].subs.behind(behind).take(most) {
            (seen, last) = (seen + 1, Some((sub.topic, sub.channel)));
            if sub.channel == search.channel
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
