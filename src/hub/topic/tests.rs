//! What is numbered, remembered and handed on, with ticks and times that the tests make.

mod corrections;

use std::collections::VecDeque;

use super::*;
use crate::{
    clock::Clock,
    hub::{Hub, HubConfig, history::BarSpan},
    limits::{BAR_GRACE, MAX_BURST_TICKS},
    market::{Print, Quote, Trade},
    metrics::Metrics,
};

const SECOND: i64 = 1_000_000;
const SECONDS: Channel = Channel::Bars(Interval::Second);

fn source() -> Source {
    Source::new("test").unwrap()
}

fn symbol(i: usize) -> Symbol {
    Symbol::new(&format!("S{i}")).unwrap()
}

fn hub(config: HubConfig) -> Hub {
    Hub::new(config, "e".into(), Clock::manual(UnixMicros(0)), Arc::new(Metrics::new()))
}

fn trade(at: i64, price: &str) -> Tick {
    trade_of(0, at, price)
}

fn trade_of(i: usize, at: i64, price: &str) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol(i),
        price: price.parse().unwrap(),
        size: "2".parse().unwrap(),
        side: None,
        id: None,
        source: source(),
        te: None,
        tr: UnixMicros(at),
        print: Print::default(),
    })
}

fn quote(at: i64) -> Tick {
    Tick::Quote(Quote {
        symbol: symbol(0),
        bid: None,
        ask: None,
        source: source(),
        te: None,
        tr: UnixMicros(at),
        is_snapshot: false,
    })
}

fn topic(hub: &Hub) -> Arc<Topic> {
    hub.declare(symbol(0), source()).unwrap()
}

fn shown(event: &Event) -> String {
    match &event.body {
        Body::Bar(bar) => {
            let state = if bar.is_final { "final" } else { "forming" };
            format!("{} {}s {} {state}", event.n, bar.start.0 / SECOND, bar.close)
        }
        Body::Ticker(ticker) => format!("{} {:?} {}", event.n, ticker.last, ticker.trades),
        Body::Tick(_) => panic!("not derived"),
    }
}

fn all(events: &[Arc<Event>]) -> Vec<String> {
    events.iter().map(|event| shown(event)).collect()
}

fn metric(hub: &Hub, line: &str) -> u64 {
    let text = String::from_utf8(hub.metrics().render().unwrap()).unwrap();
    let found =
        text.lines().find(|have| have.starts_with(line)).unwrap_or_else(|| panic!("{line} in {text}"));
    found.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn without_a_listener_only_final_bars_are_events_and_the_newest_value_is_made_when_asked_for() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    assert!(topic.last(SECONDS).is_none() && topic.last(Channel::Ticker).is_none());
    hub.publish(
        source(),
        [trade(0, "1"), trade(1, "2"), quote(1), trade(SECOND, "3"), trade(SECOND + 1, "4")],
    );
    assert_eq!(metric(&hub, "tickcast_events_published_total{channel=\"bars.1s\"}"), 1);
    assert_eq!(metric(&hub, "tickcast_events_published_total{channel=\"bars.1m\"}"), 0);
    assert_eq!(metric(&hub, "tickcast_events_published_total{channel=\"ticker\"}"), 0);
    // Asked for: the present state, under the number of the newest change.
    for _ in 0..2 {
        assert_eq!(shown(&topic.last(SECONDS).unwrap()), "5 1s 4 forming");
        assert_eq!(shown(&topic.last(Channel::Ticker).unwrap()), "4 Some(4) 4");
    }
    assert_eq!(all(&topic.since(SECONDS, 0).events), ["3 0s 2 final", "5 1s 4 forming"]);
    assert_eq!(metric(&hub, "tickcast_events_published_total{channel=\"bars.1s\"}"), 2);
    hub.publish(source(), [trade(SECOND + 2, "5")]);
    assert_eq!(shown(&topic.last(SECONDS).unwrap()), "6 1s 5 forming");
}

#[test]
fn a_listener_gets_each_change_once_without_a_hole() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    hub.publish(source(), [trade(0, "1"), trade(1, "2")]);
    let lane = hub.open_lane().unwrap();
    let (head, last) = topic.join(lane.index(), SECONDS);
    assert_eq!((head, shown(&last.unwrap()).as_str()), (2, "2 0s 2 forming"), "two changes");
    hub.publish(source(), [trade(2, "3"), trade(2 * SECOND, "4")]);
    let mut events = VecDeque::new();
    lane.drain(&mut events);
    assert_eq!(all(events.make_contiguous()), ["3 0s 3 forming", "4 0s 3 final", "5 2s 4 forming"]);
    topic.part(lane.index(), SECONDS);
    hub.publish(source(), [trade(2 * SECOND + 1, "5"), trade(2 * SECOND + 2, "6")]);
    let (head, last) = topic.join(lane.index(), SECONDS);
    assert_eq!((head, shown(&last.unwrap()).as_str()), (7, "7 2s 6 forming"), "numbers count changes");
}

