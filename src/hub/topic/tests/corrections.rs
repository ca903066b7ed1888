//! Trades that are taken back or changed, and prints that do not count: against a model that keeps lists and computes
//! everything anew.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::market::{Change, Correction, Marks, Price, Size, TradeId};

const MINUTE: i64 = 60 * SECOND;

/// A trade as the tests make it: time, price in cents, size in thousandths, and what it does not count for.
#[derive(Debug, Clone, Copy)]
struct Made {
    at: i64,
    price: i64,
    size: i64,
    marks: Marks,
}

fn price(cents: i64) -> Price {
    Price::new(Decimal::new(cents, 2))
}

fn size(thousandths: i64) -> Size {
    Size::new(Decimal::new(thousandths, 3)).unwrap()
}

fn print(id: u64, made: Made) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol(0),
        price: price(made.price),
        size: size(made.size),
        side: None,
        id: Some(TradeId::Number(id)),
        source: source(),
        te: Some(UnixMicros(made.at)),
        tr: UnixMicros(made.at),
        print: Print { marks: made.marks, rule: None },
    })
}

fn correction(id: u64, change: Change) -> Tick {
    let (symbol, source, te, tr) = (symbol(0), source(), None, UnixMicros(9));
    Tick::Correction(Box::new(Correction {
        symbol,
        id: TradeId::Number(id),
        source,
        change,
        te,
        tr,
        of: None,
    }))
}

fn bust(id: u64) -> Tick {
    correction(id, Change::Busted { price: None, size: None })
}

fn plain(at: i64, price: i64) -> Made {
    Made { at, price, size: 1_000, marks: Marks::NONE }
}

/// What the venue says in the words of the protocol.
fn told(event: &Event) -> String {
    String::from_utf8(event.encoded(crate::dialect::Encoding::Json).to_vec()).unwrap()
}

fn uncorrected(hub: &Hub, channel: &str, reason: &str) -> u64 {
    metric(hub, &format!("tickcast_uncorrected_values_total{{channel=\"{channel}\",reason=\"{reason}\"}}"))
}

/// When a bar starts, and its trades by number.
type Listed = (i64, BTreeMap<u64, Made>);

/// Everything that was not taken back, in lists.
#[derive(Default)]
struct Model {
    /// By interval: trades before are late, and the bar that forms.
    series: [(i64, Option<Listed>); Interval::COUNT],
    newest: i64,
    window: BTreeMap<i64, BTreeMap<u64, Made>>,
    /// Every trade that ever was in the window.
    all: BTreeMap<u64, Made>,
}

impl Model {
    fn new() -> Self {
        let series = [const { (i64::MIN, None) }; Interval::COUNT];
        Self { series, newest: i64::MIN, ..Self::default() }
    }

    fn add(&mut self, n: u64, made: Made) {
        if made.marks.has(Marks::NOTHING) {
            return;
        }
        for (interval, (open_from, forming)) in Interval::ALL.into_iter().zip(&mut self.series) {
            let start = interval.start_of(UnixMicros(made.at)).0;
            if made.at < *open_from {
                continue;
            }
            if forming.as_ref().is_none_or(|(of, _)| *of != start) {
                *forming = Some((start, BTreeMap::new()));
                *open_from = start;
            }
            forming.as_mut().unwrap().1.insert(n, made);
        }
        let minute = made.at / MINUTE;
        if minute > self.newest.saturating_sub(1_440) {
            self.newest = self.newest.max(minute);
            self.window.entry(self.newest).or_default().insert(n, made);
            self.window.retain(|minute, _| *minute > self.newest - 1_440);
            self.all.insert(n, made);
        }
    }

    fn change(&mut self, n: u64, instead: Option<Made>) {
        let forming =
            self.series.iter_mut().filter_map(|(_, forming)| forming.as_mut()).map(|(_, trades)| trades);
        for trades in forming.chain(self.window.values_mut()).chain([&mut self.all]) {
            if let Some(was) = trades.remove(&n)
                && let Some(instead) = instead
            {
                trades.insert(n, Made { at: was.at, ..instead });
            }
        }
        self.window.retain(|_, trades| !trades.is_empty());
    }

