use super::*;
use crate::dialect::{Listed, Refusal, RefusalClass};

fn symbol(i: usize) -> Symbol {
    Symbol::new(&format!("S{i:03}")).unwrap()
}

fn setup(venue: Venue, count: usize) -> (Requests, Names, Instant) {
    let mut names = Names::default();
    for i in 0..count {
        names.add(venue, symbol(i), None).unwrap();
    }
    let now = Instant::now();
    (Requests::new(venue), names, now)
}

/// Everything that may be sent now, or at once after another answer.
fn frames(requests: &mut Requests, names: &Names, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| requests.poll(names, now)).collect()
}

fn words(words: &str) -> Refusal {
    Refusal { words: words.into(), class: RefusalClass::Symbol, ..Refusal::default() }
}

fn list(names: &Names, on: &[usize]) -> Listed {
    let theirs: BTreeSet<_> = on.iter().map(|i| names.theirs(symbol(*i)).unwrap().to_owned()).collect();
    Listed { trades: theirs.clone(), quotes: theirs }
}

#[test]
fn many_symbols_are_few_requests_and_none_is_longer_than_binance_reads() {
    let (mut requests, names, now) = setup(Venue::Binance, 250);
    (0..250).for_each(|i| requests.want(symbol(i)));
    let sent = frames(&mut requests, &names, now);
    assert!(sent.iter().all(|frame| frame.len() <= crate::limits::BINANCE_REQUEST_BYTES), "{sent:?}");
    assert_eq!(sent.len(), 2);
    assert!(!requests.is_settled());
    let second = requests.answered(Some(2)).on.len();
    assert_eq!(requests.answered(Some(1)).on.len() + second, 250);
    assert!(requests.is_settled() && requests.confirmed() == 250);
    assert_eq!(requests.answered(Some(2)), Answered::default(), "an answer too many");
}

