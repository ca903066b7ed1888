//! Which of a venue's products a feed takes: patterns of our names, and exclusions.

use crate::limits::MAX_SYMBOL_LEN;

/// A name with `*` for any characters, none included: `*-USD`, `BTC-*`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(String);

/// Names that are taken, except those that are excluded.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    take: Vec<Pattern>,
    leave: Vec<Pattern>,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        let allowed = |b: u8| {
            b.is_ascii_uppercase()
                || b.is_ascii_digit()
                || matches!(b, b'.' | b'_' | b'-' | b'/' | b':' | b'*')
        };
        if text.is_empty() || text.len() > 2 * MAX_SYMBOL_LEN || !text.bytes().all(allowed) {
            return Err(format!(
                "{text:?} is no pattern: a symbol's characters A-Z 0-9 . _ - / : with * for any of them"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl Patterns {
    /// Whether that entry of a list of symbols is a pattern or an exclusion.
    pub(super) fn is_one(text: &str) -> bool {
        text.starts_with('!') || text.contains('*')
    }

    /// Adds a pattern, or an exclusion: `!*-EUR`, `!BTC-USD`.
    ///
    /// # Errors
    /// Says what a pattern is.
    pub(super) fn add(&mut self, text: &str) -> Result<(), String> {
        match text.strip_prefix('!') {
            Some(excluded) => self.leave.push(Pattern::new(excluded)?),
            None => self.take.push(Pattern::new(text)?),
        }
        Ok(())
    }

    /// Whether a product of that name is taken.
    pub(super) fn matches(&self, name: &str) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(name));
        any(&self.take) && !any(&self.leave)
    }

    /// Whether nothing is taken.
    pub(super) const fn take_nothing(&self) -> bool {
        self.take.is_empty()
    }

    /// How many there are, exclusions included.
    pub(super) const fn len(&self) -> usize {
        self.take.len() + self.leave.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, yes, no) in [
            ("*", &["A", "BTC-USD"][..], &[][..]),
            ("*-USD", &["BTC-USD", "-USD", "A-USD-USD"], &["BTC-USDT", "BTCUSD", "USD"]),
            ("BTC-*", &["BTC-USD", "BTC-"], &["WBTC-USD", "BTC"]),
            ("*-USD*", &["BTC-USD", "BTC-USDC"], &["BTC-EUR"]),
            ("A*B*C", &["ABC", "AxxBxxC", "ABBC", "ABCC"], &["AB", "AC", "ACB", "ABCD"]),
            ("A*A", &["AA", "ABA"], &["A", "AAB"]),
            ("AAPL", &["AAPL"], &["AAPLX", "XAAPL"]),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            for name in yes {
                assert!(pattern.matches(name), "{pattern:?} {name}");
            }
            for name in no {
                assert!(!pattern.matches(name), "{pattern:?} {name}");
            }
        }
    }

    #[test]
    fn exclusions_win_wherever_they_stand() {
        let mut patterns = Patterns::default();
        for text in ["!DOGE-*", "*-USD", "!*UP-USD", "BTC-*"] {
            assert!(Patterns::is_one(text));
            patterns.add(text).unwrap();
        }
        let taken = ["BTC-USD", "BTC-EUR", "DOGE-USD", "DOGE-BTC", "BTCUP-USD", "ETH-EUR"];
        assert_eq!(taken.map(|name| patterns.matches(name)), [true, true, false, false, false, false]);
        assert!(!Patterns::is_one("BTC-USD"));
        assert!(patterns.add("!").is_err() && patterns.add("btc-*").is_err());
    }
}
