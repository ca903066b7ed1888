//! What a feed's patterns find among a venue's products, over all its lists.
//!
//! - A product is taken in if it trades and a pattern matches its name. It keeps its name for good.
//! - Of two products with one name the first to have it keeps it; within one list, the one whose venue name sorts first.
//!   The other is told and left out.
//! - If a product that was taken in pauses, it is halted. If it is delisted or no longer in the list, it is closed, and may
//!   come back. Symbols that the definition names are halted likewise, but only the venue's refusal closes them.

use std::collections::HashMap;

use super::{names::Names, patterns::Patterns};
use crate::{
    dialect::{Listing, Product, Venue},
    market::{Increments, Symbol},
};

/// A symbol's state in the newest list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Trades,
    Halted,
    Closed,
}

/// What is known of a venue's products.
#[derive(Debug)]
pub(super) struct Catalogue {
    venue: Venue,
    patterns: Patterns,
    /// Our names that replace the automatic ones, by the venue's.
    renamed: HashMap<String, Symbol>,
    most: usize,
    /// Symbols that were found, and symbols of the definition that were ever listed.
    known: HashMap<Symbol, Known>,
}

#[derive(Debug)]
struct Known {
    standing: Standing,
    increments: Increments,
    is_found: bool,
}

/// The changes that a list brings.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Found for the first time.
    pub(super) found: Vec<Symbol>,
    /// No longer listed.
    pub(super) closed: Vec<Symbol>,
    /// Listed again after they were closed.
    pub(super) reopened: Vec<Symbol>,
    /// No longer trading, with the venue's word.
    pub(super) halted: Vec<(Symbol, String)>,
    /// Trading again.
    pub(super) resumed: Vec<Symbol>,
    /// New or changed steps.
    pub(super) steps: Vec<(Symbol, Increments)>,
    /// Products whose name another product has: the venue's name, and ours.
    pub(super) collisions: Vec<(String, Symbol)>,
    /// The venue's names of products that trade and have no name of ours.
    pub(super) unnamed: Vec<String>,
    /// Products for which there is no room.
    pub(super) without_room: usize,
    /// How many products of the list belong to the feed.
    pub(super) matched: usize,
}

impl Catalogue {
    /// Holds at most `most` symbols.
    pub(super) fn new(
        venue: Venue,
        patterns: Patterns,
        renamed: HashMap<String, Symbol>,
        most: usize,
    ) -> Self {
        Self { venue, patterns, renamed, most, known: HashMap::new() }
    }

    /// Takes a list, and adds what it found to the names.
    pub(super) fn take(&mut self, names: &mut Names, mut products: Vec<Product>) -> Changes {
        let mut changes = Changes::default();
        products.sort_by(|a, b| a.theirs.cmp(&b.theirs));
        let mut seen = HashMap::with_capacity(self.known.len());
        for product in products {
            if product.listing == Listing::Delisted {
                continue;
            }
            let known = names.ours(&product.theirs);
            let Some(ours) = known.or_else(|| self.find(names, &product, &mut changes)) else { continue };
            if seen.insert(ours, ()).is_none() {
                changes.matched += 1;
                self.compare(ours, &product, &mut changes);
            }
        }
        for (symbol, known) in &mut self.known {
            if known.is_found && known.standing != Standing::Closed && !seen.contains_key(symbol) {
                known.standing = Standing::Closed;
                changes.closed.push(*symbol);
            }
        }
        changes.closed.sort_unstable();
        changes
    }

    /// Whether it was found before and is gone.
    pub(super) fn is_closed(&self, symbol: Symbol) -> bool {
        self.known.get(&symbol).is_some_and(|known| known.standing == Standing::Closed)
    }

