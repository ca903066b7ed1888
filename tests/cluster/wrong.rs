//! The checks themselves: each finds what it is for, and nothing where all is well.

use std::sync::Arc;

use crate::{
    checker::{Checker, Step},
    journal::Journal,
};

const SUBSCRIBED: &str =
    r#"{"T":"subscribed","channel":"trades","epoch":"e1","ok":[{"S":"A","n":7,"mode":"stream"}],"err":[]}"#;

fn trade(n: u64, price: &str) -> String {
    format!(r#"{{"T":"t","S":"A","n":{n},"p":"{price}","s":"1","id":"{}","x":"desk","tr":1}}"#, n * 10)
}

/// A client that is subscribed and has the snapshot.
fn client(journal: &Arc<Journal>) -> Checker {
    let mut checker = Checker::new(Arc::clone(journal), "client".into());
    checker.frame(&format!("[{SUBSCRIBED},{}]", trade(7, "1.0")), drop);
    checker
}

fn kinds(journal: &Journal) -> Vec<&'static str> {
    journal.findings().iter().map(|(kind, _)| *kind).collect()
}

fn gap(from: u64, to: u64) -> String {
    format!(r#"{{"T":"gap","S":"A","channel":"trades","from":{from},"to":{to},"why":"overload"}}"#)
}

#[test]
fn a_stream_in_order_is_no_finding() {
    let journal = Arc::new(Journal::default());
    let mut one = client(&journal);
    let mut steps = Vec::new();
    let frame = format!("[{},{},{}]", trade(8, "1.1"), gap(9, 11), trade(12, "1.2"));
    one.frame(&frame, |step| steps.push(step));
    assert_eq!(steps.len(), 3);
    assert_eq!(steps[0], Step::Trade);
    assert!(matches!(&steps[1], Step::Gap { from: 9, to: 11, why, .. } if why == "overload"), "{steps:?}");
    // Another client sees the same bytes.
    client(&journal).frame(&format!("[{}]", trade(8, "1.1")), drop);
    assert_eq!(kinds(&journal), Vec::<&str>::new());
    assert_eq!(journal.distinct(), 3);
}

#[test]
fn a_hole_and_a_repeat_are_found() {
    let journal = Arc::new(Journal::default());
    let mut one = client(&journal);
    one.message(&trade(9, "1.1"));
    assert_eq!(kinds(&journal), ["hole"]);
    one.message(&trade(9, "1.1"));
    assert_eq!(kinds(&journal), ["hole", "repeat"]);
    // A gap that begins too late leaves a hole, and one that begins too early takes back what was seen.
    one.message(&gap(12, 13));
    one.message(&gap(9, 14));
    assert_eq!(kinds(&journal), ["hole", "repeat", "hole", "repeat"]);
}

#[test]
fn other_bytes_at_the_same_number_are_found() {
    let journal = Arc::new(Journal::default());
    client(&journal).message(&trade(8, "1.1"));
    client(&journal).message(&trade(8, "1.2"));
    assert_eq!(kinds(&journal), ["differs"]);
    // In another epoch the number means another event.
    let mut other = Checker::new(Arc::clone(&journal), "other".into());
    other.message(&SUBSCRIBED.replace("e1", "e2"));
    other.message(&trade(8, "1.3"));
    assert_eq!(kinds(&journal), ["differs"]);
}

#[test]
fn one_trade_with_two_numbers_is_found() {
    let journal = Arc::new(Journal::default());
    let mut one = client(&journal);
    one.message(&trade(8, "1.1"));
    one.message(&trade(9, "1.1").replace("\"90\"", "\"80\""));
    assert_eq!(kinds(&journal), ["twice"]);
}

#[test]
fn a_trade_that_was_sent_again_may_be_there_twice_only_behind_a_lost_log() {
    let journal = Arc::new(Journal::default());
    journal.repeat("A", 80);
    let mut one = client(&journal);
    one.message(&trade(8, "1.1"));
    one.message(&trade(9, "1.1").replace("\"90\"", "\"80\""));
    assert_eq!(kinds(&journal), ["twice"], "the log was not lost");
    let mut other = Checker::new(Arc::clone(&journal), "other".into());
    other.message(&SUBSCRIBED.replace("e1", "e2"));
    other.message(&trade(8, "1.1"));
    other.message(&trade(9, "1.1").replace("\"90\"", "\"80\""));
    assert_eq!(kinds(&journal), ["twice"], "and here it was");
}

#[test]
fn a_trade_that_no_client_saw_is_found_unless_numbers_are_missing() {
    let journal = Arc::new(Journal::default());
    let mut one = client(&journal);
    let frame = format!("[{},{},{}]", trade(8, "1.1"), gap(9, 9), trade(10, "1.2"));
    one.frame(&frame, drop);
    // 90 lies where number 9 is missing.
    journal.account("A", &[70, 80, 90, 100]);
    assert_eq!((kinds(&journal), journal.count("trades inside told gaps")), (Vec::new(), 1));
    // Between 70 and 80 no number is missing, and nothing has told of what is behind 100.
    journal.account("A", &[75]);
    journal.account("A", &[105]);
    assert_eq!(kinds(&journal), ["lost", "lost"]);
}

#[test]
fn another_epoch_begins_anew_and_must_be_another() {
    let journal = Arc::new(Journal::default());
    let mut one = client(&journal);
    let step = one.message(r#"{"T":"resync","epoch":"e2","why":"renumbered"}"#);
    assert_eq!((step, one.epoch()), (Step::Resync, "e2"));
    one.message(&trade(3, "2.0"));
    one.message(&trade(4, "2.1"));
    assert_eq!(kinds(&journal), Vec::<&str>::new());
    one.message(r#"{"T":"resync","epoch":"e2","why":"renumbered"}"#);
    assert_eq!(kinds(&journal), ["resync"]);
}

#[test]
fn a_node_that_is_behind_may_say_so_and_must_not_say_other_things_later() {
    let journal = Arc::new(Journal::default());
    let mut one = client(&journal);
    let behind = SUBSCRIBED.replace(r#""n":7"#, r#""n":5,"recovered":false"#);
    assert_eq!(one.message(&behind), Step::NotRecovered);
    one.message(&trade(6, "0.9"));
    one.message(&trade(7, "1.0"));
    assert_eq!((kinds(&journal), journal.count("positions ahead of a node")), (Vec::new(), 1));
    client(&journal).message(&trade(6, "0.8"));
    assert_eq!(kinds(&journal), ["repeat", "differs"]);
}

#[test]
fn a_count_that_numbers_do_not_follow_is_found() {
    let journal = Arc::new(Journal::default());
    let mut one = client(&journal);
    let at = |n: u64, id: u64| trade(n, "1.1").replace(&format!("\"{}\"", n * 10), &format!("\"{id}\""));
    let frame = format!("[{},{},{}]", at(8, 71), gap(9, 9), at(10, 75));
    one.frame(&frame, drop);
    journal.counted("A");
    assert_eq!(kinds(&journal), Vec::<&str>::new(), "three are missing, and one number stands for them");
    one.message(&at(11, 80));
    journal.counted("A");
    assert_eq!(kinds(&journal), ["count"], "four are missing, and nothing is told");
    one.frame(&format!("[{},{}]", gap(12, 12), at(13, 81)), drop);
    journal.counted("A");
    assert_eq!(kinds(&journal).len(), 3, "nothing is missing, and something is told");
}
