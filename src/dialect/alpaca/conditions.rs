//! What a stock trade counts for, according to its sale conditions.
//!
//! The two plans that consolidate the exchanges' trades each have a table of which conditions may set the last price, the high
//! and low, and the volume: CTA for tapes A and B, UTP for tape C (and Alpaca's over-the-counter tape). Of several conditions each
//! takes away what it does not count for. Where a table says that a print may be the last price if it is the first one of the day, or
//! the first of its exchange, it is none here: an order of reports would decide. Extended hours count for volume only, as in the
//! plans' own statistics.
//!
//! Sources: "Consolidated Tape System (CTS) Multicast Output Binary Specification" and "UTP Data Feed Services Specification",
//! the matrices of sale conditions and consolidated processing.

use std::fmt;

use arrayvec::ArrayVec;
use serde::{
    Deserialize, Deserializer,
    de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{
    limits::MAX_CONDITIONS,
    market::{Marks, Print, PrintRule},
};

/// What a condition takes away, and the name of the reason.
type Row = (char, Marks, PrintRule);

/// Tapes A and B. Conditions that take nothing away: regular, automatic execution, intermarket sweep, rules 127 and 155, sold
/// last, opening, reopening, closing and cross trades, and the placeholder of 611 exempt trades.
const CTA: Table = Table {
    regular: " @EFJKLOX568",
    partial: &[
        ('B', Marks::VOLUME_ONLY, PrintRule::AveragePrice),
        ('C', Marks::VOLUME_ONLY, PrintRule::Settlement),
        ('H', Marks::VOLUME_ONLY, PrintRule::PriceVariation),
        ('I', Marks::VOLUME_ONLY, PrintRule::OddLot),
        ('M', Marks::NOTHING, PrintRule::OfficialPrice),
        ('N', Marks::VOLUME_ONLY, PrintRule::Settlement),
        ('P', Marks::NOT_LAST, PrintRule::PriorReference),
        ('Q', Marks::NOTHING, PrintRule::OfficialPrice),
        ('R', Marks::VOLUME_ONLY, PrintRule::Settlement),
        ('T', Marks::VOLUME_ONLY, PrintRule::ExtendedHours),
        ('U', Marks::VOLUME_ONLY, PrintRule::ExtendedHours),
        ('V', Marks::VOLUME_ONLY, PrintRule::Contingent),
        ('Z', Marks::NOT_LAST, PrintRule::OutOfSequence),
        ('4', Marks::NOT_LAST, PrintRule::DerivativelyPriced),
        ('7', Marks::VOLUME_ONLY, PrintRule::Contingent),
        ('9', Marks::NOT_VOLUME, PrintRule::CorrectedClose),
    ],
};

/// Tape C. Conditions that take nothing away: regular, acquisition, bunched, distribution, intermarket sweep, rule 155, sold last,
/// split, cross and yellow flag trades, opening, reopening and closing prints, stopped stock, and two placeholders.
const UTP: Table = Table {
    regular: "@ ABDEFKLOSXY12568",
    partial: &[
        ('C', Marks::VOLUME_ONLY, PrintRule::Settlement),
        ('G', Marks::NOT_LAST, PrintRule::OutOfSequence),
        ('H', Marks::VOLUME_ONLY, PrintRule::PriceVariation),
        ('I', Marks::VOLUME_ONLY, PrintRule::OddLot),
        ('M', Marks::NOTHING, PrintRule::OfficialPrice),
        ('N', Marks::VOLUME_ONLY, PrintRule::Settlement),
        ('P', Marks::NOT_LAST, PrintRule::PriorReference),
        ('Q', Marks::NOTHING, PrintRule::OfficialPrice),
        ('R', Marks::VOLUME_ONLY, PrintRule::Settlement),
        ('T', Marks::VOLUME_ONLY, PrintRule::ExtendedHours),
        ('U', Marks::VOLUME_ONLY, PrintRule::ExtendedHours),
        ('V', Marks::VOLUME_ONLY, PrintRule::Contingent),
        ('W', Marks::VOLUME_ONLY, PrintRule::AveragePrice),
        ('Z', Marks::NOT_LAST, PrintRule::OutOfSequence),
        ('3', Marks::NOT_LAST, PrintRule::OutOfSequence),
        ('4', Marks::NOT_LAST, PrintRule::DerivativelyPriced),
        ('7', Marks::VOLUME_ONLY, PrintRule::Contingent),
        ('9', Marks::NOT_VOLUME, PrintRule::CorrectedClose),
    ],
};

/// One plan's conditions.
struct Table {
    /// Those that take nothing away.
    regular: &'static str,
    partial: &'static [Row],
}

impl Table {
    fn find(&self, code: char) -> Option<(Marks, PrintRule)> {
        if self.regular.contains(code) {
            return None;
        }
        let row = self.partial.iter().find(|(known, ..)| *known == code);
        // A trade with an unknown condition counts, and the metric shows it.
        Some(row.map_or((Marks::NONE, PrintRule::UnknownCondition), |(_, marks, rule)| (*marks, *rule)))
    }
}

/// What a trade with these conditions on this tape counts for. If the tape is unknown, a condition takes away what it does on
/// either tape.
pub(super) fn print(Codes(codes): &Codes, tape: &str) -> Print {
    let tables: &[&Table] = match tape {
        "A" | "B" => &[&CTA],
        "C" | "O" => &[&UTP],
        _unknown => &[&CTA, &UTP],
    };
    let found = codes.iter().filter_map(|code| {
        let each = tables.iter().filter_map(|table| table.find(*code));
        each.max_by_key(|(_, rule)| *rule != PrintRule::UnknownCondition)
    });
    let mut print = Print::default();
    for (marks, rule) in found {
        // The first condition that takes something away names the trade.
        let is_named = print.rule.is_some_and(|rule| rule != PrintRule::UnknownCondition);
        print.rule = if is_named { print.rule } else { Some(rule) };
        print.marks = print.marks.and(marks);
    }
    print
}

/// The conditions of a trade: by the plans' rules at most four, each one character. Anything else is ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Codes(ArrayVec<char, MAX_CONDITIONS>);

impl<'de> Deserialize<'de> for Codes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CodesVisitor)
    }
}

