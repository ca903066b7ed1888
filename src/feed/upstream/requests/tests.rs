use super::*;

fn symbol(i: usize) -> Symbol {
    Symbol::new(&format!("S{i:03}")).unwrap()
}

fn setup(venue: Venue, count: usize) -> (Requests, Names, Instant) {
    let mut names = Names::default();
    for i in 0..count {
        names.add(venue, symbol(i), None).unwrap();
    }
    let now = Instant::now();
    (Requests::new(venue, now), names, now)
}

/// Everything that is to be sent, with the time passing as it must.
fn frames(requests: &mut Requests, names: &Names, now: &mut Instant) -> Vec<String> {
    let mut frames = Vec::new();
    while let Some(next) = requests.next() {
        *now = next.max(*now);
        frames.extend(requests.poll(names, *now));
    }
    frames
}

#[test]
fn many_symbols_are_few_requests_and_no_faster_than_allowed() {
    let (mut requests, names, start) = setup(Venue::Binance, 250);
    (0..250).for_each(|i| requests.want(symbol(i)));
    let mut now = start;
    assert_eq!(frames(&mut requests, &names, &mut now).len(), 3);
    let spacing = Duration::from_secs(1) / Venue::Binance.requests_per_second();
    assert!(now - start >= 2 * spacing, "{:?}", now - start);
    assert!(!requests.is_settled());
    assert_eq!(requests.answered(Some(2)).len(), 100);
    assert_eq!((requests.answered(Some(1)).len(), requests.answered(Some(3)).len()), (100, 50));
    assert!(requests.is_settled() && requests.confirmed() == 250);
    assert_eq!(requests.answered(Some(3)).len(), 0, "an answer too many");
}

#[test]
fn one_bad_symbol_costs_the_others_nothing() {
    let (mut requests, names, mut now) = setup(Venue::Coinbase, 20);
    (0..20).for_each(|i| requests.want(symbol(i)));
    let (mut on, mut bad) = (Vec::new(), Vec::new());
    let refusal = Refusal { words: "S013 is not a valid product".into(), ..Refusal::default() };
    for _ in 0..20 {
        let Some(frame) = frames(&mut requests, &names, &mut now).pop() else { break };
        // The last frame asks for everything that is asked for now: answers come in the order of requests.
        let _ = frame;
        while let Some(asked) = requests.asked.front() {
            if asked.symbols.contains(&symbol(13)) {
                let (refused, _) = requests.refused(&refusal, &names).unwrap();
                bad.extend(refused);
            } else {
                on.extend(requests.answered(None));
            }
        }
    }
    assert_eq!((bad, on.len()), (vec![symbol(13)], 19));
    assert!(requests.is_settled());
    assert!(!requests.symbols().any(|one| one == symbol(13)));
}

#[test]
fn kraken_answers_for_each_symbol_and_channel() {
    let (mut requests, names, mut now) = setup(Venue::Kraken, 3);
    (0..3).for_each(|i| requests.want(symbol(i)));
    assert_eq!(frames(&mut requests, &names, &mut now).len(), 2, "trades and quotes");
    let refusal = Refusal { id: Some(1), symbol: Some("S001".into()), ..Refusal::default() };
    assert_eq!(requests.refused(&refusal, &names), Some((vec![symbol(1)], Vec::new())));
    for id in [1, 1, 2, 2] {
        assert!(requests.answered(Some(id)).is_empty());
    }
    let refusal = Refusal { id: Some(2), ..refusal };
    let (refused, on) = requests.refused(&refusal, &names).unwrap();
    assert_eq!((refused, on), (Vec::new(), vec![symbol(0), symbol(2)]));
    assert!(requests.is_settled());
}

#[test]
fn wishes_that_change_before_they_are_sent_cost_nothing() {
    let (mut requests, names, mut now) = setup(Venue::Binance, 2);
    requests.want(symbol(0));
    requests.release(symbol(0));
    assert!(frames(&mut requests, &names, &mut now).is_empty());
    requests.want(symbol(0));
    requests.want(symbol(0));
    assert_eq!(frames(&mut requests, &names, &mut now).len(), 1);
    requests.answered(Some(1));
    requests.release(symbol(0));
    requests.want(symbol(0));
    assert!(frames(&mut requests, &names, &mut now).is_empty(), "it was never let go");
    requests.release(symbol(0));
    let drop = frames(&mut requests, &names, &mut now);
    assert!(drop.len() == 1 && drop[0].contains("UNSUBSCRIBE"), "{drop:?}");
    requests.want(symbol(0));
    assert_eq!(frames(&mut requests, &names, &mut now).len(), 1, "and asked for anew");
    assert!(requests.answered(Some(2)).is_empty());
    assert_eq!(requests.answered(Some(3)), [symbol(0)]);
}
