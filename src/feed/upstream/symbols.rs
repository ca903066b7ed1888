//! The symbols of a definition: names, patterns, and the venue's names where the automatic ones do not fit.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{catalogue::Catalogue, names::Names, patterns::Patterns};
use crate::{
    dialect::Venue,
    feed::DefinitionError,
    limits::{UPSTREAM_PATTERNS, UPSTREAM_SYMBOLS},
    market::{Symbol, SymbolError},
};

/// `symbols`: names and patterns, or the venue's names by ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a list of symbols and patterns, or a table of the venue's names by ours")]
pub(super) enum Symbols {
    List(Vec<String>),
    Table(BTreeMap<Symbol, String>),
}

/// `symbols` and `names`, checked.
#[derive(Debug)]
pub(super) struct Chosen {
    /// The symbols that the definition names.
    pub(super) names: Names,
    /// Finds the others, if there are patterns.
    pub(super) catalogue: Option<Catalogue>,
}

impl Symbols {
    /// Checks them. `renamed` has the venue's names by ours, for listed and found symbols.
    ///
    /// # Errors
    /// Names the key and what was expected.
    pub(super) fn check(
        self,
        venue: Venue,
        renamed: BTreeMap<Symbol, String>,
    ) -> Result<Chosen, DefinitionError> {
        let mut patterns = Patterns::default();
        let mut named: Vec<(String, Symbol, Option<String>)> = Vec::new();
        match self {
            Self::List(list) => {
                for (i, text) in list.into_iter().enumerate() {
                    let key = format!("symbols[{i}]");
                    if Patterns::is_one(&text) {
                        patterns.add(&text).map_err(|why| DefinitionError::new(key, why))?;
                        continue;
                    }
                    match Symbol::new(&text) {
                        Ok(symbol) => named.push((key, symbol, renamed.get(&symbol).cloned())),
                        Err(why) => return Err(DefinitionError::new(key, unfit(venue, &text, &why))),
                    }
                }
            }
            Self::Table(table) => {
                let keyed = |(symbol, theirs)| (format!("symbols.{symbol}"), symbol, Some(theirs));
                named.extend(table.into_iter().map(keyed));
            }
        }
        if patterns.take_nothing() {
            let why = match (named.is_empty(), patterns.len()) {
                (false, 0) => None,
                (true, 0) => Some("there is none"),
                (_, _) => Some("there are exclusions and no pattern"),
            };
            if let Some(why) = why {
                return Err(DefinitionError::new("symbols", why));
            }
        }
        for (count, most, what) in [
            (named.len(), UPSTREAM_SYMBOLS, "symbols"),
            (patterns.len(), UPSTREAM_PATTERNS, "patterns"),
            (renamed.len(), UPSTREAM_SYMBOLS, "names"),
        ] {
            if count > most {
                let why = format!("{count} {what} are more than {most}");
                return Err(DefinitionError::new(if what == "names" { what } else { "symbols" }, why));
            }
        }
        let by_theirs = by_theirs(&renamed, &named, patterns.take_nothing())?;
        let names = names(venue, named)?;
        let catalogue =
            (!patterns.take_nothing()).then(|| Catalogue::new(venue, patterns, by_theirs, UPSTREAM_SYMBOLS));
        Ok(Chosen { names, catalogue })
    }
}

/// Why a text is not a symbol of ours, and the key that gives the venue's symbol a name.
fn unfit(venue: Venue, text: &str, why: &SymbolError) -> String {
    let venue = venue.as_str();
    match why {
        SymbolError::BadCharacter(_) | SymbolError::TooLong { .. } => format!(
            "{text:?} {why}. If {venue} calls it so, give it a name of your own: names = {{ NAME = {text:?} }}, and \
             list NAME"
        ),
        SymbolError::Empty => format!("{text:?} {why}"),
    }
}

/// Our names by the venue's. A name for a symbol that cannot be there is a mistake.
fn by_theirs(
    renamed: &BTreeMap<Symbol, String>,
    named: &[(String, Symbol, Option<String>)],
    finds_none: bool,
) -> Result<HashMap<String, Symbol>, DefinitionError> {
    let mut by_theirs = HashMap::with_capacity(renamed.len());
    for (ours, theirs) in renamed {
        let wrong = |why: String| DefinitionError::new(format!("names.{ours}"), why);
        if let Err(why) = Venue::check_symbol(theirs) {
            return Err(wrong(format!("the venue's name {why}")));
        }
        if finds_none && !named.iter().any(|(_, symbol, _)| symbol == ours) {
            return Err(wrong("is not among the symbols".into()));
        }
        if let Some(other) = by_theirs.insert(theirs.clone(), *ours) {
            return Err(wrong(format!("{theirs:?} is the venue's name of {other} already")));
        }
    }
    Ok(by_theirs)
}

fn names(venue: Venue, named: Vec<(String, Symbol, Option<String>)>) -> Result<Names, DefinitionError> {
    let mut names = Names::default();
    for (key, ours, theirs) in named {
        if let Some(Err(why)) = theirs.as_deref().map(Venue::check_symbol) {
            return Err(DefinitionError::new(key, format!("the venue's name {why}")));
        }
        if let Err(other) = names.add(venue, ours, theirs) {
            let why =
                format!("{ours} is the same instrument at the venue as {other}, which was named before");
            return Err(DefinitionError::new(key, why));
        }
    }
    Ok(names)
}
