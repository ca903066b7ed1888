//! Each promise of the log, on each log.

use std::time::Duration;

use tickcast::{
    cluster::{
        InboxId, Position,
        log::{Appended, Log, Meta, NodeWord, Note, Pushed},
    },
    limits::{IMAGE_PIECES, INBOX_BYTES, INBOX_ENTRY_BYTES, LOG_READ_BATCHES, MAX_NODES},
};
use tokio::time::timeout;

/// Long enough for any call that does not wait.
const SOON: Duration = Duration::from_secs(5);
/// How long a call waits for what is not there.
const SHORT: Duration = Duration::from_millis(50);
const TTL: Duration = Duration::from_secs(30);

fn at(term: u64, seq: u64) -> Position {
    Position { term, seq }
}

/// Founds a log in term 5.
async fn founded(log: &mut Log) {
    assert_eq!(log.found(at(5, 0), b"open").await.unwrap(), Appended::Written);
}

pub(super) async fn batches_come_in_order_and_each_once(mut log: Log, mut reader: Log) {
    assert_eq!(log.state().await.unwrap().newest, None);
    assert_eq!(log.append(at(5, 0), b"open", Position::START).await.unwrap(), Appended::Gone);
    founded(&mut log).await;
    assert_eq!(log.found(at(5, 0), b"open").await.unwrap(), Appended::Written, "asked again");
    assert_eq!(log.found(at(6, 0), b"open").await.unwrap(), Appended::Fenced(at(5, 0)));
    for seq in 1..=20 {
        let bytes = seq.to_string();
        assert_eq!(
            log.append(at(5, seq), bytes.as_bytes(), Position::START).await.unwrap(),
            Appended::Written
        );
    }
    let again = log.append(at(5, 20), b"20", Position::START).await.unwrap();
    assert_eq!(again, Appended::Written, "an answer that was lost");
    let other = log.append(at(5, 20), b"21", Position::START).await.unwrap();
    assert_eq!(other, Appended::Fenced(at(5, 20)), "another one's batch in our term");
    assert_eq!(log.append(at(5, 12), b"12", Position::START).await.unwrap(), Appended::Fenced(at(5, 20)));
    let mut after = Position::START;
    let mut seen = Vec::new();
    while seen.len() < 21 {
        let read = reader.read(after, Position::START, TTL).await.unwrap();
        assert!((1..=LOG_READ_BATCHES).contains(&read.batches.len()) && read.silent.is_none());
        after = read.batches.last().unwrap().0;
        seen.extend(read.batches);
    }
    assert_eq!(seen[0], (at(5, 0), b"open".to_vec()));
    for (seq, (position, bytes)) in (0..).zip(&seen).skip(1) {
        assert_eq!((*position, bytes.as_slice()), (at(5, seq), seq.to_string().as_bytes()));
    }
    let state = log.state().await.unwrap();
    assert_eq!((state.newest, state.oldest, state.batches), (Some(at(5, 20)), Some(at(5, 0)), 21));
    assert_eq!(state.server, reader.state().await.unwrap().server);
    assert!(!state.server.run_id.is_empty() && !state.server.replid.is_empty());
}

pub(super) async fn a_later_term_fences_an_earlier_one(mut old: Log, mut new: Log) {
    founded(&mut old).await;
    for seq in 1..=3 {
        assert_eq!(old.append(at(5, seq), b"old", Position::START).await.unwrap(), Appended::Written);
    }
    assert_eq!(new.append(at(9, 0), b"open", Position::START).await.unwrap(), Appended::Written);
    assert_eq!(old.append(at(5, 4), b"late", Position::START).await.unwrap(), Appended::Fenced(at(9, 0)));
    assert_eq!(old.append(at(8, 0), b"late", Position::START).await.unwrap(), Appended::Fenced(at(9, 0)));
    assert_eq!(new.append(at(9, 1), b"new", Position::START).await.unwrap(), Appended::Written);
    let read = new.read(at(5, 3), Position::START, SOON).await.unwrap();
    let places: Vec<_> = read.batches.iter().map(|(at, _)| *at).collect();
    assert_eq!(places, [at(9, 0), at(9, 1)], "what was late is not there");
    // On a connection of its own a writer looks before it writes.
    let mut fresh = old.clone();
    assert_eq!(fresh.append(at(5, 4), b"late", Position::START).await.unwrap(), Appended::Fenced(at(9, 1)));
    assert_eq!(new.clone().append(at(9, 1), b"new", Position::START).await.unwrap(), Appended::Written);
    let skipped = new.clone().append(at(9, 5), b"skips", Position::START).await.unwrap();
    assert_eq!(skipped, Appended::Behind(at(9, 1)));
    assert_eq!(new.clone().append(at(9, 2), b"next", Position::START).await.unwrap(), Appended::Written);
}