#[test]
fn a_quiet_bar_becomes_final_by_the_clock() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    hub.publish(source(), [trade(SECOND, "1")]);
    let end = 2 * SECOND + BAR_GRACE;
    assert_eq!(topic.due(), UnixMicros(end));
    assert!(!hub.tick_clock(UnixMicros(end - 1)));
    let seconds = || all(&topic.bars(Interval::Second, &BarSpan::ALL, 10).events);
    assert_eq!(seconds(), ["1 1s 1 forming"]);
    assert!(!hub.tick_clock(UnixMicros(end)));
    assert_eq!(seconds(), ["2 1s 1 final"]);
    assert_eq!(topic.due(), UnixMicros(60 * SECOND + BAR_GRACE), "the minute is next");
    // What comes for it now is late, and only for it.
    hub.publish(source(), [trade(2 * SECOND - 1, "9")]);
    let excluded = "tickcast_excluded_trades_total{channel=\"bars.";
    assert_eq!(metric(&hub, &format!("{excluded}1s\",reason=\"late\"}}")), 1);
    assert_eq!(metric(&hub, &format!("{excluded}1m\",reason=\"late\"}}")), 0);
    assert_eq!(shown(&topic.last(SECONDS).unwrap()), "2 1s 1 final");
    assert_eq!(shown(&topic.last(Channel::Bars(Interval::Minute)).unwrap()), "2 0s 9 forming");
}

#[test]
fn the_ticker_s_window_moves_by_the_clock_too() {
    let hub = hub(HubConfig { intervals: [].into_iter().collect(), ..HubConfig::default() });
    let topic = topic(&hub);
    let lane = hub.open_lane().unwrap();
    let _ = topic.join(lane.index(), Channel::Ticker);
    hub.publish(source(), [trade(0, "1"), trade(90 * SECOND, "2")]);
    let day = 86_400 * SECOND;
    for (now, trades) in [(day - 1, 2), (day, 1), (day + 60 * SECOND, 0)] {
        hub.tick_clock(UnixMicros(now));
        let Body::Ticker(ticker) = &topic.last(Channel::Ticker).unwrap().body else { panic!() };
        assert_eq!(ticker.trades, trades, "{now}");
    }
    assert_eq!(topic.due(), UnixMicros(i64::MAX), "nothing is left to wait for");
    assert_eq!(lane.len(), 4);
    assert!(topic.last(SECONDS).is_none() && !hub.offers(SECONDS), "no bars are computed");
}

#[test]
fn the_ring_forgets_and_says_so() {
    let hub = hub(HubConfig { bars: 3, ..HubConfig::default() });
    let topic = topic(&hub);
    hub.publish(source(), (0..8).map(|i| trade(i * SECOND, &i.to_string())));
    let remembered = topic.since(SECONDS, 4);
    assert_eq!((remembered.forgotten, remembered.events.len()), (8, 4));
    assert_eq!(topic.since(Channel::Trades, 2).events.len(), 6);
    assert_eq!(metric(&hub, "tickcast_history_bars{channel=\"bars.1s\"}"), 3);
    assert_eq!(metric(&hub, "tickcast_history_bars_bytes"), 3 * BAR_BYTES as u64);
}

