//! What all clients of a cluster have seen, and what of it no promise allows.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::{DefaultHasher, Hasher as _},
    sync::Mutex,
};

use tokio::time::Instant;

/// Texts that are kept of each channel, so that a finding can show both sides.
const RECENT: usize = 500;

/// Findings that are kept; the first ones tell most.
const FINDINGS: usize = 200;

/// One (epoch, symbol, channel), as an index into the journal.
pub(crate) type LineId = usize;

/// What was seen of one (epoch, symbol, channel).
#[derive(Debug, Default)]
struct Line {
    epoch: String,
    symbol: String,
    channel: String,
    /// A hash of the bytes at each number.
    bytes: HashMap<u64, u64>,
    recent: VecDeque<(u64, Box<str>)>,
    /// The number of each trade, by the producer's name of it.
    trades: BTreeMap<u64, u64>,
}

/// Shared by all clients.
#[derive(Debug)]
pub(crate) struct Journal {
    begun: Instant,
    lines: Mutex<(HashMap<String, LineId>, Vec<Line>)>,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    findings: Mutex<Vec<(&'static str, String)>>,
    /// Trades that a producer sent again, not knowing whether they were taken.
    repeated: Mutex<HashSet<(String, u64)>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            lines: Mutex::default(),
            counts: Mutex::default(),
            findings: Mutex::default(),
            repeated: Mutex::default(),
        }
    }
}

impl Journal {
    /// The line of a channel in an epoch.
    pub(crate) fn line(&self, epoch: &str, symbol: &str, channel: &str) -> LineId {
        let mut guard = self.lines.lock().unwrap();
        let (names, lines) = &mut *guard;
        *names.entry(format!("{epoch} {symbol} {channel}")).or_insert_with(|| {
            lines.push(Line {
                epoch: epoch.into(),
                symbol: symbol.into(),
                channel: channel.into(),
                ..Line::default()
            });
            lines.len() - 1
        })
    }

    /// A client got these bytes at number `n`, and the producer's name of it if it is a trade: they must be the same for all and for ever.
    pub(crate) fn compare(&self, line: LineId, n: u64, (text, trade): (&str, Option<u64>), who: &str) {
        let mut hasher = DefaultHasher::new();
        hasher.write(text.as_bytes());
        let hash = hasher.finish();
        let mut guard = self.lines.lock().unwrap();
        let line = &mut guard.1[line];
        match line.bytes.insert(n, hash) {
            None => {
                line.recent.push_back((n, text.into()));
                if line.recent.len() > RECENT {
                    line.recent.pop_front();
                }
            }
            Some(known) if known != hash => {
                let other =
                    line.recent.iter().find(|(of, _)| *of == n).map_or("(forgotten)", |(_, text)| text);
                let text = format!("{who}: at {n} in {} came {text}, and elsewhere {other}", line.epoch);
                drop(guard);
                self.found("differs", text);
                return;
            }
            Some(_) => return,
        }
        if let Some(id) = trade
            && let Some(before) = line.trades.insert(id, n)
            && before != n
        {
            let text = format!("{who}: {} trade {id} has the numbers {before} and {n}", line.symbol);
            let (trade, epoch) = ((line.symbol.clone(), id), line.epoch.clone());
            let is_later = epoch != guard.1[0].epoch;
            drop(guard);
            // The log that was lost took the keys of requests with it, while its events were known already.
            if is_later && self.repeated.lock().unwrap().contains(&trade) {
                self.add("trades twice, sent again over a lost log", 1);
            } else {
                self.found("twice", text);
            }
        }
    }

    /// A producer sends a trade again, under the key of the first time.
    pub(crate) fn repeat(&self, symbol: &str, trade: u64) {
        self.repeated.lock().unwrap().insert((symbol.to_owned(), trade));
    }

