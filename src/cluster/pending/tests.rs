//! The queue, and what is left when more comes than it holds.

use proptest::prelude::*;

use super::*;
use crate::{
    clock::Clock,
    cluster::{Batch, wire::Entry},
    hub::{
        Hub,
        tests::{AT_ONCE, SECOND, SYMBOLS, World, enlist, feed, following, happens, symbol},
    },
    limits::MAX_BATCH_BYTES,
    market::{Channel, Loss, LossWhy, Print, Source, State, Status, Symbol, UnixMicros},
    metrics::Metrics,
};

fn trade(i: usize, id: u64) -> Input {
    Input::Tick(Tick::Trade(Trade {
        symbol: symbol(i),
        price: id.to_string().parse().unwrap(),
        size: "1".parse().unwrap(),
        side: None,
        id: Some(TradeId::Number(id)),
        source: feed(0),
        te: None,
        tr: UnixMicros(1),
        print: Print::default(),
    }))
}

fn loss(events: Option<u64>) -> Input {
    let (symbol, channel, why) = (symbol(0), Channel::Trades, LossWhy::Venue);
    Input::Tick(Tick::Loss(Loss { symbol, channel, why, events }))
}

fn inputs(pending: &Pending) -> Vec<String> {
    let word = |entry: Entry| {
        let Entry::Input(input) = entry else { return format!("{entry:?}") };
        match input {
            Input::Tick(Tick::Trade(trade)) => format!("{} {}", trade.symbol, trade.price),
            Input::Tick(Tick::Loss(Loss { events, why, .. })) => format!("lost {why:?} {events:?}"),
            Input::Tick(Tick::Status(Status { state, .. })) => format!("{state:?}"),
            Input::Symbol(symbol, _) => format!("+{symbol}"),
            Input::Removed(symbol) => format!("-{symbol}"),
            Input::Tick(Tick::Quote(_) | Tick::Correction(_))
            | Input::Source(..)
            | Input::Jumped(..)
            | Input::Time(..)
            | Input::Described(..)
            | Input::Restored(_)
            | Input::Numbering(_) => format!("{input:?}"),
        }
    };
    let mut all = Vec::new();
    while !pending.is_empty() {
        all.extend(pending.take(1).into_iter().map(word));
    }
    all
}

fn pending(limit: usize, inputs: impl IntoIterator<Item = Input>) -> Arc<Pending> {
    let pending = Pending::new(limit);
    let tap = pending.tap();
    inputs.into_iter().for_each(tap);
    pending
}

#[test]
fn what_comes_is_taken_in_order_and_by_the_bytes_of_a_batch() {
    let waiting = pending(1 << 20, (0..1_000).map(|id| trade(0, id)));
    assert!(waiting.bytes() >= 1_000 * size_of::<Input>() && !waiting.is_lapped());
    let first = waiting.take(10_000);
    assert!((50..100).contains(&first.len()), "{}", first.len());
    let batch = |entries| Batch { time: UnixMicros(0), passes: false, inbox: None, entries };
    assert!(batch(first).encode().len() <= 10_000);
    let rest = inputs(&waiting);
    assert_eq!(rest.last().unwrap(), "S0 999");
    assert_eq!((waiting.bytes(), waiting.take(10).len()), (0, 0));
}

#[test]
fn the_longest_inputs_fit_the_batch_that_they_are_taken_for() {
    let text = |c: &str, most: usize| c.repeat(most);
    let longest = |i: usize| {
        let symbol = Symbol::new(&format!("{i:X<32}")).unwrap();
        let source = Source::new(&format!("{i:x<16}")).unwrap();
        let largest = || "-0.0000000079228162514264337593543950335".parse::<crate::market::Price>();
        let price = largest().unwrap_or_else(|_| "-7922816251426433.7593543950335".parse().unwrap());
        let Input::Tick(Tick::Trade(one)) = trade(0, 1) else { unreachable!() };
        let id = Some(TradeId::Text(text("i", 64).into()));
        let times = (Some(UnixMicros(i64::MIN)), UnixMicros(i64::MAX));
        let size = price.to_string()[1..].parse().unwrap();
        let trade = Trade { symbol, price, size, id, source, te: times.0, tr: times.1, ..one };
        let (state, since, why) = (State::Live, UnixMicros(i64::MIN), text("w", 200).into());
        let status = Status { symbol, state, source, since, why };
        [Input::Tick(Tick::Trade(trade)), Input::Tick(Tick::Status(status)), Input::Symbol(symbol, source)]
    };
    let waiting = pending(1 << 30, (0..5_000).flat_map(longest));
    let time = UnixMicros(0);
    while !waiting.is_empty() {
        let entries = waiting.take(MAX_BATCH_BYTES - 64);
        let bytes = Batch { time, passes: false, inbox: None, entries }.encode();
        assert!(bytes.len() <= MAX_BATCH_BYTES, "{}", bytes.len());
        assert!(Batch::decode(&bytes).is_ok());
    }
}

