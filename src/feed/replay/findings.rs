//! What a recording holds: told after a pass without a tick, and by `tickcast check` for its first lines.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;

use super::decoded::Batch;
use crate::market::{Symbol, Tick, UnixMicros};

/// Most symbols to name. Of more only the number is told.
const NAMED: usize = 5;

/// Counts of lines or records, and what was in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    lines: u64,
    ticks: u64,
    symbols: Vec<Symbol>,
    span: Option<(UnixMicros, UnixMicros)>,
    ignored: BTreeMap<&'static str, u64>,
    /// How often, and the first reason.
    skipped: BTreeMap<&'static str, (u64, String)>,
    looks: BTreeMap<&'static str, u64>,
}

impl Findings {
    /// Counts a batch, at little cost for each tick.
    pub(super) fn take(&mut self, batch: &Batch) {
        self.lines += batch.messages;
        self.ticks += u64::try_from(batch.ticks.len()).unwrap_or_default();
        for (rule, count) in &batch.ignored {
            *self.ignored.entry(rule).or_default() += count;
        }
        for skipped in &batch.skipped {
            let (count, _first) =
                self.skipped.entry(skipped.kind).or_insert_with(|| (0, skipped.why.clone()));
            *count += 1;
        }
        for whose in &batch.looks {
            *self.looks.entry(whose).or_default() += 1;
        }
    }

    /// Likewise, with symbols and times.
    pub(super) fn take_whole(&mut self, batch: &Batch) {
        self.take(batch);
        for tick in &batch.ticks {
            if let Err(place) = self.symbols.binary_search(&tick.symbol()) {
                self.symbols.insert(place, tick.symbol());
            }
            if let Some(at) = time(tick) {
                let (first, last) = self.span.unwrap_or((at, at));
                self.span = Some((first.min(at), last.max(at)));
            }
        }
    }

    /// How many ticks.
    #[must_use]
    pub const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// How many lines or records.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The venue whose frames most lines without a tick look like.
    #[must_use]
    pub fn looks_like(&self) -> Option<&'static str> {
        self.looks.iter().max_by_key(|(_, count)| **count).map(|(whose, _)| *whose)
    }

    /// Whether there were lines, and none fits the format.
    #[must_use]
    pub fn is_strange(&self) -> bool {
        let known =
            self.ignored.iter().filter(|(rule, _)| !STRANGE.contains(rule) && !ENVELOPE.contains(rule));
        self.ticks == 0 && self.lines > 0 && known.count() == 0
    }

    /// Why there is no tick, in words; `format` is how it was read.
    #[must_use]
    pub fn why_nothing(&self, format: &str) -> String {
        let mut why = format!("no tick in {}", Counted(self.lines, "line"));
        if self.is_strange() && self.looks_like() != Some(format) {
            why.push_str(&format!(", of which none was understood as {format}"));
        }
        if let Some(whose) = self.looks_like().filter(|whose| *whose != format) {
            why.push_str(&format!("; this looks like {whose}"));
        }
        let rest = self.passed_over();
        if !rest.is_empty() {
            why.push_str(&format!("; {rest}"));
        }
        why
    }

    /// What was not a tick: rules and kinds with their counts, and the first reason of each kind.
    #[must_use]
    pub fn passed_over(&self) -> String {
        let ignored: Vec<_> = self.ignored.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
        let skipped: Vec<_> =
            self.skipped.iter().map(|(kind, (count, why))| format!("{kind} {count} ({why})")).collect();
        let mut parts = Vec::new();
        for (what, list) in [("passed over", ignored), ("skipped", skipped)] {
            if !list.is_empty() {
                parts.push(format!("{what}: {}", list.join(", ")));
            }
        }
        parts.join("; ")
    }
}

/// `826 ticks of 2 symbols (BTC-USD, ETH-USD), 2026-01-05T14:30:00Z to 2026-01-05T14:31:00Z`.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = u64::try_from(self.symbols.len()).unwrap_or_default();
        write!(f, "{} of {}", Counted(self.ticks, "tick"), Counted(count, "symbol"))?;
        let named: Vec<_> = self.symbols.iter().take(NAMED).map(Symbol::as_str).collect();
        if !named.is_empty() {
            let more = if self.symbols.len() > NAMED { ", …" } else { "" };
            write!(f, " ({}{more})", named.join(", "))?;
        }
        if let Some((first, last)) = self.span {
            write!(f, ", {} to {}", Time(first), Time(last))?;
        }
        Ok(())
    }
}

/// A count with its noun.
struct Counted(u64, &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

struct Time(UnixMicros);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_microsecond(self.0.0) {
            Ok(time) => write!(f, "{time:.6}"),
            Err(_beyond) => write!(f, "{} us", self.0.0),
        }
    }
}

/// The event time, or the receive time where the source tells none.
const fn time(tick: &Tick) -> Option<UnixMicros> {
    let (te, tr) = match tick {
        Tick::Trade(trade) => (trade.te, trade.tr),
        Tick::Quote(quote) => (quote.te, quote.tr),
        Tick::Status(status) => (None, status.since),
        Tick::Loss(_) | Tick::Correction(_) => return None,
    };
    match te {
        Some(te) => Some(te),
        None if tr.0 > 0 => Some(tr),
        None => None,
    }
}

/// Rules for frames that a dialect does not know, and for lists that it does not look into.
const STRANGE: [&str; 2] = ["unknown", "list"];

/// Rules for a recorder's own lines.
const ENVELOPE: [&str; 5] = ["empty", "config", "connect", "send", "rest"];
