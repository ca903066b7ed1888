//! Finds events in a stream of bytes without parsing it.
//!
//! Every trade and quote carries the gateway's receive time as its last key, `"tr":1767623400041986}`, in JSON or
//! MessagePack. Looking for that alone counts events and tells their age; frames need not be walked.

use memchr::memmem::Finder;

use super::plan::{Age, BenchPlan};

/// Longest stretch that must be kept back because it may be the beginning of a match: key, header and 16 digits.
const KEEP: usize = 32;

/// Looks for receive times.
#[derive(Debug)]
pub(super) struct Scanner {
    key: Finder<'static>,
    /// What tells of another numbering, where the clients asked to be told.
    resync: Option<Finder<'static>>,
    msgpack: bool,
}

/// What a stretch of bytes had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Bytes of the front that are done with; the rest must come again with what is read next.
    pub(super) done: usize,
    /// How often it told of another numbering.
    pub(super) resyncs: u64,
}

impl Scanner {
    pub(super) fn new(msgpack: bool, age: Age) -> Self {
        // MessagePack: a text of two bytes, then an unsigned or signed 64-bit number.
        let key: &[u8] = match (msgpack, age) {
            (false, Age::Source) => b"\"te\":",
            (false, Age::Received) => b"\"tr\":",
            (true, Age::Source) => b"\xa2te",
            (true, Age::Received) => b"\xa2tr",
        };
        Self { key: Finder::new(key).into_owned(), resync: None, msgpack }
    }

    /// For the clients of a plan: those that ask for `resync` are told of another numbering.
    pub(super) fn of(plan: &BenchPlan) -> Self {
        let scanner = Self::new(plan.msgpack, plan.age);
        if plan.path.contains("resync=1") { scanner.with_resyncs() } else { scanner }
    }

    fn with_resyncs(self) -> Self {
        let needle: &[u8] = if self.msgpack { b"\xa1T\xa6resync" } else { b"\"T\":\"resync\"" };
        Self { resync: Some(Finder::new(needle).into_owned()), ..self }
    }

    /// Calls `found` with every complete receive time, in microseconds.
    pub(super) fn scan(&self, bytes: &[u8], found: impl FnMut(i64)) -> Scanned {
        let done = self.times(bytes, found);
        let starts = self.resync.iter().flat_map(|needle| needle.find_iter(bytes));
        let resyncs = starts.take_while(|start| *start < done).count() as u64;
        Scanned { done, resyncs }
    }

    fn times(&self, bytes: &[u8], mut found: impl FnMut(i64)) -> usize {
        let mut at = 0;
        while let Some(next) = self.key.find(&bytes[at..]) {
            let value = at + next + self.key.needle().len();
            match self.time(&bytes[value..]) {
                Some((time, len)) => {
                    found(time);
                    at = value + len;
                }
                None if bytes.len() - value < KEEP => return at + next,
                None => at = value,
            }
        }
        // The end may be the beginning of a key.
        let longest = self.resync.iter().chain([&self.key]).map(|it| it.needle().len()).max().unwrap_or(1);
        at.max(bytes.len().saturating_sub(longest - 1))
    }

    fn time(&self, bytes: &[u8]) -> Option<(i64, usize)> {
        if self.msgpack {
            let [0xCF | 0xD3, rest @ ..] = bytes else { return None };
            return rest.first_chunk().map(|time| (i64::from_be_bytes(*time), 9));
        }
        let len = bytes.iter().position(|byte| !byte.is_ascii_digit())?;
        let digits = &bytes[..len.min(18)];
        (len > 0).then(|| (digits.iter().fold(0, |time, digit| time * 10 + i64::from(digit - b'0')), len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialect::{Dialect, Encoding, Messages, Packing, Reply, native::encode_tick, talk::Resync},
        market::{Print, Source, Symbol, Tick, Trade, UnixMicros},
    };

    fn stream(encoding: Encoding) -> Vec<u8> {
        let event = |tr: i64| {
            let trade = Trade {
                symbol: Symbol::new("A").unwrap(),
                price: "1.5".parse().unwrap(),
                size: "2".parse().unwrap(),
                side: None,
                id: None,
                source: Source::new("x").unwrap(),
                te: None,
                tr: UnixMicros(tr),
                print: Print::default(),
            };
            encode_tick(1, &Tick::Trade(trade), encoding)
        };
        (0..5)
            .flat_map(|i| [&b"\x81\x7e\x01\x02["[..], &event(1_767_623_400_000_000 + i), b"]"].concat())
            .collect()
    }

    #[test]
    fn another_numbering_is_counted_once_however_the_stream_is_cut() {
        for (encoding, msgpack) in [(Encoding::Json, false), (Encoding::MsgPack, true)] {
            let mut told = Messages::new(encoding, Packing::Array);
            Dialect::Native.write(&Reply::Resync(Resync { epoch: "e2", why: "renumbered" }), &mut told);
            let mut resync = Vec::new();
            told.each(|_, bytes| resync.extend_from_slice(bytes));
            let bytes = [stream(encoding), resync.clone(), stream(encoding), resync].concat();
            let scanner = Scanner::new(msgpack, Age::Received).with_resyncs();
            for cut in 1..bytes.len() {
                let (mut found, mut resyncs, mut held) = (0, 0, Vec::new());
                for piece in bytes.chunks(cut) {
                    held.extend_from_slice(piece);
                    let scanned = scanner.scan(&held, |_| found += 1);
                    resyncs += scanned.resyncs;
                    held.drain(..scanned.done);
                }
                // What ends the stream is looked at when more comes.
                resyncs += scanner.scan(&[held, vec![0; KEEP]].concat(), |_| {}).resyncs;
                assert_eq!((found, resyncs), (10, 2), "{encoding:?} cut into {cut}");
            }
        }
    }

    #[test]
    fn events_are_found_however_the_stream_is_cut() {
        for (encoding, msgpack) in [(Encoding::Json, false), (Encoding::MsgPack, true)] {
            let bytes = stream(encoding);
            for cut in 1..bytes.len() {
                let scanner = Scanner::new(msgpack, Age::Received);
                let (mut found, mut held) = (Vec::new(), Vec::new());
                for piece in bytes.chunks(cut) {
                    held.extend_from_slice(piece);
                    let done = scanner.scan(&held, |time| found.push(time)).done;
                    held.drain(..done);
                    assert!(held.len() <= KEEP + 8, "little is kept back");
                }
                let expected: Vec<_> = (0..5).map(|i| 1_767_623_400_000_000 + i).collect();
                assert_eq!(found, expected, "{encoding:?} cut into {cut}");
            }
        }
    }
}