/// One request with good and bad products, under every way in which the venue is said to answer.
#[test]
fn what_coinbase_answers_is_read_and_not_counted() {
    const BAD: [usize; 2] = [1, 3];
    let good: Vec<_> = (0..6).filter(|i| !BAD.contains(i)).collect();
    let error = |i: usize| format!("Failed to subscribe: S{i:03} is not a valid product");
    for (reading, has_list, errors) in [
        ("error and list", true, 1),
        ("errors and list", true, 3),
        ("errors alone", false, 1),
        ("silent", true, 0),
    ] {
        let (mut requests, names, mut now) = setup(Venue::Coinbase, 6);
        (0..6).for_each(|i| requests.want(symbol(i)));
        let (mut on, mut refused, mut subscribed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for round in 0.. {
            assert!(round < 40, "{reading}: it does not end");
            for frame in frames(&mut requests, &names, now) {
                assert_eq!(requests.asked.len(), 1, "one at a time");
                let asked: Vec<usize> = (0..6).filter(|i| frame.contains(&format!("S{i:03}"))).collect();
                let wrong: Vec<_> = asked.iter().copied().filter(|i| BAD.contains(i)).collect();
                for i in wrong.iter().flat_map(|i| std::iter::repeat_n(*i, errors)) {
                    refused.extend(requests.refused(&words(&error(i)), &names, now).refused);
                }
                if wrong.is_empty() || (has_list && wrong.len() < asked.len()) {
                    subscribed.extend(asked.into_iter().filter(|i| !BAD.contains(i)));
                }
                if wrong.is_empty() || has_list {
                    let all: Vec<_> = subscribed.iter().copied().collect();
                    on.extend(requests.listed(&list(&names, &all), &names, now).on);
                }
            }
            let told = requests.decide(now);
            on.extend(told.on);
            refused.extend(told.refused);
            if requests.is_settled() {
                break;
            }
            now = requests.decides_at(now).or_else(|| requests.next(now)).unwrap_or(now).max(now);
        }
        on.sort_unstable();
        refused.sort_unstable();
        assert_eq!(on, good.iter().map(|i| symbol(*i)).collect::<Vec<_>>(), "{reading}");
        assert_eq!(refused.iter().map(|(one, _)| *one).collect::<Vec<_>>(), BAD.map(symbol), "{reading}");
    }
}

#[test]
fn a_late_answer_to_an_older_request_makes_nothing_of_the_next_one_live_or_closed() {
    let (mut requests, names, now) = setup(Venue::Coinbase, 4);
    (0..2).for_each(|i| requests.want(symbol(i)));
    assert_eq!(frames(&mut requests, &names, now).len(), 1);
    requests.refused(&words("S001 is not a valid product"), &names, now);
    assert_eq!(requests.listed(&list(&names, &[0]), &names, now).on, [symbol(0)]);
    (2..4).for_each(|i| requests.want(symbol(i)));
    assert_eq!(frames(&mut requests, &names, now).len(), 1);
    // The first request's second error, and its list once more.
    assert!(requests.refused(&words("S001 is not a valid product"), &names, now).refused.is_empty());
    assert!(requests.listed(&list(&names, &[0]), &names, now).on.is_empty());
    assert_eq!(requests.listed(&list(&names, &[0, 2, 3]), &names, now).on, [symbol(2), symbol(3)]);
    assert!(requests.is_settled());
}

#[test]
fn only_words_about_a_symbol_divide_a_request() {
    for (class, halves) in [
        (RefusalClass::Symbol, 2),
        (RefusalClass::Rate, 1),
        (RefusalClass::Channel, 1),
        (RefusalClass::Venue, 1),
    ] {
        let (mut requests, names, now) = setup(Venue::Binance, 4);
        (0..4).for_each(|i| requests.want(symbol(i)));
        frames(&mut requests, &names, now);
        let refusal = Refusal { id: Some(1), class, ..Refusal::default() };
        let told = requests.refused(&refusal, &names, now);
        assert!(told.is_known && told.refused.is_empty() && told.without_place.is_empty(), "{class:?}");
        if halves == 1 {
            assert!(frames(&mut requests, &names, now).is_empty(), "{class:?}: not at once");
        }
        let again = frames(&mut requests, &names, now + UPSTREAM_REPEAT.0);
        assert_eq!(again.len(), halves, "{class:?}: {again:?}");
        for id in 2..2 + halves as u64 {
            requests.answered(Some(id));
        }
        assert_eq!(requests.confirmed(), 4, "{class:?}");
    }
}

#[test]
fn what_has_no_place_waits_and_is_never_refused() {
    let (mut requests, names, now) = setup(Venue::Alpaca, 10);
    (0..10).for_each(|i| requests.want(symbol(i)));
    let mut on = 0;
    let full = Refusal { code: Some(405), class: RefusalClass::Place, ..Refusal::default() };
    while let Some(frame) = requests.poll(&names, now) {
        if frame.contains("statuses") {
            requests.listed(&Listed::default(), &names, now);
            continue;
        }
        let asked: Vec<usize> = (0..10).filter(|i| frame.contains(&format!("S{i:03}"))).collect();
        if on + asked.len() > 3 {
            assert!(requests.refused(&full, &names, now).refused.is_empty());
        } else {
            on += requests.listed(&list(&names, &asked), &names, now).on.len();
        }
    }
    assert_eq!((on, requests.decides_at(now)), (3, Some(now)));
    assert_eq!(requests.decide(now).without_place.len(), 7);
    assert!(requests.is_settled());
    // One goes, and another one has its place.
    requests.release(symbol(0));
    requests.want(symbol(9));
    assert!(frames(&mut requests, &names, now).concat().contains("unsubscribe"));
    requests.listed(&list(&names, &[1, 2]), &names, now);
    assert!(frames(&mut requests, &names, now).concat().contains("S009"));
}

#[test]
fn a_refused_symbol_is_asked_for_again_after_a_while() {
    let (mut requests, names, now) = setup(Venue::Kraken, 1);
    requests.want(symbol(0));
    frames(&mut requests, &names, now);
    for id in [1, 2] {
        let refusal = Refusal {
            id: Some(id),
            symbol: Some("S000".into()),
            class: RefusalClass::Symbol,
            ..Refusal::default()
        };
        requests.refused(&refusal, &names, now);
    }
    assert!(requests.is_settled() && frames(&mut requests, &names, now).is_empty());
    let later = requests.next(now).unwrap();
    assert_eq!(later, now + UPSTREAM_REFUSED_AGAIN);
    assert_eq!(frames(&mut requests, &names, later).len(), 2);
    requests.answered(Some(3));
    requests.answered(Some(4));
    assert_eq!(requests.confirmed(), 1);
}

#[test]
fn the_refusal_of_trading_states_harms_nothing() {
    let (mut requests, names, now) = setup(Venue::Alpaca, 2);
    (0..2).for_each(|i| requests.want(symbol(i)));
    assert_eq!(frames(&mut requests, &names, now).len(), 1);
    assert_eq!(requests.listed(&list(&names, &[0, 1]), &names, now).on.len(), 2);
    let states = frames(&mut requests, &names, now);
    assert!(states.len() == 1 && states[0].contains("statuses"), "{states:?}");
    assert!(requests.is_of_states());
    let refusal = Refusal { code: Some(410), class: RefusalClass::Channel, ..Refusal::default() };
    assert!(requests.refused(&refusal, &names, now).refused.is_empty());
    assert_eq!((requests.confirmed(), requests.is_settled()), (2, true));
    assert!(frames(&mut requests, &names, now).is_empty(), "and not asked for again");
}

#[test]
fn kraken_answers_for_each_symbol_and_channel() {
    let (mut requests, names, now) = setup(Venue::Kraken, 3);
    (0..3).for_each(|i| requests.want(symbol(i)));
    assert_eq!(frames(&mut requests, &names, now).len(), 2, "trades and quotes");
    let class = RefusalClass::Symbol;
    let refusal = Refusal { id: Some(1), symbol: Some("S001".into()), class, ..Refusal::default() };
    let told = requests.refused(&refusal, &names, now);
    assert_eq!(told.refused.iter().map(|(one, _)| *one).collect::<Vec<_>>(), [symbol(1)]);
    for id in [1, 1, 2, 2] {
        assert!(requests.answered(Some(id)).on.is_empty());
    }
    let told = requests.refused(&Refusal { id: Some(2), ..refusal }, &names, now);
    assert_eq!((told.refused, told.on), (Vec::new(), vec![symbol(0), symbol(2)]));
    assert!(requests.is_settled());
}

#[test]
fn a_rate_refusal_without_a_number_asks_again_what_stays_open() {
    let (mut requests, names, now) = setup(Venue::Kraken, 1);
    requests.want(symbol(0));
    frames(&mut requests, &names, now);
    requests.answered(Some(1));
    let refusal = Refusal { class: RefusalClass::Rate, ..Refusal::default() };
    assert!(requests.refused(&refusal, &names, now).is_known);
    assert_eq!(requests.waiting_since(), None, "its silence is no fault");
    let later = requests.decides_at(now).unwrap();
    assert_eq!(requests.decide(later), Answered::default());
    assert_eq!(frames(&mut requests, &names, later).len(), 2);
    assert_eq!((requests.answered(Some(3)).on.len(), requests.answered(Some(4)).on), (0, vec![symbol(0)]));
}

#[test]
fn wishes_that_change_before_they_are_sent_cost_nothing() {
    let (mut requests, names, now) = setup(Venue::Binance, 2);
    requests.want(symbol(0));
    requests.release(symbol(0));
    assert!(frames(&mut requests, &names, now).is_empty());
    requests.want(symbol(0));
    requests.want(symbol(0));
    assert_eq!(frames(&mut requests, &names, now).len(), 1);
    requests.answered(Some(1));
    requests.release(symbol(0));
    requests.want(symbol(0));
    assert!(frames(&mut requests, &names, now).is_empty(), "it was never let go");
    requests.release(symbol(0));
    let drop = frames(&mut requests, &names, now);
    assert!(drop.len() == 1 && drop[0].contains("UNSUBSCRIBE"), "{drop:?}");
    requests.want(symbol(0));
    assert_eq!(frames(&mut requests, &names, now).len(), 1, "and asked for anew");
    assert!(requests.answered(Some(2)).on.is_empty());
    assert_eq!(requests.answered(Some(3)).on, [symbol(0)]);
}
