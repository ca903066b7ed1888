//! A venue's refusals, and what each means for the request.
//!
//! Venues have codes for few of their refusals and words for all. What the words are about decides what the feed does next:
//! only words about a symbol mean that the symbol is at fault.

use super::field;

/// What was refused, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The number of the request, where the venue repeats it.
    pub id: Option<u64>,
    /// The venue's code, if it has one.
    pub code: Option<i64>,
    /// The venue's name of the refused symbol, if it has its own field.
    pub symbol: Option<String>,
    /// The venue's words, cut to [`crate::limits::MAX_VENUE_WORDS`].
    pub words: String,
    /// What the words are about.
    pub class: RefusalClass,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RefusalClass {
    /// A symbol: unknown, delisted or malformed.
    Symbol,
    /// Too many messages.
    Rate,
    /// The connection carries no more symbols or streams.
    Place,
    /// A channel that this stream does not have, or a request that it does not understand.
    Channel,
    /// Key, secret, or what the plan allows.
    Credentials,
    /// Too many connections.
    Connections,
    /// A remark that refuses nothing, such as that the client reads too slowly.
    Remark,
    /// The venue's own fault, or words of no other class. No symbol is blamed.
    #[default]
    Venue,
}

/// Words of each class, in lower case. The first row with a match decides.
const WORDS: [(RefusalClass, &[&str]); 5] = [
    (RefusalClass::Rate, &["msg rate", "rate limit", "too many requests", "rate exceeded", "slow down"]),
    (
        RefusalClass::Place,
        &["too many subscriptions", "symbol limit", "subscription limit", "too many streams"],
    ),
    (RefusalClass::Credentials, &["authenticat", "unauthori", "permission", "insufficient subscription"]),
    (
        RefusalClass::Symbol,
        &["product", "currency pair", "symbol", "delisted", "invalid stream", "stream name", "instrument"],
    ),
    (RefusalClass::Channel, &["channel", "subscription name", "event_trigger"]),
];

impl Refusal {
    /// A refusal in the venue's words, with the class that they belong to.
    pub(super) fn in_words(words: &str) -> Self {
        Self { words: field::words(words), class: RefusalClass::of(words), ..Self::default() }
    }

    /// Whether the words name this symbol of the venue's, and not only one that contains it.
    #[must_use]
    pub fn names(&self, theirs: &str) -> bool {
        if self.symbol.as_deref() == Some(theirs) {
            return true;
        }
        let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '/' | '_' | '.');
        self.words.match_indices(theirs).any(|(at, _)| {
            let (before, behind) = (&self.words[..at], &self.words[at + theirs.len()..]);
            // A full stop is more often the end of a sentence than part of a name.
            !before.ends_with(is_inside) && !behind.trim_end_matches('.').starts_with(is_inside)
        })
    }
}

impl RefusalClass {
    /// What these words are about.
    fn of(words: &str) -> Self {
        let words = words.to_lowercase();
        let told = WORDS.iter().find(|(_, some)| some.iter().any(|word| words.contains(word)));
        told.map_or(Self::Venue, |(class, _)| *class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_what_is_refused_and_unknown_ones_blame_no_symbol() {
        for (words, class) in [
            ("Failed to subscribe: BTC-XYZ is not a valid product", RefusalClass::Symbol),
            ("Currency pair not supported XBT/USD", RefusalClass::Symbol),
            ("Exceeded msg rate", RefusalClass::Rate),
            ("rate limit exceeded", RefusalClass::Rate),
            ("Too many subscriptions", RefusalClass::Place),
            ("symbol limit exceeded", RefusalClass::Place),
            ("candles is not a valid channel", RefusalClass::Channel),
            ("Authentication Failed", RefusalClass::Credentials),
            ("internal error", RefusalClass::Venue),
            ("Invalid request", RefusalClass::Venue),
        ] {
            assert_eq!(Refusal::in_words(words).class, class, "{words}");
        }
    }

    #[test]
    fn a_symbol_is_named_whole() {
        let refusal = Refusal::in_words("Failed to subscribe: BTC-XYZ is not a valid product.");
        assert!(refusal.names("BTC-XYZ"));
        assert!(!refusal.names("BTC-XY") && !refusal.names("XYZ") && !refusal.names("BTC"));
        assert!(Refusal::in_words("unknown product A/B").names("A/B"));
        assert!(Refusal::in_words("unknown product A/B.").names("A/B"));
    }
}
