//! The trades that the topic still remembers, as what is computed from them sees them.

use super::traded::Traded;
use crate::{
    hub::ring::Ring,
    market::{Body, Tick},
};

/// The trades that the topic remembers, as they are now.
#[derive(Debug, Clone, Copy)]
pub(in crate::hub) struct Past<'a>(pub(in crate::hub) &'a Ring);

impl<'a> Past<'a> {
    /// The newest number that is forgotten.
    pub(super) const fn forgotten(self) -> u64 {
        self.0.forgotten()
    }

    /// The trades that count behind a number, up to another one.
    pub(super) fn between(self, from: u64, until: u64) -> impl Iterator<Item = Traded> + use<'a> {
        let events = self.0.since(from).take_while(move |event| event.n <= until);
        let trades = events.filter_map(|event| match &event.body {
            Body::Tick(Tick::Trade(trade)) => Some(Traded::new(event.n, trade)),
            Body::Tick(_) | Body::Ticker(_) | Body::Bar(_) => None,
        });
        trades.filter(Traded::counts)
    }
}