    fn bar(&self, interval: Interval) -> Option<String> {
        let (start, trades) = self.series[interval.index()].1.as_ref()?;
        let counting = |mark: Marks| trades.values().filter(move |made| !made.marks.has(mark));
        let mut lasts: Vec<_> = counting(Marks::NOT_LAST).collect();
        lasts.sort_by_key(|made| made.at);
        let (open, close) = (lasts.first()?.price, lasts.last()?.price);
        let prices = || counting(Marks::NOT_HIGH_LOW).map(|made| made.price).chain([open, close]);
        let volume: i64 = counting(Marks::NOT_VOLUME).map(|made| made.size).sum();
        let notional: i64 = counting(Marks::NOT_VOLUME).map(|made| made.size * made.price).sum();
        let count = counting(Marks::NOT_VOLUME).count();
        let vwap = (volume > 0).then(|| {
            let mut vwap = (Decimal::new(notional, 5) / Decimal::new(volume, 3)).round_dp(6);
            vwap.rescale(6);
            vwap
        });
        let (high, low) = (prices().max()?, prices().min()?);
        Some(format!("{start} {open} {high} {low} {close} {volume} {vwap:?} {count}"))
    }

    fn ticker(&self) -> String {
        let of = |mark: Marks| {
            self.window.values().flat_map(|trades| trades.values()).filter(move |made| !made.marks.has(mark))
        };
        let mut last: Option<&Made> = None;
        for made in self.all.values().filter(|made| !made.marks.has(Marks::NOT_LAST)) {
            last = if last.is_none_or(|last| made.at >= last.at) { Some(made) } else { last };
        }
        let open = of(Marks::NOT_LAST).next().map(|made| made.price);
        let prices = || of(Marks::NOT_HIGH_LOW).map(|made| made.price);
        let volume: i64 = of(Marks::NOT_VOLUME).map(|made| made.size).sum();
        let count = of(Marks::NOT_VOLUME).count();
        format!(
            "{:?} {open:?} {:?} {:?} {volume} {count}",
            last.map(|made| made.price),
            prices().max(),
            prices().min()
        )
    }
}

fn cents(price: Price) -> i64 {
    i64::try_from(price.decimal().mantissa()).unwrap()
}

fn thousandths(size: Size) -> i64 {
    let mut size = size.decimal();
    size.rescale(3);
    i64::try_from(size.mantissa()).unwrap()
}

/// The bar that forms, as the model says it.
fn bar(topic: &Topic, interval: Interval) -> Option<String> {
    let events = topic.bars(interval, &BarSpan::ALL, 1).events;
    let Body::Bar(bar) = &events.last()?.body else { panic!("not a bar") };
    let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(cents);
    let (start, volume, count) = (bar.start.0, thousandths(bar.volume), bar.trades);
    let vwap = bar.vwap.map(|vwap| vwap.decimal());
    (!bar.is_final).then(|| format!("{start} {open} {high} {low} {close} {volume} {vwap:?} {count}"))
}

fn ticker(topic: &Topic) -> Option<String> {
    let event = topic.last(Channel::Ticker)?;
    let Body::Ticker(ticker) = &event.body else { panic!("not a ticker") };
    let [last, open, high, low] = [ticker.last, ticker.open, ticker.high, ticker.low].map(|it| it.map(cents));
    let (volume, count) = (thousandths(ticker.volume), ticker.trades);
    Some(format!("{last:?} {open:?} {high:?} {low:?} {volume} {count}"))
}

#[derive(Debug, Clone)]
enum Step {
    /// After that number of microseconds, or before.
    Trade(i64, Made),
    /// Of the trade that far before the newest.
    Bust(u64),
    Correct(u64, Made),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let marks = prop_oneof![
        6 => Just(Marks::NONE),
        1 => Just(Marks::VOLUME_ONLY),
        1 => Just(Marks::NOT_LAST),
        1 => Just(Marks::NOT_VOLUME),
        1 => Just(Marks::NOT_HIGH_LOW),
        1 => Just(Marks::NOTHING),
    ];
    let made =
        (1_i64..40, 0_i64..3_000, marks).prop_map(|(price, size, marks)| Made { at: 0, price, size, marks });
    let pause = prop_oneof![8 => -400_000_i64..900_000, 2 => 0..20 * SECOND, 1 => 0..9 * 3_600 * SECOND];
    let step = prop_oneof![
        5 => (pause, made.clone()).prop_map(|(pause, made)| Step::Trade(pause, made)),
        3 => (0_u64..40).prop_map(Step::Bust),
        1 => (0_u64..40, made).prop_map(|(back, made)| Step::Correct(back, made)),
    ];
    proptest::collection::vec(step, 1..140)
}

