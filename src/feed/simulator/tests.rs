use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{instrument::Happening, *};
use crate::{
    clock::Clock,
    hub::{Body, Hub, HubConfig},
    limits::{SIMULATOR_COARSE_STEP, SIMULATOR_FINE_STEP, SIMULATOR_LAG},
    market::{Channel, Symbol, Tick, UnixMicros},
    metrics::Metrics,
};

fn definition(text: &str) -> Definition {
    toml::from_str(text).unwrap()
}

fn market(seed: u64) -> Generator {
    let text = format!(
        "seed = {seed}\nrate = 1000\ntrades_share = 0.25\n\
         [[symbol]]\nsymbol = \"A\"\nprice = \"100.00\"\ntick = \"0.05\"\nspread = 3\nvolatility = 5000\nweight = 3\n\
         [[symbol]]\nsymbol = \"B\"\nprice = \"0.00010\"\ntick = \"0.00001\"\nvolatility = 10000\nlot = \"0.001\"\n"
    );
    definition(&text).build(Path::new(".")).unwrap().into_generator().unwrap()
}

#[test]
fn the_same_seed_makes_the_same_market_and_another_another() {
    let take = |seed| {
        let mut market = market(seed);
        (0..2_000).map(|_| market.arrival()).collect::<Vec<_>>()
    };
    assert_eq!(take(7), take(7));
    assert_ne!(take(7), take(8));
}

#[test]
fn arrivals_are_poisson_by_weight() {
    let mut market = market(1);
    let arrivals: Vec<_> = (0..40_000).map(|_| market.arrival()).collect();
    let seconds = arrivals.last().unwrap().at.as_secs();
    assert!((38..=42).contains(&seconds), "40,000 ticks at 1,000 a second took {seconds} s");
    let of_a = arrivals.iter().filter(|arrival| arrival.instrument == 0).count();
    assert!((29_500..=30_500).contains(&of_a), "three quarters of the weight: {of_a}");
    let trades = arrivals.iter().filter(|arrival| matches!(arrival.what, Happening::Trade { .. })).count();
    assert!((9_500..=10_500).contains(&trades), "a quarter are trades: {trades}");
    // Of an exponential distribution, the part 1 - 1/e is under the mean.
    let under = arrivals.windows(2).filter(|pair| pair[1].at - pair[0].at < Duration::from_millis(1)).count();
    assert!((24_800..=25_800).contains(&under), "{under}");
}

/// Any change here means that a seed no longer makes the market that it made: recordings must be made anew.
#[test]
fn a_seed_makes_the_same_market_on_every_machine() {
    let mut market = market(7);
    let source = Source::new("sim").unwrap();
    let line = |arrival: Arrival, tick: Tick| match tick {
        Tick::Trade(t) => {
            format!("{} {} {} {} {:?}", arrival.at.as_nanos(), t.symbol, t.price, t.size, t.side)
        }
        Tick::Quote(q) => format!("{} {} {:?} {:?}", arrival.at.as_nanos(), q.symbol, q.bid, q.ask),
        Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => {
            panic!("a simulator has trades and quotes only")
        }
    };
    let mut lines = Vec::new();
    for _ in 0..20_000 {
        let arrival = market.arrival();
        lines.push(line(arrival, market.tick(&arrival, source, UnixMicros(1), UnixMicros(1))));
    }
    assert_eq!(lines[0], "171733 A 100.10 92 Some(Buy)");
    assert_eq!(lines[19_999], "19887315955 A 99.55 62 Some(Buy)");
    // FNV-1a over the whole text.
    let sum = lines
        .join("\n")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    assert_eq!(sum, 0x78a9_cf56_86fc_8ccc, "{sum:#x}");
}