pub(super) struct CodesVisitor;

impl<'de> Visitor<'de> for CodesVisitor {
    type Value = Codes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Codes, A::Error> {
        let mut codes = Codes::default();
        while let Some(Code(code)) = list.next_element()? {
            if let Some(code) = code {
                // Ignore further conditions; the plans have no more.
                let _full = codes.0.try_push(code);
            }
        }
        Ok(codes)
    }
}

/// One condition, if it is one.
struct Code(Option<char>);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CodeVisitor)
    }
}

struct CodeVisitor;

impl<'de> Visitor<'de> for CodeVisitor {
    type Value = Code;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a condition")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Code, E> {
        let mut characters = text.chars();
        // A regular sale of tapes A and B is a blank, which is trimmed somewhere on the way.
        let code = characters.next().unwrap_or(' ');
        Ok(Code(Some(code).filter(|_| characters.next().is_none())))
    }

    fn visit_u64<E: de::Error>(self, _number: u64) -> Result<Code, E> {
        Ok(Code(None))
    }

    fn visit_i64<E: de::Error>(self, _number: i64) -> Result<Code, E> {
        Ok(Code(None))
    }

    fn visit_f64<E: de::Error>(self, _number: f64) -> Result<Code, E> {
        Ok(Code(None))
    }

    fn visit_bool<E: de::Error>(self, _value: bool) -> Result<Code, E> {
        Ok(Code(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Code, E> {
        Ok(Code(None))
    }

    fn visit_bytes<E: de::Error>(self, _bytes: &[u8]) -> Result<Code, E> {
        Ok(Code(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Code, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Code(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Code, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Code(None))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, extension: D) -> Result<Code, D::Error> {
        IgnoredAny::deserialize(extension).map(|_| Code(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(codes: &str, tape: &str) -> (Option<&'static str>, Option<&'static str>) {
        let print = print(&Codes(codes.chars().collect()), tape);
        (print.marks.text(), print.rule.map(PrintRule::as_str))
    }

    /// The plans' own matrices: consolidated last, high and low, volume.
    #[test]
    fn conditions_count_for_what_the_plans_say() {
        for (tape, code, last, high_low, volume) in [
            ("A", ' ', true, true, true),
            ("A", 'B', false, false, true),
            ("A", 'C', false, false, true),
            ("A", 'E', true, true, true),
            ("A", 'F', true, true, true),
            ("A", 'H', false, false, true),
            ("A", 'I', false, false, true),
            ("A", 'K', true, true, true),
            ("A", 'L', true, true, true),
            ("A", 'M', false, false, false),
            ("A", 'N', false, false, true),
            ("A", 'O', true, true, true),
            ("A", 'P', false, true, true),
            ("A", 'Q', false, false, false),
            ("A", 'R', false, false, true),
            ("A", 'T', false, false, true),
            ("A", 'U', false, false, true),
            ("A", 'V', false, false, true),
            ("A", 'X', true, true, true),
            ("A", 'Z', false, true, true),
            ("A", '4', false, true, true),
            ("A", '5', true, true, true),
            ("A", '6', true, true, true),
            ("A", '7', false, false, true),
            ("A", '9', true, true, false),
            ("C", '@', true, true, true),
            ("C", 'A', true, true, true),
            ("C", 'B', true, true, true),
            ("C", 'C', false, false, true),
            ("C", 'D', true, true, true),
            ("C", 'F', true, true, true),
            ("C", 'G', false, true, true),
            ("C", 'H', false, false, true),
            ("C", 'I', false, false, true),
            ("C", 'K', true, true, true),
            ("C", 'L', true, true, true),
            ("C", 'M', false, false, false),
            ("C", 'N', false, false, true),
            ("C", 'O', true, true, true),
            ("C", 'P', false, true, true),
            ("C", 'Q', false, false, false),
            ("C", 'R', false, false, true),
            ("C", 'S', true, true, true),
            ("C", 'T', false, false, true),
            ("C", 'U', false, false, true),
            ("C", 'V', false, false, true),
            ("C", 'W', false, false, true),
            ("C", 'X', true, true, true),
            ("C", 'Y', true, true, true),
            ("C", 'Z', false, true, true),
            ("C", '1', true, true, true),
            ("C", '4', false, true, true),
            ("C", '5', true, true, true),
            ("C", '6', true, true, true),
            ("C", '7', false, false, true),
            ("C", '9', true, true, false),
        ] {
            let print = print(&Codes([code].into_iter().collect()), tape);
            let counts =
                [Marks::NOT_LAST, Marks::NOT_HIGH_LOW, Marks::NOT_VOLUME].map(|mark| !print.marks.has(mark));
            assert_eq!(counts, [last, high_low, volume], "{code:?} on tape {tape}");
            assert_eq!(print.rule.is_some(), !(last && high_low && volume), "{code:?} on tape {tape}");
        }
    }

    #[test]
    fn of_several_conditions_each_takes_away() {
        assert_eq!(of(" F", "B"), (None, None));
        assert_eq!(of(" FTI", "B"), (Some("last,hilo"), Some("extended_hours")));
        assert_eq!(of("@4", "C"), (Some("last"), Some("derivatively_priced")));
        assert_eq!(of("Z9", "C"), (Some("last,vol"), Some("out_of_sequence")));
        assert_eq!(of("", "A"), (None, None));
    }

    #[test]
    fn a_condition_that_no_table_has_counts_and_is_named() {
        assert_eq!(of("@?", "C"), (None, Some("unknown_condition")));
        assert_eq!(of("?I", "C"), (Some("last,hilo"), Some("odd_lot")));
    }

    #[test]
    fn without_a_tape_either_table_takes_away() {
        for (code, marks) in [('B', Some("last,hilo")), ('W', Some("last,hilo")), ('@', None), ('F', None)] {
            assert_eq!(of(&code.to_string(), "").0, marks, "{code:?}");
        }
        assert_eq!(of("W", "").1, Some("average_price"));
    }

    #[test]
    fn lists_of_anything_are_read() {
        let codes = |json: &str| {
            serde_json::from_str::<Codes>(json).ok().map(|codes| codes.0.iter().collect::<String>())
        };
        for (json, found) in [
            (r#"["@","I"]"#, Some("@I")),
            (r#"[""," "]"#, Some("  ")),
            (r#"["\u0040","\u0049"]"#, Some("@I")),
            (r#"["long",1,null,true,{"a":[]},["x"],2.5,-1,"T"]"#, Some("T")),
            (r#"["1","2","3","4","5","6","7","8","9"]"#, Some("12345678")),
            ("[]", Some("")),
            ("388.77", None),
        ] {
            assert_eq!(codes(json).as_deref(), found, "{json}");
        }
    }
}