/// Plays the steps with a ring of that many trades, and corrections of trades that are at most `reach` old. Hands every
/// state to `check`.
fn play(ring: usize, reach: u64, steps: &[Step], mut check: impl FnMut(&Hub, &Topic, &Model)) {
    let config = HubConfig { trades_per_symbol: ring, ..HubConfig::default() };
    let hub = hub(config);
    let topic = topic(&hub);
    let (mut model, mut n, mut at) = (Model::new(), 0, 20_000 * 86_400 * SECOND);
    let mut made_of: BTreeMap<u64, Made> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Trade(pause, made) => {
                at += pause;
                n += 1;
                let made = Made { at, ..*made };
                hub.publish(source(), [print(n, made)]);
                model.add(n, made);
                made_of.insert(n, made);
            }
            Step::Bust(back) | Step::Correct(back, _) => {
                let Some(id) = n.checked_sub(back % (reach + 1)).filter(|id| made_of.contains_key(id)) else {
                    continue;
                };
                let instead = if let Step::Correct(_, instead) = step { Some(*instead) } else { None };
                // A print that counted for nothing and does now was nowhere: that is told as inexact.
                if instead.is_some() && made_of[&id].marks.has(Marks::NOTHING) {
                    continue;
                }
                match instead {
                    None => hub.publish(source(), [bust(id)]),
                    Some(Made { price: cents, size: thousandths, marks, .. }) => {
                        let (price, size) = (price(cents), size(thousandths));
                        hub.publish(
                            source(),
                            [correction(id, Change::Corrected { price, size, marks, id: None })],
                        );
                    }
                }
                if instead.is_none() {
                    made_of.remove(&id);
                } else if let Some(instead) = instead {
                    let at = made_of[&id].at;
                    made_of.insert(id, Made { at, ..instead });
                    if instead.marks.has(Marks::NOTHING) {
                        model.change(id, None);
                        check(&hub, &topic, &model);
                        continue;
                    }
                }
                model.change(id, instead);
            }
        }
        check(&hub, &topic, &model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_with_busts_comes_to_what_it_is_without_the_busted_trades(steps in steps(), ring in 2_usize..60) {
        // Trades younger than the older copy: half of the ring at least.
        let reach = ring as u64 / 2 - 1;
        let mut failure = None;
        play(ring, reach, &steps, |hub, topic, model| {
            for interval in Interval::ALL {
                let (is, should) = (bar(topic, interval), model.bar(interval));
                if is != should && failure.is_none() {
                    failure = Some(format!("{}: {is:?}, not {should:?}", interval.as_str()));
                }
                if uncorrected(hub, Channel::Bars(interval).as_str(), "inexact") > 0 {
                    failure = Some(format!("{} is not exact", interval.as_str()));
                }
            }
            let (is, should) = (ticker(topic), model.ticker());
            if is.as_ref().is_some_and(|is| *is != should) && failure.is_none() {
                failure = Some(format!("ticker: {is:?}, not {should:?}"));
            }
            if uncorrected(hub, "ticker", "inexact") > 0 {
                failure = Some("the ticker is not exact".into());
            }
        });
        prop_assert_eq!(failure, None);
    }

    #[test]
    fn where_what_is_needed_is_forgotten_sums_are_right_and_the_rest_is_counted(steps in steps(), ring in 2_usize..20) {
        let mut failure = None;
        play(ring, ring as u64 - 1, &steps, |hub, topic, model| {
            let (is, should) = (ticker(topic), model.ticker());
            let sums = |text: &str| text.rsplit(' ').take(2).collect::<Vec<_>>().join(" ");
            if let Some(is) = is
                && (sums(&is) != sums(&should) || is != should && uncorrected(hub, "ticker", "inexact") == 0)
                && failure.is_none()
            {
                failure = Some(format!("ticker: {is}, not {should}"));
            }
            let day = Interval::Day;
            if let (Some(is), Some(should)) = (bar(topic, day), model.bar(day))
                && is != should
                && uncorrected(hub, "bars.1d", "inexact") == 0
                && failure.is_none()
            {
                failure = Some(format!("{is}, not {should}"));
            }
        });
        prop_assert_eq!(failure, None);
    }
}