#[test]
fn spreads_and_sizes_have_the_stated_means() {
    for (spread, size) in [(1.0, 1.0), (1.5, 2.0), (2.0, 100.0), (8.0, 12.0)] {
        let text = format!(
            "seed = 1\nrate = 1000\ntrades_share = 0\n[[symbol]]\nsymbol = \"A\"\nprice = \"100.00\"\n\
             tick = \"0.01\"\nspread = {spread}\nsize = {size}\n"
        );
        let mut market = definition(&text).build(Path::new(".")).unwrap().into_generator().unwrap();
        let (mut spreads, mut sizes) = (0, 0);
        for _ in 0..100_000 {
            let Happening::Quote { bid, bid_size, ask, .. } = market.arrival().what else {
                panic!("a quote")
            };
            (spreads, sizes) = (spreads + ask - bid, sizes + bid_size);
        }
        let mean = |sum: i64| f64::from(i32::try_from(sum).unwrap()) / 100_000.0;
        assert!((mean(spreads) - spread).abs() < spread * 0.02, "{spread}: {}", mean(spreads));
        assert!((mean(sizes) - size).abs() < size * 0.02, "{size}: {}", mean(sizes));
    }
}

#[test]
fn prices_move_as_volatile_as_stated() {
    // The square root of the 31,536,000 s of a year is 5615.7: one percent in one second.
    let text = "seed = 9\nrate = 1\ntrades_share = 0\n[[symbol]]\nsymbol = \"A\"\nprice = \"1000000.00\"\n\
                tick = \"0.01\"\nspread = 1\nvolatility = 5615.7\n";
    let mut market = definition(text).build(Path::new(".")).unwrap().into_generator().unwrap();
    let (mut last, mut squares, mut seconds) = (100_000_000, 0.0, 0.0);
    for _ in 0..20_000 {
        let arrival = market.arrival();
        let Happening::Quote { bid, .. } = arrival.what else { panic!("a quote") };
        let change = (f64::from(i32::try_from(bid).unwrap()) / f64::from(last)).ln();
        squares += change * change;
        seconds = arrival.at.as_secs_f64();
        last = i32::try_from(bid).unwrap();
        if last < 100_000 {
            break;
        }
    }
    let found = (squares / seconds).sqrt();
    assert!((found - 0.01).abs() < 0.000_3, "one percent over a square root of a second: {found}");
}

#[test]
fn a_market_of_trades_alone_moves_too() {
    let text = "seed = 1\nrate = 1000\ntrades_share = 1\nsynthetic = { count = 1 }";
    let mut market = definition(text).build(Path::new(".")).unwrap().into_generator().unwrap();
    let mut prices = std::collections::HashSet::new();
    for _ in 0..50_000 {
        let Happening::Trade { price, .. } = market.arrival().what else { panic!("a trade") };
        prices.insert(price);
    }
    assert!(prices.len() > 5, "{prices:?}");
}

#[test]
fn prices_stay_on_the_grid_with_their_scale() {
    let mut market = market(3);
    let mut moved = std::collections::HashSet::new();
    let mut ids = HashMap::new();
    for _ in 0..20_000 {
        let arrival = market.arrival();
        let source = Source::new("sim").unwrap();
        match market.tick(&arrival, source, UnixMicros(1), UnixMicros(1)) {
            Tick::Quote(quote) => {
                let (bid, ask) = (quote.bid.unwrap().price, quote.ask.unwrap().price);
                assert!(
                    bid < ask && bid.decimal().is_sign_positive() && !bid.decimal().is_zero(),
                    "{bid} {ask}"
                );
                let grid = if arrival.instrument == 0 { "0.05" } else { "0.00001" };
                let grid: rust_decimal::Decimal = grid.parse().unwrap();
                assert!((bid.decimal() % grid).is_zero() && (ask.decimal() % grid).is_zero(), "{bid} {ask}");
                assert_eq!(bid.decimal().scale(), grid.scale());
                moved.insert(bid.to_string());
            }
            Tick::Trade(trade) => {
                let next: &mut u64 = ids.entry(trade.symbol).or_insert(1);
                assert_eq!(trade.id, Some(crate::market::TradeId::Number(*next)));
                *next += 1;
                assert!(!trade.size.decimal().is_zero());
            }
            Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => {
                panic!("a simulator has trades and quotes only")
            }
        }
    }
    assert!(moved.len() > 10, "prices move");
}

fn publisher(clock: Clock) -> (Arc<Hub>, Publisher, CancellationToken) {
    let hub = Arc::new(Hub::new(HubConfig::default(), "e".into(), clock, Arc::new(Metrics::new())));
    let stop = CancellationToken::new();
    (Arc::clone(&hub), Publisher::new(Source::new("sim").unwrap(), hub, stop.clone()), stop)
}