pub(super) async fn what_is_before_the_window_goes(mut log: Log, mut reader: Log) {
    founded(&mut log).await;
    // Above the size of a node of the stream, so that trimming is exact.
    let bytes = vec![b'x'; 8 * 1024];
    for seq in 1..=50 {
        let keep = at(5, u64::saturating_sub(seq, 10));
        assert_eq!(log.append(at(5, seq), &bytes, keep).await.unwrap(), Appended::Written);
    }
    let state = log.state().await.unwrap();
    assert_eq!((state.oldest, state.newest, state.batches), (Some(at(5, 40)), Some(at(5, 50)), 11));
    // A reader whose place was cut away goes on from the oldest: it has to compare.
    let read = reader.read(at(5, 3), Position::START, SOON).await.unwrap();
    assert_eq!(read.batches.first().unwrap().0, at(5, 40));
}

pub(super) async fn a_reader_waits_and_is_told_of_silence(mut log: Log, mut reader: Log) {
    founded(&mut log).await;
    let from = log.notes_now().await.unwrap();
    let silent = reader.read(at(5, 0), from, SHORT).await.unwrap();
    assert!(silent.batches.is_empty() && silent.notes.is_empty());
    assert_eq!(silent.silent.unwrap().newest, Some(at(5, 0)));
    let ahead = reader.read(at(7, 3), from, SHORT).await.unwrap();
    assert_eq!(ahead.silent.unwrap().newest, Some(at(5, 0)), "a place ahead of the log");
    let waits = tokio::spawn(async move {
        let read = reader.read(at(5, 0), from, TTL).await.unwrap();
        (read, reader)
    });
    log.append(at(5, 1), b"x", Position::START).await.unwrap();
    let (read, mut reader) = timeout(SOON, waits).await.unwrap().unwrap();
    assert_eq!(read.batches, [(at(5, 1), b"x".to_vec())]);
    let waits = tokio::spawn(async move { reader.read(at(5, 1), from, TTL).await.unwrap() });
    let note = Note::ImageWanted { id: "i".into(), node: "b".into() };
    log.note(&note).await.unwrap();
    let read = timeout(SOON, waits).await.unwrap().unwrap();
    assert_eq!(read.notes.len(), 1);
    assert_eq!(read.notes[0].1, note);
    let mut other = log.clone();
    let next = other.read(at(5, 1), read.notes[0].0, SHORT).await.unwrap();
    assert!(next.notes.is_empty() && next.silent.is_some(), "each note comes once");
}