#[test]
fn over_its_limit_it_keeps_the_newest_and_says_what_was_lost() {
    let lapped = |said: Vec<Input>| {
        let waiting = pending(size_of::<Input>(), said);
        assert_eq!((waiting.is_lapped(), waiting.laps()), (true, 1));
        let said = inputs(&waiting);
        assert!(!waiting.is_lapped() && waiting.bytes() == 0);
        said
    };
    let status = |state| {
        let (symbol, source, since, why) = (symbol(0), feed(0), UnixMicros(0), "x".into());
        Input::Tick(Tick::Status(Status { symbol, state, source, since, why }))
    };
    let trades = |ids: std::ops::Range<u64>| ids.map(|id| trade(0, id));
    assert_eq!(lapped(vec![trade(0, 1), trade(1, 1)]), ["S0 1", "S1 1"], "nothing is lost");
    assert_eq!(lapped(trades(1..9).collect()), ["lost Reconnect None", "S0 8"]);
    assert_eq!(lapped(vec![loss(Some(3)), trade(0, 1)]), ["lost Venue Some(3)", "S0 1"]);
    assert_eq!(lapped(vec![loss(Some(3)), trade(0, 1), trade(0, 2)]), ["lost Venue None", "S0 2"]);
    assert_eq!(lapped(vec![trade(0, 1), loss(Some(3))]), ["S0 1", "lost Venue Some(3)"]);
    assert_eq!(lapped(vec![trade(0, 1), loss(Some(3)), trade(0, 2)]), ["lost Venue None", "S0 2"]);
    assert_eq!(lapped(vec![status(State::Stale), trade(0, 1), status(State::Live)]), ["S0 1", "Live"]);
    let made = Input::Symbol(symbol(0), feed(0));
    assert_eq!(lapped(vec![made.clone(), trade(0, 1)]), ["+S0", "S0 1"]);
    let removed = Input::Removed(symbol(0));
    assert_eq!(lapped(vec![trade(0, 1), removed.clone(), made.clone()]), ["-S0", "+S0"]);
    assert_eq!(lapped(vec![trade(1, 1), made, removed.clone()]), ["S1 1"], "it came and went");
    assert_eq!(lapped(vec![trade(0, 1), removed.clone(), removed]), ["-S0"]);
}

#[tokio::test]
async fn a_push_wakes_also_who_waits_later() {
    let waiting = pending(1 << 20, [trade(0, 1)]);
    waiting.woken().await;
    assert_eq!(waiting.take(1 << 20).len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// A node behind a log that was away has the newest values, sources and states all the same.
    #[test]
    fn after_a_lap_the_newest_values_are_right(
        before in prop::collection::vec(happens(), 0..40),
        all in prop::collection::vec(happens(), 1..200),
    ) {
        let clock = Clock::manual(UnixMicros(20_000 * 86_400 * SECOND));
        let narrow = Pending::new(1 << 20);
        let wide = Pending::new(1 << 30);
        let (to_narrow, to_wide) = (narrow.tap(), wide.tap());
        let origin = Hub::origin(AT_ONCE, clock.clone(), Arc::new(Metrics::new()));
        let origin = origin.tapped(move |input| {
            to_narrow(input.clone());
            to_wide(input);
        });
        enlist(&origin);
        let mut world = World { clock, hub: Arc::new(origin), others: Vec::new(), trades: 0 };
        let (one, other) = (following(), following());
        let drain = |pending: &Pending, hub: &Hub| {
            while !pending.is_empty() {
                let inputs = pending.take(500).into_iter().filter_map(|entry| {
                    if let Entry::Input(input) = entry { Some(input) } else { None }
                });
                hub.apply(inputs).unwrap();
            }
        };
        before.into_iter().for_each(|one| world.happens(one));
        drain(&narrow, &one);
        // From here on the log is away.
        narrow.waiting.lock().lapped = Some(Lapped::default());
        all.into_iter().for_each(|one| world.happens(one));
        drain(&narrow, &one);
        drain(&wide, &other);
        for i in 0..SYMBOLS {
            let newest = |hub: &Hub| {
                let topic = hub.topic(symbol(i))?;
                let last = |channel| topic.last(channel).map(|event| format!("{:?}", event.body));
                let source = (topic.feed(), topic.state());
                Some(([Channel::Trades, Channel::Quotes, Channel::Status].map(last), source))
            };
            let (lapped, whole) = (newest(&one), newest(&other));
            prop_assert_eq!(lapped.is_some(), whole.is_some());
            if let (Some((lapped, at)), Some((whole, other_at))) = (lapped, whole) {
                prop_assert_eq!(at, other_at);
                prop_assert_eq!(&lapped[1..], &whole[1..]);
                prop_assert_eq!(lapped[0].is_some(), whole[0].is_some());
            }
        }
    }
}