    /// Whether each of a producer's trades was seen, or lies where numbers say that something is missing. Of a symbol that no
    /// client watches nothing is known.
    pub(crate) fn account(&self, symbol: &str, sent: &[u64]) {
        let guard = self.lines.lock().unwrap();
        let lines: Vec<&Line> =
            guard.1.iter().filter(|line| line.symbol == symbol && line.channel == "trades").collect();
        if lines.is_empty() {
            return;
        }
        let mut missing = Vec::new();
        let mut told = 0;
        for id in sent {
            if lines.iter().any(|line| line.trades.contains_key(id)) {
                continue;
            }
            if is_told(&lines, *id) { told += 1 } else { missing.push(*id) }
        }
        drop(guard);
        self.add("trades accounted for", sent.len() as u64);
        self.add("trades inside told gaps", told);
        if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            let text = format!(
                "{symbol}: {} trades between {first} and {last} were confirmed, and no client saw them or a gap",
                missing.len()
            );
            self.found("lost", text);
        }
    }

    /// Whether numbers and a venue's own count agree: they skip where it skips, and nowhere else.
    pub(crate) fn counted(&self, symbol: &str) {
        let guard = self.lines.lock().unwrap();
        let mut wrong = Vec::new();
        let mut skipped = 0;
        for line in guard.1.iter().filter(|line| line.symbol == symbol && line.channel == "trades") {
            for ((id, n), (id_next, n_next)) in line.trades.iter().zip(line.trades.iter().skip(1)) {
                skipped += id_next - id - 1;
                if n_next <= n || (id_next - id > 1) != (n_next - n > 1) {
                    wrong.push(format!(
                        "{symbol}: trade {id} has {n}, trade {id_next} has {n_next}, in {}",
                        line.epoch
                    ));
                }
            }
        }
        drop(guard);
        self.add("counted trades missed at the venue", skipped);
        wrong.into_iter().for_each(|text| self.found("count", text));
    }

    /// How many different events were seen.
    pub(crate) fn distinct(&self) -> usize {
        self.lines.lock().unwrap().1.iter().map(|line| line.bytes.len()).sum()
    }

    /// How many numberings.
    pub(crate) fn epochs(&self) -> usize {
        let guard = self.lines.lock().unwrap();
        let epochs: std::collections::BTreeSet<_> = guard.1.iter().map(|line| line.epoch.as_str()).collect();
        epochs.len()
    }

    pub(crate) fn add(&self, what: &'static str, by: u64) {
        *self.counts.lock().unwrap().entry(what).or_default() += by;
    }

    pub(crate) fn count(&self, what: &str) -> u64 {
        self.counts.lock().unwrap().get(what).copied().unwrap_or(0)
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.counts.lock().unwrap().clone()
    }

    /// Something that no promise allows.
    pub(crate) fn found(&self, kind: &'static str, text: String) {
        let mut findings = self.findings.lock().unwrap();
        if findings.len() < FINDINGS {
            eprintln!("{:8.3} s: {kind}: {text}", self.begun.elapsed().as_secs_f64());
            findings.push((kind, text));
        }
    }

    pub(crate) fn findings(&self) -> Vec<(&'static str, String)> {
        self.findings.lock().unwrap().clone()
    }
}

/// Whether numbers are missing around a trade, or it lies between two epochs: all that were connected are told of those.
fn is_told(lines: &[&Line], id: u64) -> bool {
    let before: Vec<_> =
        lines.iter().filter_map(|line| Some((line, line.trades.range(..id).next_back()?))).collect();
    let after: Vec<_> =
        lines.iter().filter_map(|line| Some((line, line.trades.range(id..).next()?))).collect();
    // Before all that was seen: clients came later.
    let Some(nearest) = before.iter().map(|(_, (id, _))| **id).max() else { return true };
    // Behind it nothing has told.
    let Some(next) = after.iter().map(|(_, (id, _))| **id).min() else { return false };
    let before = before.iter().filter(|(_, (id, _))| **id == nearest);
    before.flat_map(|one| after.iter().map(move |other| (one, other))).any(
        |((line, (_, n)), (other, (id, n_after)))| {
            **id == next && (line.epoch != other.epoch || **n_after > **n + 1)
        },
    )
}