#[test]
fn pages_of_bars_are_chosen_by_time_and_by_number() {
    let hub = hub(HubConfig { bars: 3, ..HubConfig::default() });
    let topic = topic(&hub);
    let page = |from: i64, to: i64, before, limit| {
        let span = BarSpan { from: UnixMicros(from * SECOND), to: UnixMicros(to * SECOND), before };
        let page = topic.bars(Interval::Second, &span, limit);
        (all(&page.events).join(", "), page.has_older, page.position)
    };
    let is = |text: &str, has_older, position| (text.to_owned(), has_older, position);
    assert_eq!(page(0, 100, None, 100), is("", false, 0));
    hub.publish(source(), (0..8).map(|i| trade(i * SECOND, &i.to_string())));
    // Of the final bars 0 to 6 the last three are remembered, and 7 forms.
    assert_eq!(
        page(0, 100, None, 100),
        is("10 4s 4 final, 12 5s 5 final, 14 6s 6 final, 15 7s 7 forming", false, 15)
    );
    assert_eq!(page(0, 100, None, 2), is("14 6s 6 final, 15 7s 7 forming", true, 15));
    assert_eq!(page(0, 100, Some(14), 2), is("10 4s 4 final, 12 5s 5 final", false, 15));
    assert_eq!(page(0, 100, None, 1), is("15 7s 7 forming", true, 15));
    assert_eq!(page(0, 100, Some(15), 1), is("14 6s 6 final", true, 15));
    assert_eq!(page(5, 100, Some(14), 1), is("12 5s 5 final", false, 15));
    // A page of the past tells the position behind itself.
    assert_eq!(page(5, 6, None, 100), is("12 5s 5 final", false, 12));
    assert_eq!(page(5, 7, None, 1), is("14 6s 6 final", true, 14));
    assert_eq!(page(8, 100, None, 9), is("", false, 15));
    assert_eq!(page(6, 5, None, 9), is("", false, 10));
    // Bars that are forgotten lie behind this one: its position makes that a gap.
    assert_eq!(page(0, 4, None, 9), is("", false, 0));
    assert_eq!(page(0, 100, Some(0), 9), is("", false, 15));
    assert_eq!(page(0, 100, None, 0), is("", true, 15));
    hub.tick_clock(UnixMicros(60 * SECOND));
    assert_eq!(page(7, 100, None, 9), is("16 7s 7 final", false, 16));
}

#[test]
fn pages_of_trades_are_chosen_by_number() {
    let hub = hub(HubConfig { trades_per_symbol: 4, ..HubConfig::default() });
    let topic = topic(&hub);
    let page = |before, limit| {
        let page = topic.trades(before, limit);
        (page.events.iter().map(|trade| trade.n).collect::<Vec<_>>(), page.has_older, page.position)
    };
    assert_eq!(page(None, 10), (vec![], false, 0));
    hub.publish(source(), (0..7).map(|i| trade(i, "1")));
    assert_eq!(page(None, 10), (vec![4, 5, 6, 7], false, 7));
    assert_eq!(page(None, 2), (vec![6, 7], true, 7));
    assert_eq!(page(Some(6), 2), (vec![4, 5], false, 7));
    assert_eq!(page(Some(4), 2), (vec![], false, 7));
    assert_eq!(page(Some(99), 1), (vec![7], true, 7));
}

#[test]
fn many_symbols_are_passed_in_turns() {
    let hub = hub(HubConfig { intervals: [Interval::Second].into_iter().collect(), ..HubConfig::default() });
    let symbols = MAX_BURST_TICKS * 2;
    hub.publish(source(), (0..symbols).map(|i| trade_of(i, 0, "1")));
    assert!(hub.tick_clock(UnixMicros(9 * SECOND)));
    assert!(!hub.tick_clock(UnixMicros(9 * SECOND)));
    assert_eq!(metric(&hub, "tickcast_history_bars{channel=\"bars.1s\"}"), symbols as u64);
}

#[test]
fn a_lane_that_is_closing_takes_nothing_from_the_next_one() {
    let hub = Arc::new(hub(HubConfig::default()));
    hub.publish(source(), [trade(0, "1")]);
    let topic = hub.topic(symbol(0)).unwrap();
    let closing = hub.open_lane().unwrap();
    let held = topic.inner.lock();
    let closer = {
        let (hub, closing) = (Arc::clone(&hub), Arc::clone(&closing));
        std::thread::spawn(move || hub.close_lane(&closing))
    };
    // The closer waits for the topic, or has not come to it yet: its place is not free either way.
    for _ in 0..50 {
        let next = hub.open_lane().unwrap();
        assert_ne!(next.index(), closing.index(), "its interests are still to be cleared");
        std::thread::yield_now();
    }
    drop(held);
    closer.join().unwrap();
    assert_eq!(hub.open_lane().unwrap().index(), closing.index());
}

#[test]
fn a_why_of_any_length_is_cut_to_its_limit() {
    use crate::{limits::MAX_STATUS_WHY, market::Status};
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    for (text, bytes) in
        [("x".repeat(MAX_STATUS_WHY), MAX_STATUS_WHY), ("ж".repeat(70_000), MAX_STATUS_WHY - 1)]
    {
        let told = Status {
            symbol: symbol(0),
            state: State::Halted,
            source: source(),
            since: UnixMicros(1),
            why: text.clone().into(),
        };
        for _ in 0..2 {
            hub.publish(source(), [Tick::Status(told.clone())]);
        }
        let last = topic.last(Channel::Status).unwrap();
        let why = &last.status().unwrap().why;
        assert_eq!((why.len(), why.ends_with('…')), (bytes, text.len() > MAX_STATUS_WHY));
    }
    assert_eq!(topic.last(Channel::Status).unwrap().n, 3, "the same cut text is no other cause");
}
