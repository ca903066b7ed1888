//! The targets of a command while they are looked for.

use std::{sync::Arc, vec::IntoIter};

use super::subscription::SubKey;
use crate::{
    dialect::{Code, Encoding, Form, Pattern, Refused, Target},
    hub::Topic,
    market::{Channel, Symbol},
};

/// Said of a symbol that is not there, or that the session may not have: which one, it is not told.
pub(super) const UNKNOWN_SYMBOL: &str = "unknown symbol";

/// The targets of one command, and what was found of them so far.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) channel: Channel,
    pub(super) form: Form,
    /// Single names.
    pub(super) names: IntoIter<Target>,
    /// All patterns, as they were named.
    pub(super) patterns: Vec<Pattern>,
    /// Those still to be looked through, of which none covers another. The last is at hand.
    pub(super) walks: Vec<Pattern>,
    pub(super) at: At,
    /// What was found, each once.
    pub(super) topics: Vec<Arc<Topic>>,
    /// How many of them are not subscribed.
    pub(super) new: usize,
    pub(super) refused: Vec<Refused>,
}

/// What is looked through, and how far.
#[derive(Debug)]
pub(super) enum At {
    /// Every symbol there is.
    Hub(Option<Symbol>),
    /// What the session has subscribed to.
    Own(Option<SubKey>),
}

impl Search {
    /// Looks for symbols that may or may not be subscribed.
    pub(super) fn everywhere((channel, form): (Channel, Form), targets: Vec<Target>) -> Self {
        Self::new((channel, form), targets, At::Hub(None))
    }

    /// Looks for symbols among those that are subscribed; others are refused.
    pub(super) fn of_own((channel, form): (Channel, Form), targets: Vec<Target>) -> Self {
        Self::new((channel, form), targets, At::Own(None))
    }

    /// Looks for nothing.
    pub(super) fn nothing() -> Self {
        Self::of_own((Channel::Status, Form::native(Encoding::Json)), Vec::new())
    }

    fn new((channel, form): (Channel, Form), targets: Vec<Target>, at: At) -> Self {
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
        Self { channel, form, names, patterns, walks, at, topics: Vec::new(), new: 0, refused: Vec::new() }
    }

    /// What a subscription of that topic would be.
    pub(super) fn key(&self, topic: &Topic) -> SubKey {
        (topic.id(), self.channel, self.form)
    }

    pub(super) fn refuse(&mut self, symbol: Symbol, code: Code, msg: &str) {
        self.refused.push(Refused { symbol: symbol.to_string(), code, msg: msg.into() });
    }

    pub(super) fn matches(&self, symbol: &Symbol) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(symbol))
    }
}