fn count(hub: &Hub) -> u64 {
    let heads = |topic: &Arc<crate::hub::Topic>| {
        [Channel::Trades, Channel::Quotes]
            .map(|channel| topic.last(channel).map_or(0, |event| event.n))
            .iter()
            .sum::<u64>()
    };
    hub.all_topics().iter().map(heads).sum()
}

const START: i64 = 1_700_000_000_000_000;

/// A market that is driven by a clock that the test moves.
struct Driven<'a> {
    schedule: Schedule<'a>,
    out: &'a Publisher,
    clock: &'a Clock,
    now: Instant,
    releases: usize,
}

impl<'a> Driven<'a> {
    fn new(generator: &'a mut Generator, out: &'a Publisher, clock: &'a Clock) -> Self {
        let now = Instant::now();
        let schedule = Schedule::new(generator, out.name(), (now, clock.now()));
        Self { schedule, out, clock, now, releases: 0 }
    }

    /// Lets so much time pass on both clocks, and releases what is due at its time.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.schedule.due() <= end {
            let step = self.schedule.due() - self.now;
            self.jump(step);
            self.release();
        }
        self.jump(end - self.now);
    }

    /// The time between two looks.
    fn jump(&mut self, time: Duration) {
        self.now += time;
        let passed = i64::try_from(time.as_micros()).unwrap();
        self.clock.set(UnixMicros(self.clock.now().0 + passed));
    }

    fn release(&mut self) {
        self.schedule.release(self.now, self.clock.now(), self.out);
        self.releases += 1;
    }
}

fn generator(text: &str) -> Generator {
    definition(text).build(Path::new(".")).unwrap().into_generator().unwrap()
}

fn newest_quote(hub: &Hub, symbol: &str) -> crate::market::Quote {
    let event = hub.topic(Symbol::new(symbol).unwrap()).unwrap().last(Channel::Quotes).unwrap();
    let Body::Tick(Tick::Quote(quote)) = &event.body else { panic!("a quote") };
    quote.clone()
}

#[test]
fn ticks_come_at_their_rate_and_event_times_follow_a_clock_that_was_set() {
    let clock = Clock::manual(UnixMicros(START));
    let (hub, out, _stop) = publisher(clock.clone());
    let mut market = generator("seed = 5\nrate = 500\nsynthetic = { count = 10 }");
    out.declare(market.instruments().iter().map(|one| one.symbol)).unwrap();
    let mut driven = Driven::new(&mut market, &out, &clock);
    driven.pass(Duration::from_secs(20));
    let ticks = count(&hub);
    assert!((9_600..=10_400).contains(&ticks), "{ticks} in 20 s at 500 a second");
    assert_eq!(hub.topic_count(), 10);
    let fresh = |quote: crate::market::Quote| {
        let (te, now) = (quote.te.unwrap(), clock.now());
        assert!(te <= quote.tr && quote.tr <= now, "{quote:?} at {now:?}");
        assert!(now.0 - te.0 < 1_000_000, "a symbol ticks fifty times a second: {te:?} at {now:?}");
    };
    fresh(newest_quote(&hub, "SYM00003"));
    for hour in [3_600_000_000, -3_600_000_000] {
        clock.set(UnixMicros(clock.now().0 + hour));
        driven.pass(Duration::from_secs(2));
        fresh(newest_quote(&hub, "SYM00003"));
    }
}

#[test]
fn each_tick_is_released_at_its_time_and_no_more_often_than_the_step() {
    for (rate, step) in
        [(1_000, SIMULATOR_FINE_STEP), (100_000, SIMULATOR_FINE_STEP), (200_000, SIMULATOR_COARSE_STEP)]
    {
        let clock = Clock::manual(UnixMicros(START));
        let (hub, out, _stop) = publisher(clock.clone());
        let mut market = generator(&format!("seed = 5\nrate = {rate}\nsynthetic = {{ count = 1 }}"));
        out.declare(market.instruments().iter().map(|one| one.symbol)).unwrap();
        let mut driven = Driven::new(&mut market, &out, &clock);
        driven.pass(Duration::from_millis(500));
        let releases = driven.releases as u128;
        assert!(releases <= 500_000 / step.as_micros(), "{rate}: {releases}");
        assert!(releases >= 350, "{rate}: {releases}, alone at low rates");
        let quote = newest_quote(&hub, "SYM00000");
        let late = quote.tr.0 - quote.te.unwrap().0;
        assert!((0..=i64::try_from(step.as_micros()).unwrap()).contains(&late), "{rate}: {late} us late");
    }
}

