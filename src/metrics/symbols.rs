//! The family of symbols by feed and state.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use prometheus::{IntGaugeVec, Opts, Registry};

use crate::market::{Source, State};

/// How many symbols are in which state, of every feed: also of one that is no symbol's source now.
#[derive(Debug)]
pub(super) struct SymbolStates {
    family: IntGaugeVec,
    feeds: Mutex<BTreeSet<String>>,
}

impl SymbolStates {
    pub(super) fn new(registry: &Registry) -> Self {
        let opts = Opts::new("tickcast_symbols", "Symbols by feed and state.");
        let family = IntGaugeVec::new(opts, &["feed", "state"]).expect("the name and labels are valid");
        registry.register(Box::new(family.clone())).expect("the name is used once");
        Self { family, feeds: Mutex::default() }
    }

    /// There is such a feed.
    pub(super) fn known(&self, feed: &str) {
        self.feeds.lock().insert(feed.to_owned());
    }

    /// Sets the counts; states that are not told have none.
    pub(super) fn set(&self, counts: &[(Source, State, i64)]) {
        let mut feeds = self.feeds.lock();
        feeds.extend(counts.iter().map(|(feed, ..)| feed.to_string()));
        for feed in &*feeds {
            for state in State::ALL {
                let told = counts.iter().find(|(name, of, _)| (name.as_str(), *of) == (feed.as_str(), state));
                let count = told.map_or(0, |(.., count)| *count);
                self.family.with_label_values(&[feed.as_str(), state.as_str()]).set(count);
            }
        }
    }
}