pub(super) async fn one_node_leads_at_a_time_and_terms_only_rise(mut a: Log, mut b: Log) {
    let first = a.take("a", 0, TTL).await.unwrap().unwrap();
    assert_eq!(b.take("b", 0, TTL).await.unwrap(), None);
    assert_eq!(b.holder().await.unwrap(), Some(("a".into(), first)));
    assert!(a.renew("a", first, TTL).await.unwrap());
    assert!(!b.renew("b", first, TTL).await.unwrap() && !a.renew("a", first + 1, TTL).await.unwrap());
    b.resign("b", first).await.unwrap();
    assert_eq!(b.take("b", 0, TTL).await.unwrap(), None, "another one's lead is not given up");
    let again = a.take("a", 0, TTL).await.unwrap().unwrap();
    assert!(again > first, "its own lead taken again is a new term");
    a.resign("a", first).await.unwrap();
    assert_eq!(a.holder().await.unwrap(), Some(("a".into(), again)), "an earlier term's end changes nothing");
    a.resign("a", again).await.unwrap();
    assert_eq!(a.holder().await.unwrap(), None);
    let known = 1_000_u64 << 20;
    let second = b.take("b", known, Duration::from_millis(40)).await.unwrap().unwrap();
    assert!(second > known && second > again && second >> 20 == 1_001);
    // It runs out by itself.
    let third = timeout(SOON, async {
        loop {
            if let Some(term) = a.take("a", 0, TTL).await.unwrap() {
                return term;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert_eq!(third.await.unwrap() >> 20, 1_002);
    assert!(!b.renew("b", second, TTL).await.unwrap());
}

pub(super) async fn nodes_live_as_long_as_they_say_so(mut a: Log, mut b: Log) {
    let word = |id: &str, seq| NodeWord {
        id: id.into(),
        role: "auto".into(),
        leads: id == "a",
        version: "0.1.0".into(),
        wire: 1,
        epoch: "e".into(),
        position: at(5, seq),
        address: "127.0.0.1:1".into(),
    };
    assert!(a.beat(&word("a", 1), TTL).await.unwrap() && b.beat(&word("b", 2), TTL).await.unwrap());
    assert!(a.beat(&word("a", 3), TTL).await.unwrap());
    assert_eq!(b.nodes().await.unwrap(), [word("a", 3), word("b", 2)]);
    assert!(a.want("a", &[0, 255, 10, 13], TTL).await.unwrap() && b.want("b", &[], TTL).await.unwrap());
    let wants = [("a".to_owned(), vec![0, 255, 10, 13]), ("b".to_owned(), Vec::new())];
    assert_eq!(b.wants().await.unwrap(), wants);
    a.leave("a").await.unwrap();
    assert_eq!(
        (b.nodes().await.unwrap(), b.wants().await.unwrap()),
        (vec![word("b", 2)], wants[1..].to_vec())
    );
    assert!(b.beat(&word("b", 9), Duration::from_millis(30)).await.unwrap());
    let gone = timeout(SOON, async {
        while !a.nodes().await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    gone.await.unwrap();
    for i in 0..MAX_NODES {
        assert!(a.beat(&word(&format!("n{i:02}"), 0), TTL).await.unwrap());
    }
    assert!(!a.beat(&word("one more", 0), TTL).await.unwrap());
    assert!(a.beat(&word("n00", 1), TTL).await.unwrap(), "who is there stays there");
    assert_eq!(a.nodes().await.unwrap().len(), MAX_NODES);
}

pub(super) async fn the_founder_says_what_the_numbering_is_made_of(mut a: Log, mut b: Log) {
    assert_eq!(a.meta().await.unwrap(), None);
    let meta = Meta {
        epoch: "1a2b".into(),
        format: 1,
        rules: 3,
        feeds: "digest".into(),
        intervals: vec!["1s".into(), "1m".into()],
        trades_per_symbol: 256,
        bars: 1_000,
        founder: "a".into(),
    };
    a.put_meta(&meta).await.unwrap();
    assert_eq!(b.meta().await.unwrap(), Some(meta));
}

pub(super) async fn pushed_ticks_wait_in_order_and_are_taken_once(mut a: Log, mut leader: Log) {
    assert_eq!(a.push_inbox(b"early", None).await.unwrap(), Pushed::Closed);
    leader.open_inbox(InboxId(0, 0)).await.unwrap();
    leader.open_inbox(InboxId(0, 0)).await.unwrap();
    let mut ids = Vec::new();
    for i in 0..3 {
        let Pushed::Waiting(id) = a.push_inbox(format!("t{i}").as_bytes(), None).await.unwrap() else {
            panic!("the inbox is open")
        };
        ids.push(id);
    }
    let once = a.push_inbox(b"once", Some("key")).await.unwrap();
    assert_eq!(a.push_inbox(b"twice", Some("key")).await.unwrap(), once, "a key is remembered");
    assert_ne!(a.push_inbox(b"other", Some("key 2")).await.unwrap(), once);
    let read = leader.read_inbox(InboxId(0, 0), SOON).await.unwrap();
    let texts: Vec<_> = read.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect();
    assert_eq!(texts, ["t0", "t1", "t2", "once", "other"]);
    assert_eq!(read[..3].iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    assert!(read.is_sorted_by_key(|(id, _)| *id));
    leader.trim_inbox(ids[1]).await.unwrap();
    leader.trim_inbox(ids[0]).await.unwrap();
    let rest = leader.read_inbox(InboxId(0, 0), SOON).await.unwrap();
    assert_eq!(rest.len(), 3);
    let last = rest.last().unwrap().0;
    assert!(leader.read_inbox(last, SHORT).await.unwrap().is_empty());
    let mut waiter = leader.clone();
    let waits = tokio::spawn(async move { waiter.read_inbox(last, TTL).await.unwrap() });
    a.push_inbox(b"new", None).await.unwrap();
    assert_eq!(timeout(SOON, waits).await.unwrap().unwrap()[0].1, b"new");
    // A server that forgot the ids that were given gives greater ones all the same.
    let ahead = InboxId(last.0 + 1_000_000, 7);
    leader.open_inbox(ahead).await.unwrap();
    a.push_inbox(b"behind", None).await.unwrap();
    let read = leader.read_inbox(ahead, SOON).await.unwrap();
    assert_eq!(read.iter().map(|(_, bytes)| bytes.as_slice()).collect::<Vec<_>>(), [b"behind"]);
}

pub(super) async fn an_inbox_holds_a_bounded_number_of_bytes(mut a: Log, mut leader: Log) {
    leader.open_inbox(InboxId(0, 0)).await.unwrap();
    let large = vec![b'x'; INBOX_ENTRY_BYTES];
    let mut ids = Vec::new();
    for _ in 0..INBOX_BYTES / INBOX_ENTRY_BYTES {
        let Pushed::Waiting(id) = a.push_inbox(&large, None).await.unwrap() else { panic!("there is room") };
        ids.push(id);
    }
    assert_eq!(a.push_inbox(b"x", None).await.unwrap(), Pushed::Full);
    leader.trim_inbox(ids[1]).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(a.push_inbox(&large, None).await.unwrap(), Pushed::Waiting(_)));
    }
    assert_eq!(a.push_inbox(b"x", None).await.unwrap(), Pushed::Full);
    // With all of it taken there is room for all again.
    leader.trim_inbox(InboxId(u64::MAX, 0)).await.unwrap();
    assert!(matches!(a.push_inbox(&large, None).await.unwrap(), Pushed::Waiting(_)));
}

pub(super) async fn one_node_makes_an_image_and_waits_for_who_reads_it(mut a: Log, mut joiner: Log) {
    assert!(a.claim("i", "a").await.unwrap() && !joiner.claim("i", "b").await.unwrap());
    assert!(joiner.claim("other", "b").await.unwrap());
    assert_eq!(joiner.take_piece("i", SHORT).await.unwrap(), None);
    for i in 0..IMAGE_PIECES {
        assert!(a.put_piece("i", &[u8::try_from(i).unwrap(); 3]).await.unwrap());
    }
    assert!(!a.put_piece("i", b"one more").await.unwrap());
    assert_eq!(joiner.pieces("i").await.unwrap(), IMAGE_PIECES);
    assert_eq!(joiner.take_piece("i", SOON).await.unwrap().unwrap(), [0; 3]);
    assert!(a.put_piece("i", b"last").await.unwrap());
    for i in 1..IMAGE_PIECES {
        assert_eq!(joiner.take_piece("i", SOON).await.unwrap().unwrap(), [u8::try_from(i).unwrap(); 3]);
    }
    assert_eq!(joiner.take_piece("i", SOON).await.unwrap().unwrap(), b"last");
    assert_eq!(joiner.pieces("i").await.unwrap(), 0);
    let waits = tokio::spawn(async move { joiner.take_piece("i", TTL).await.unwrap() });
    assert!(a.put_piece("i", b"late").await.unwrap());
    assert_eq!(timeout(SOON, waits).await.unwrap().unwrap().unwrap(), b"late");
}

/// A test of each promise on that log: its name and how the log is made.
macro_rules! on {
    ($($log:ident: $bench:path $(, $attribute:meta)?;)*) => {$(
        mod $log {
            on!(@each $bench;
                batches_come_in_order_and_each_once
                a_later_term_fences_an_earlier_one
                what_is_before_the_window_goes
                a_reader_waits_and_is_told_of_silence
                one_node_leads_at_a_time_and_terms_only_rise
                nodes_live_as_long_as_they_say_so
                the_founder_says_what_the_numbering_is_made_of
                pushed_ticks_wait_in_order_and_are_taken_once
                an_inbox_holds_a_bounded_number_of_bytes
                one_node_makes_an_image_and_waits_for_who_reads_it
            );
        }
    )*};
    (@each $bench:path; $($promise:ident)*) => {$(
        #[tokio::test]
        async fn $promise() {
            let bench = $bench();
            super::$promise(bench.handle(), bench.handle()).await;
        }
    )*};
}

on! {
    memory: crate::cluster_log::Bench::memory;
    redis: crate::cluster_log::Bench::redis;
}