#[test]
fn the_only_trade_is_taken_back_exactly_when_the_window_before_it_was_empty() {
    let hub = hub(HubConfig { trades_per_symbol: 2, ..HubConfig::default() });
    let topic = topic(&hub);
    let for_nothing = Made { marks: Marks::NOTHING, ..plain(2, 5) };
    hub.publish(source(), [print(1, plain(1, 100)), bust(1), print(2, for_nothing), print(3, plain(3, 101))]);
    hub.publish(source(), [bust(3)]);
    assert_eq!(ticker(&topic).as_deref(), Some("None None None None 0 0"));
    assert_eq!(uncorrected(&hub, "ticker", "inexact"), 0);
}

#[test]
fn a_busted_print_leaves_ticker_and_open_bars_and_is_told_before_them() {
    let hub = hub(HubConfig { intervals: [Interval::Minute].into_iter().collect(), ..HubConfig::default() });
    let topic = topic(&hub);
    let minutes = Channel::Bars(Interval::Minute);
    let lane = hub.open_lane().unwrap();
    for channel in [Channel::Corrections, Channel::Ticker, minutes] {
        assert_eq!(topic.join(lane.index(), channel).0, 0);
    }
    hub.publish(source(), [print(1, plain(1, 100)), print(2, plain(2, 9_900)), print(3, plain(3, 101))]);
    let mut events = VecDeque::new();
    lane.drain(&mut events);
    events.clear();
    hub.publish(source(), [bust(2)]);
    lane.drain(&mut events);
    let all: Vec<_> = events.iter().map(|event| told(event)).collect();
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(
        all[0],
        r#"{"T":"c","S":"S0","n":1,"of":2,"id":"2","why":"busted","p":"99.00","s":"1.000","x":"test","tr":9}"#
    );
    assert!(all[1].contains(r#""high":"1.01","low":"1.00","vol":"2.000""#), "{}", all[1]);
    assert!(all[2].contains(r#""o":"1.00","h":"1.01","l":"1.00","c":"1.01","v":"2.000""#), "{}", all[2]);
    let page = topic.trades(None, 9).events;
    assert_eq!(
        page.iter().map(|trade| told(trade).contains(r#""busted":true"#)).collect::<Vec<_>>(),
        [false, true, false]
    );
    assert_eq!(page.iter().map(|trade| trade.n).collect::<Vec<_>>(), [1, 2, 3]);
    // Once is enough: connections to a venue overlap.
    hub.publish(source(), [bust(2)]);
    assert_eq!((lane.len(), topic.since(Channel::Corrections, 0).events.len()), (0, 1));
    assert!(
        told(&topic.since(Channel::Trades, 1).events[0]).contains("busted"),
        "whoever comes back reads it"
    );
}

#[test]
fn a_busted_print_that_is_the_newest_is_no_last_price_in_a_snapshot() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    hub.publish(source(), [print(1, plain(1, 100)), print(2, plain(2, 9_900)), bust(2)]);
    assert!(told(&topic.last(Channel::Trades).unwrap()).contains(r#""busted":true"#));
    assert!(told(&topic.last(Channel::Ticker).unwrap()).contains(r#""last":"1.00""#));
}

#[test]
fn a_final_bar_stays_as_it_is_and_that_is_counted() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    hub.publish(
        source(),
        [print(1, plain(1, 100)), print(2, plain(2, 9_900)), print(3, plain(2 * SECOND, 101))],
    );
    let before = told(&topic.bars(Interval::Second, &BarSpan::ALL, 9).events[0]);
    hub.publish(source(), [bust(2)]);
    assert_eq!(told(&topic.bars(Interval::Second, &BarSpan::ALL, 9).events[0]), before);
    assert_eq!((uncorrected(&hub, "bars.1s", "final"), uncorrected(&hub, "bars.1m", "final")), (1, 0));
    assert!(told(&topic.last(Channel::Bars(Interval::Minute)).unwrap()).contains(r#""h":"1.01""#));
    assert!(told(&topic.last(Channel::Ticker).unwrap()).contains(r#""high":"1.01""#));
}

#[test]
fn a_bar_of_which_nothing_is_left_is_void_and_never_final() {
    let hub = hub(HubConfig { intervals: [Interval::Second].into_iter().collect(), ..HubConfig::default() });
    let topic = topic(&hub);
    let lane = hub.open_lane().unwrap();
    let _ = topic.join(lane.index(), SECONDS);
    hub.publish(source(), [print(1, plain(1, 100)), bust(1)]);
    let mut events = VecDeque::new();
    lane.drain(&mut events);
    let all: Vec<_> = events.iter().map(|event| told(event)).collect();
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[1].contains(r#""n":2,"#) && all[1].ends_with(r#""final":false,"void":true}"#), "{}", all[1]);
    assert!(topic.bars(Interval::Second, &BarSpan::ALL, 9).events.is_empty(), "history has no such bar");
    hub.tick_clock(UnixMicros(9 * SECOND));
    assert_eq!(lane.len(), 0, "an interval without trades has no bar");
    hub.publish(source(), [print(2, plain(20 * SECOND, 100))]);
    assert_eq!(lane.len(), 1);
}

#[test]
fn a_correction_of_a_forgotten_trade_is_told_without_its_number() {
    let hub = hub(HubConfig { trades_per_symbol: 2, ..HubConfig::default() });
    let topic = topic(&hub);
    hub.publish(source(), (1..=4).map(|id| print(id, plain(1, 100))));
    hub.publish(source(), [bust(1)]);
    let correction = told(&topic.last(Channel::Corrections).unwrap());
    assert_eq!(correction, r#"{"T":"c","S":"S0","n":1,"id":"1","why":"busted","x":"test","tr":9}"#);
    assert_eq!((uncorrected(&hub, "ticker", "forgotten"), uncorrected(&hub, "bars.1d", "forgotten")), (1, 1));
    assert!(told(&topic.last(Channel::Ticker).unwrap()).contains(r#""vol":"4.000""#));
}

#[test]
fn a_corrected_trade_has_its_new_values_and_its_new_name() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    let corrected = |id, new| {
        let change = Change::Corrected {
            price: price(110),
            size: size(2_000),
            marks: Marks::NONE,
            id: Some(TradeId::Number(new)),
        };
        correction(id, change)
    };
    hub.publish(
        source(),
        [print(1, plain(1, 100)), print(2, plain(2, 9_900)), corrected(2, 7), corrected(2, 7)],
    );
    assert_eq!(topic.since(Channel::Corrections, 0).events.len(), 1, "and is not told twice");
    assert_eq!(
        told(&topic.last(Channel::Trades).unwrap()),
        r#"{"T":"t","S":"S0","n":2,"p":"1.10","s":"2.000","id":"7","x":"test","te":2,"tr":2,"corrected":true}"#
    );
    assert!(
        told(&topic.last(Channel::Ticker).unwrap()).contains(r#""last":"1.10","open":"1.00","high":"1.10""#)
    );
    hub.publish(source(), [bust(7)]);
    let ticker = told(&topic.last(Channel::Ticker).unwrap());
    assert!(
        ticker.contains(r#""last":"1.00","open":"1.00","high":"1.00""#)
            && ticker.contains(r#""vol":"1.000""#),
        "{ticker}"
    );
}

#[test]
fn more_corrections_than_are_remembered_are_a_gap_and_no_silence() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    let count = CORRECTIONS_PER_SYMBOL as u64 + 3;
    hub.publish(source(), (1..=count).map(|id| print(id, plain(1, 100))));
    hub.publish(source(), (1..=count).map(bust));
    let remembered = topic.since(Channel::Corrections, 0);
    assert_eq!((remembered.forgotten, remembered.events.len()), (3, CORRECTIONS_PER_SYMBOL));
    assert!(told(&topic.last(Channel::Ticker).unwrap()).contains(r#""vol":"0.000","trades":0"#));
}

#[test]
fn the_same_name_at_another_place_is_another_trade() {
    let hub = hub(HubConfig::default());
    let topic = topic(&hub);
    hub.publish(source(), [print(1, plain(1, 100))]);
    let Tick::Correction(mut elsewhere) = bust(1) else { unreachable!() };
    elsewhere.source = Source::new("Q").unwrap();
    hub.publish(source(), [Tick::Correction(elsewhere)]);
    assert!(!told(&topic.last(Channel::Trades).unwrap()).contains("busted"));
    assert!(!told(&topic.last(Channel::Corrections).unwrap()).contains("\"of\""));
}
