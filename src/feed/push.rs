//! Ticks that producers send over HTTP. The feed itself only declares its symbols and waits for the end. Producers publish
//! through a clone of its publisher, each request on its own thread.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;

use super::{DefinitionError, End, Feed, FeedError, Publisher};
use crate::{
    limits::{DEFAULT_EXPIRE_MS, EXPIRE_MS_RANGE, MAX_TOPICS, PUSH_SYMBOLS},
    market::Symbol,
};

/// The keys of a `kind = "push"` feed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Symbols that exist before their first tick; others come with the ticks.
    #[serde(default)]
    symbols: Vec<String>,
    /// Whether producers may be on other machines: there is no authentication.
    #[serde(default)]
    allow_remote: bool,
    /// Symbols that the feed may have, with those that come with ticks.
    #[serde(default = "default_max_symbols")]
    max_symbols: usize,
    /// How long a symbol that came with a tick stays without another one.
    #[serde(default = "default_expire_ms")]
    expire_ms: u64,
}

const fn default_max_symbols() -> usize {
    PUSH_SYMBOLS
}

const fn default_expire_ms() -> u64 {
    DEFAULT_EXPIRE_MS
}

impl Definition {
    /// Checks the definition.
    ///
    /// # Errors
    /// When a symbol is not valid, or `max_symbols` is out of range or below the number of listed symbols.
    pub fn build(self) -> Result<Push, DefinitionError> {
        let most = self.max_symbols;
        if !(1..=MAX_TOPICS).contains(&most) || most < self.symbols.len() {
            let named = self.symbols.len();
            let why = format!("{most} is not from 1 to {MAX_TOPICS}, or less than the {named} in `symbols`");
            return Err(DefinitionError::new("max_symbols".to_owned(), why));
        }
        if !EXPIRE_MS_RANGE.contains(&self.expire_ms) {
            let (least, most) = (EXPIRE_MS_RANGE.start(), EXPIRE_MS_RANGE.end());
            let why = format!("{} is not from {least} to {most}", self.expire_ms);
            return Err(DefinitionError::new("expire_ms".to_owned(), why));
        }
        let mut symbols = Vec::with_capacity(self.symbols.len());
        for (i, text) in self.symbols.iter().enumerate() {
            let bad = |why| DefinitionError::new(format!("symbols[{i}]"), format!("{text:?} {why}"));
            symbols.push(Symbol::new(text).map_err(bad)?);
        }
        Ok(Push {
            symbols,
            allow_remote: self.allow_remote,
            max_symbols: most,
            expires: Duration::from_millis(self.expire_ms),
        })
    }
}

/// A feed of producers' ticks.
#[derive(Debug)]
pub struct Push {
    symbols: Vec<Symbol>,
    allow_remote: bool,
    max_symbols: usize,
    expires: Duration,
}

/// Limits the symbols of one push feed, so that a producer with wrong symbols does not fill the gateway.
#[derive(Debug)]
pub struct SymbolRoom {
    most: usize,
    /// Counted when the first new symbol comes: those that outlived a restart are there by then. Counted again when there is
    /// no room and symbols were removed since: how many there were at the last count.
    taken: OnceLock<(AtomicUsize, AtomicU64)>,
}

impl SymbolRoom {
    /// Room for at most `most` symbols.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, taken: OnceLock::new() }
    }

    /// How many symbols it has room for.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// Makes the symbol of a tick known.
    ///
    /// # Errors
    /// Names the limit that is reached. The tick is then refused.
    pub fn declare(&self, out: &Publisher, symbol: Symbol) -> Result<(), String> {
        if out.is_known(symbol) {
            return out.admit(symbol).map_err(|full| full.to_string());
        }
        let count = || (AtomicUsize::new(out.symbol_count()), AtomicU64::new(out.removals()));
        let (taken, removals) = self.taken.get_or_init(count);
        if taken.load(Ordering::Relaxed) >= self.most
            && removals.swap(out.removals(), Ordering::Relaxed) < out.removals()
        {
            taken.store(out.symbol_count(), Ordering::Relaxed);
        }
        if taken.fetch_add(1, Ordering::Relaxed) >= self.most {
            taken.fetch_sub(1, Ordering::Relaxed);
            return Err(format!("the feed has {} symbols already: see max_symbols", self.most));
        }
        out.admit(symbol).map_err(|full| {
            taken.fetch_sub(1, Ordering::Relaxed);
            full.to_string()
        })
    }
}