    /// Takes in a new product, if it is wanted.
    fn find(&mut self, names: &mut Names, product: &Product, changes: &mut Changes) -> Option<Symbol> {
        let named = self.renamed.get(&product.theirs).copied().or(product.ours);
        let Some(ours) = named else {
            if product.listing == Listing::Trades {
                changes.unnamed.push(product.theirs.clone());
            }
            return None;
        };
        if !self.patterns.matches(ours.as_str()) || product.listing != Listing::Trades {
            return None;
        }
        if names.theirs(ours).is_some() {
            changes.collisions.push((product.theirs.clone(), ours));
            return None;
        }
        if names.len() >= self.most {
            changes.without_room += 1;
            return None;
        }
        let added = names.add(self.venue, ours, Some(product.theirs.clone()));
        debug_assert!(added.is_ok(), "both names were looked up");
        let known = Known { standing: Standing::Trades, increments: Increments::default(), is_found: true };
        self.known.insert(ours, known);
        changes.found.push(ours);
        Some(ours)
    }

    /// Compares a product of the feed with its earlier state.
    fn compare(&mut self, ours: Symbol, product: &Product, changes: &mut Changes) {
        let known = self.known.entry(ours).or_insert(Known {
            standing: Standing::Trades,
            increments: Increments::default(),
            is_found: false,
        });
        if known.increments != product.increments {
            known.increments = product.increments;
            changes.steps.push((ours, product.increments));
        }
        match (known.standing, &product.listing) {
            (Standing::Trades | Standing::Closed, Listing::Halted(word)) => {
                // A product that is back but does not trade is halted and no longer closed.
                if known.standing == Standing::Closed {
                    changes.reopened.push(ours);
                }
                known.standing = Standing::Halted;
                changes.halted.push((ours, word.clone()));
            }
            (Standing::Halted, Listing::Trades) => {
                known.standing = Standing::Trades;
                changes.resumed.push(ours);
            }
            (Standing::Closed, Listing::Trades) => {
                known.standing = Standing::Trades;
                changes.reopened.push(ours);
            }
            (Standing::Trades, Listing::Trades) | (Standing::Halted, Listing::Halted(_)) => {}
            (_, Listing::Delisted) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Symbol {
        Symbol::new(name).unwrap()
    }

    fn product(theirs: &str, ours: &str, listing: Listing) -> Product {
        let increments = Increments { tick: Some("0.01".parse().unwrap()), lot: None };
        Product { theirs: theirs.to_owned(), ours: Some(symbol(ours)), listing, increments }
    }

    fn trades(pairs: &[(&str, &str)]) -> Vec<Product> {
        pairs.iter().map(|(theirs, ours)| product(theirs, ours, Listing::Trades)).collect()
    }

    fn catalogue(patterns: &[&str], renamed: &[(&str, &str)], most: usize) -> Catalogue {
        let mut taken = Patterns::default();
        patterns.iter().for_each(|text| taken.add(text).unwrap());
        let renamed = renamed.iter().map(|(theirs, ours)| ((*theirs).to_owned(), symbol(ours))).collect();
        Catalogue::new(Venue::Binance, taken, renamed, most)
    }

    fn symbols(names: &[&str]) -> Vec<Symbol> {
        names.iter().map(|name| symbol(name)).collect()
    }

    #[test]
    fn patterns_find_new_products_and_tell_those_that_are_gone() {
        let (mut catalogue, mut names) = (catalogue(&["*-USD"], &[], 10), Names::default());
        names.add(Venue::Binance, symbol("BTC-USD"), None).unwrap();
        let list = trades(&[("BTCUSD", "BTC-USD"), ("ETHUSD", "ETH-USD"), ("ETHEUR", "ETH-EUR")]);
        let changes = catalogue.take(&mut names, list.clone());
        assert_eq!((changes.found, changes.matched), (symbols(&["ETH-USD"]), 2));
        assert_eq!(changes.steps.len(), 2, "the definition's symbols have steps too");
        assert_eq!(names.ours("ETHUSD"), Some(symbol("ETH-USD")));
        assert_eq!(catalogue.take(&mut names, list), Changes { matched: 2, ..Changes::default() });
        // Both are gone; only the one that was found is closed.
        let changes = catalogue.take(&mut names, trades(&[("SOLUSD", "SOL-USD")]));
        assert_eq!((changes.found, changes.closed), (symbols(&["SOL-USD"]), symbols(&["ETH-USD"])));
        assert_eq!(["BTC-USD", "ETH-USD"].map(|name| catalogue.is_closed(symbol(name))), [false, true]);
        let back = trades(&[("SOLUSD", "SOL-USD"), ("ETHUSD", "ETH-USD")]);
        let changes = catalogue.take(&mut names, back);
        assert_eq!((changes.reopened, changes.found), (symbols(&["ETH-USD"]), vec![]));
    }

    #[test]
    fn a_pause_is_a_halt_and_what_never_traded_is_left_out() {
        let (mut catalogue, mut names) = (catalogue(&["*"], &[], 10), Names::default());
        let halted = || Listing::Halted("BREAK".into());
        let list = |a, b| vec![product("A", "A", a), product("B", "B", b)];
        assert_eq!(catalogue.take(&mut names, list(Listing::Trades, halted())).found, symbols(&["A"]));
        let changes = catalogue.take(&mut names, list(halted(), Listing::Trades));
        assert_eq!(changes.halted, [(symbol("A"), "BREAK".to_owned())]);
        assert_eq!(changes.found, symbols(&["B"]));
        let changes = catalogue.take(&mut names, list(Listing::Trades, Listing::Delisted));
        assert_eq!((changes.resumed, changes.closed), (symbols(&["A"]), symbols(&["B"])));
        let changes = catalogue.take(&mut names, list(Listing::Trades, halted()));
        assert_eq!((changes.reopened, changes.halted.len()), (symbols(&["B"]), 1));
    }

    #[test]
    fn of_two_with_one_name_the_first_has_it_and_keeps_it() {
        let (mut catalogue, mut names) = (catalogue(&["*"], &[], 10), Names::default());
        let changes = catalogue.take(&mut names, trades(&[("Z", "X"), ("M", "X")]));
        assert_eq!((changes.found, changes.collisions), (symbols(&["X"]), vec![("Z".into(), symbol("X"))]));
        assert_eq!(names.theirs(symbol("X")), Some("M"));
        let changes = catalogue.take(&mut names, trades(&[("A", "X"), ("M", "X")]));
        assert_eq!(changes.collisions, [("A".into(), symbol("X"))], "it came first and keeps the name");
    }

    #[test]
    fn a_name_of_ones_own_counts_for_patterns_too() {
        let mut names = Names::default();
        let mut catalogue = catalogue(&["MY-*"], &[("XBTUSD", "MY-BTC")], 10);
        let changes = catalogue.take(&mut names, trades(&[("XBTUSD", "XBT-USD"), ("ETHUSD", "ETH-USD")]));
        assert_eq!(changes.found, symbols(&["MY-BTC"]));
        assert_eq!(names.theirs(symbol("MY-BTC")), Some("XBTUSD"));
    }

    #[test]
    fn a_name_in_other_letters_needs_one_of_ours_and_costs_the_others_nothing() {
        let foreign = |theirs: &str, listing| Product { ours: None, ..product(theirs, "X", listing) };
        let list = vec![
            foreign("币安人生USDT", Listing::Trades),
            foreign("哈哈USDT", Listing::Trades),
            foreign("旧USDT", Listing::Halted("BREAK".into())),
            product("BTCUSDT", "BTC-USDT", Listing::Trades),
        ];
        let mut names = Names::default();
        let mut catalogue = catalogue(&["*-USDT"], &[("币安人生USDT", "BNBLIFE-USDT")], 10);
        let changes = catalogue.take(&mut names, list);
        assert_eq!(changes.found, symbols(&["BTC-USDT", "BNBLIFE-USDT"]));
        assert_eq!(changes.unnamed, ["哈哈USDT"], "what does not trade needs no name");
        assert_eq!(names.theirs(symbol("BNBLIFE-USDT")), Some("币安人生USDT"));
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let (mut catalogue, mut names) = (catalogue(&["*"], &[], 2), Names::default());
        let changes = catalogue.take(&mut names, trades(&[("C", "C"), ("A", "A"), ("D", "D"), ("B", "B")]));
        assert_eq!((changes.found, changes.without_room), (symbols(&["A", "B"]), 2));
    }
}