#[test]
fn a_small_delay_is_caught_up_and_a_long_one_skipped() {
    for (sleep, least, most) in [(SIMULATOR_LAG / 2, 400, 700), (SIMULATOR_LAG * 20, 90, 250)] {
        let clock = Clock::manual(UnixMicros(START));
        let (hub, out, _stop) = publisher(clock.clone());
        let mut market = generator("seed = 5\nrate = 1000\nsynthetic = { count = 5 }");
        out.declare(market.instruments().iter().map(|one| one.symbol)).unwrap();
        let mut driven = Driven::new(&mut market, &out, &clock);
        driven.pass(Duration::from_millis(50));
        driven.jump(sleep);
        driven.release();
        driven.pass(Duration::from_millis(50));
        let ticks = count(&hub);
        assert!((least..=most).contains(&ticks), "{ticks} after {sleep:?}");
    }
}

#[tokio::test]
async fn the_feed_publishes_stops_at_once_and_goes_on_with_its_market_when_it_is_started_again() {
    let (hub, out, stop) = publisher(Clock::system());
    let mut feed =
        definition("seed = 5\nrate = 1000\nsynthetic = { count = 5 }").build(Path::new(".")).unwrap();
    let first = {
        let run = feed.run(&out);
        tokio::pin!(run);
        while count(&hub) < 20 {
            tokio::select! {
                end = &mut run => panic!("{end:?}"),
                () = tokio::time::sleep(Duration::from_millis(1)) => {}
            }
        }
        // The future is dropped half way: its thread ends.
        count(&hub)
    };
    let run = tokio::spawn(async move {
        let end = feed.run(&out).await;
        (feed, end)
    });
    while count(&hub) < first + 20 {
        assert!(!run.is_finished());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.cancel();
    let (feed, end) = run.await.unwrap();
    assert_eq!(end.unwrap(), End::Cancelled);
    assert!(feed.into_generator().is_some(), "no thread has it any more");
}

#[test]
fn bad_definitions_name_the_key() {
    let symbol = |key: &str, value: &str| {
        let mut keys = HashMap::from([("symbol", "\"A\""), ("price", "\"1.00\""), ("tick", "\"0.01\"")]);
        keys.insert(key, value);
        let keys: Vec<_> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!("[[symbol]]\n{}", keys.join("\n"))
    };
    for (text, key) in [
        (String::new(), "symbol"),
        ("rate = 0.5\nsynthetic = { count = 1 }".into(), "rate"),
        ("rate = 200001\nsynthetic = { count = 1 }".into(), "rate"),
        ("rate = nan\nsynthetic = { count = 1 }".into(), "rate"),
        ("trades_share = 1.5\nsynthetic = { count = 1 }".into(), "trades_share"),
        ("synthetic = { count = 0 }".into(), "synthetic.count"),
        ("synthetic = { count = 1, prefix = \"a b\" }".into(), "synthetic.prefix"),
        (symbol("price", "\"1.005\""), "symbol[0].price"),
        (symbol("price", "\"0\""), "symbol[0].price"),
        (symbol("tick", "\"-1\""), "symbol[0].tick"),
        (symbol("tick", "\"x\""), "symbol[0].tick"),
        (symbol("spread", "0.5"), "symbol[0].spread"),
        (symbol("volatility", "-1"), "symbol[0].volatility"),
        (symbol("weight", "0"), "symbol[0].weight"),
        (symbol("lot", "\"0\""), "symbol[0].lot"),
        (symbol("size", "0"), "symbol[0].size"),
        (format!("{}\n{}", symbol("weight", "1"), symbol("weight", "1")), "symbol[1].symbol"),
    ] {
        let error = definition(&text).build(Path::new(".")).unwrap_err();
        assert_eq!(error.key, key, "{text}: {error}");
    }
    assert!(toml::from_str::<Definition>("rte = 3").unwrap_err().to_string().contains("rte"));
}