impl Push {
    /// Room for its symbols.
    #[must_use]
    pub const fn room(&self) -> SymbolRoom {
        SymbolRoom::new(self.max_symbols)
    }

    /// How long a symbol that came with a tick stays without another one.
    #[must_use]
    pub const fn expires(&self) -> Duration {
        self.expires
    }

    /// Whether producers may be on other machines.
    #[must_use]
    pub const fn allows_remote(&self) -> bool {
        self.allow_remote
    }
}

impl Feed for Push {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        out.declare(self.symbols.iter().copied())?;
        out.cancelled().await;
        Ok(End::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::Clock,
        hub::{FeedTerms, Hub, HubConfig},
        market::Source,
        metrics::Metrics,
    };

    #[test]
    fn typos_of_a_producer_filled_the_gateway_for_good() {
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new(HubConfig::default(), "e".into(), Clock::system(), metrics));
        let publisher =
            |name| Publisher::new(Source::new(name).unwrap(), Arc::clone(&hub), CancellationToken::new());
        let (desk, other) = (publisher("desk"), publisher("other"));
        let symbol = |text: &str| Symbol::new(text).unwrap();
        desk.declare([symbol("NAMED")]).unwrap();
        let (room, others) = (SymbolRoom::new(3), SymbolRoom::new(3));
        for text in ["A", "B", "A", "NAMED"] {
            assert_eq!(room.declare(&desk, symbol(text)), Ok(()), "{text}");
        }
        let why = room.declare(&desk, symbol("TYPO")).unwrap_err();
        assert!(why.contains("max_symbols"), "{why}");
        assert!(hub.topic(symbol("TYPO")).is_none());
        assert_eq!(room.declare(&desk, symbol("B")), Ok(()), "what is known goes on");
        assert_eq!(others.declare(&other, symbol("TYPO")), Ok(()), "another feed has its own room");
        // What is removed has given its place back.
        hub.enlist(desk.name(), FeedTerms { expires: Some(Duration::ZERO), ..FeedTerms::default() });
        hub.expire();
        assert_eq!((hub.topic_count(), desk.symbol_count()), (2, 1), "NAMED, and the other feed's");
        assert_eq!(room.declare(&desk, symbol("NEW")), Ok(()));
        assert_eq!(room.declare(&desk, symbol("NEWER")), Ok(()));
        assert!(room.declare(&desk, symbol("NEWEST")).is_err());
    }

    #[test]
    fn definitions_are_checked() {
        let read = |text: &str| toml::from_str::<Definition>(text);
        assert!(!read("").unwrap().build().unwrap().allows_remote());
        assert!(read("allow_remote = true").unwrap().build().unwrap().allows_remote());
        let error = read("symbols = [\"A\", \"b\"]").unwrap().build().unwrap_err();
        assert_eq!(error.key, "symbols[1]");
        for bad in ["max_symbols = 0", "max_symbols = 100001", "symbols = [\"A\", \"B\"]\nmax_symbols = 1"] {
            assert_eq!(read(bad).unwrap().build().unwrap_err().key, "max_symbols", "{bad}");
        }
        for bad in ["expire_ms = 0", "expire_ms = 999", "expire_ms = 31622400001"] {
            assert_eq!(read(bad).unwrap().build().unwrap_err().key, "expire_ms", "{bad}");
        }
        assert_eq!(read("expire_ms = 1000").unwrap().build().unwrap().expires(), Duration::from_secs(1));
        assert!(read("port = 3").is_err());
    }
}
