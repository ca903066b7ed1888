//! A session in a dialect that is as unlike the native one as venues' are: nothing outside of the dialect's folder knows
//! of it.

use std::{rc::Rc, time::Duration};

use crate::session::test_client::{Bench, Fake, source};
use crate::{
    clock::{Clock, Instant},
    dialect::{Dialect, Encoding, toy},
    hub::{FeedTerms, Hub, HubConfig},
    market::{Channel, Loss, LossWhy, Print, Symbol, Tick, Trade, UnixMicros},
    metrics::Metrics,
    session::{CloseReason, Outgoing, Protocol, SessionConfig, SessionKey},
};

/// A text frame, or another one by its first byte.
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while let [first, len, rest @ ..] = bytes {
        let (payload, behind) = rest.split_at(usize::from(*len));
        frames.push(match first {
            0x81 => String::from_utf8(payload.to_vec()).unwrap(),
            0x88 => format!("close {}", u16::from_be_bytes([payload[0], payload[1]])),
            other => format!("{other:02x}"),
        });
        bytes = behind;
    }
    frames
}

struct Client {
    key: SessionKey,
    fake: Rc<Fake>,
}

impl Client {
    fn connect(bench: &mut Bench) -> Self {
        let fake = Rc::new(Fake::default());
        let admission = bench.connections.admit([127, 0, 0, 1].into());
        let toy = Protocol::new(Dialect::Toy, Encoding::Json);
        let key = bench.shard.open(toy, Rc::clone(&fake) as Rc<_>, admission, Instant::now());
        Self { key, fake }
    }

    fn send(&self, bench: &mut Bench, message: &str) {
        bench.shard.command(self.key, message.as_bytes(), Instant::now());
        while bench.shard.work() {}
    }

    fn take(&self, bench: &mut Bench) -> Vec<String> {
        let mut all = Vec::new();
        while let Outgoing::Frames(bytes) = bench.shard.outgoing(self.key, Instant::now()) {
            all.extend(frames(&bytes));
        }
        all
    }
}

fn symbol(name: &str) -> Symbol {
    Symbol::new(name).unwrap()
}

fn trade(name: &str, price: &str) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol(name),
        price: price.parse().unwrap(),
        size: "2".parse().unwrap(),
        side: None,
        id: None,
        source: source(),
        te: None,
        tr: UnixMicros(1),
        print: Print::default(),
    })
}

fn loss(name: &str) -> Tick {
    Tick::Loss(Loss { symbol: symbol(name), channel: Channel::Trades, why: LossWhy::Reconnect, events: None })
}

fn bench(session: SessionConfig) -> Bench {
    let bench = Bench::new(HubConfig::default(), session);
    for name in ["BTC-USD", "ETH-USD"] {
        bench.hub.declare(symbol(name), source()).unwrap();
    }
    bench
}

fn publish(bench: &mut Bench, ticks: impl IntoIterator<Item = Tick>) {
    bench.hub.publish(source(), ticks);
    bench.settle();
}

#[tokio::test(start_paused = true)]
async fn one_message_subscribes_two_symbols_in_two_forms_and_each_message_is_a_frame() {
    let mut bench = bench(SessionConfig::default());
    let client = Client::connect(&mut bench);
    assert_eq!(client.take(&mut bench), ["hello"]);
    client.send(&mut bench, "+full BTCUSD,ETHUSD;+brief BTCUSD,DOGEUSD;-brief ETHUSD");
    assert_eq!(
        client.take(&mut bench),
        [
            "on full BTCUSD",
            "on full ETHUSD",
            "on brief BTCUSD",
            "no DOGEUSD: unknown symbol",
            "no ETHUSD: not subscribed"
        ]
    );
    publish(&mut bench, [trade("BTC-USD", "1.50"), trade("ETH-USD", "7")]);
    assert_eq!(client.take(&mut bench), ["F BTCUSD 1 1.50 2", "b BTCUSD 1.50", "F ETHUSD 1 7 2"]);
    client.send(&mut bench, "-full BTCUSD");
    assert_eq!(client.take(&mut bench), ["off full BTCUSD"]);
    publish(&mut bench, [trade("BTC-USD", "1.60")]);
    assert_eq!(client.take(&mut bench), ["b BTCUSD 1.60"], "the other form stays");
    client.send(&mut bench, "nonsense");
    assert_eq!(client.take(&mut bench), ["error nonsense"]);
    bench.shard.leave(client.key, Instant::now());
    assert!(bench.shard.topics.behind(0).is_none(), "nothing is left of it");
}

#[tokio::test(start_paused = true)]
async fn other_forms_of_the_same_event_are_written_once_and_beside_the_native_one() {
    let mut bench = bench(SessionConfig::default());
    let mut native = bench.connect();
    native.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["BTC-USD"]}"#);
    let clients = [Client::connect(&mut bench), Client::connect(&mut bench)];
    for client in &clients {
        client.send(&mut bench, "+full BTCUSD");
        client.take(&mut bench);
    }
    publish(&mut bench, [trade("BTC-USD", "1.50")]);
    native.take_all(&mut bench);
    assert_eq!((native.events, native.last("t")["p"].as_str()), (1, Some("1.50")));
    for client in &clients {
        assert_eq!(client.take(&mut bench), ["F BTCUSD 1 1.50 2"]);
    }
    let topic = bench.hub.topic(symbol("BTC-USD")).unwrap();
    let event = topic.since(Channel::Trades, 0).events.pop().unwrap();
    let again = || event.written(toy::FULL, symbol("BTCUSD")).unwrap();
    assert!(std::sync::Arc::ptr_eq(&again(), &again()), "written once");
}

#[tokio::test(start_paused = true)]
async fn a_merge_gets_the_newest_in_its_form_and_a_slow_stream_a_gap_in_its_words() {
    let mut bench = bench(SessionConfig { stream_bytes: 100, ..SessionConfig::default() });
    let client = Client::connect(&mut bench);
    client.send(&mut bench, "+brief~ BTCUSD;+full ETHUSD");
    client.take(&mut bench);
    publish(&mut bench, (0..3).map(|i| trade("BTC-USD", &i.to_string())));
    publish(&mut bench, (0..10).map(|i| trade("ETH-USD", &i.to_string())));
    let got = client.take(&mut bench);
    assert_eq!(got[0], "lost full ETHUSD 1-5", "{got:?}");
    assert_eq!(got.iter().filter(|frame| frame.starts_with("b ")).collect::<Vec<_>>(), ["b BTCUSD 2"]);
    assert_eq!(got.iter().filter(|frame| frame.starts_with("F ")).count(), 5, "{got:?}");
    publish(&mut bench, [loss("ETH-USD")]);
    assert_eq!(client.take(&mut bench), ["lost full ETHUSD 11-11"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_dialect_has_no_word_for_is_never_skipped_in_silence() {
    for is_slow in [false, true] {
        let mut bench = bench(SessionConfig { stream_bytes: 60, ..SessionConfig::default() });
        let client = Client::connect(&mut bench);
        client.send(&mut bench, "+mute BTCUSD");
        assert_eq!(client.take(&mut bench), ["hello", "on mute BTCUSD"]);
        if is_slow {
            publish(&mut bench, (0..20).map(|_| trade("BTC-USD", "1")));
        } else {
            publish(&mut bench, [loss("BTC-USD"), trade("BTC-USD", "1")]);
        }
        assert_eq!(client.take(&mut bench), [""; 0], "nothing behind the loss, slow: {is_slow}");
        assert_eq!(bench.shard.closing(client.key), Some(CloseReason::Slow));
        assert!(client.fake.woken.get(), "the driver comes back for the end");
        assert_eq!(client.take(&mut bench), ["bye 4103", "close 4103"]);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_evicted_and_drained_as_any_other() {
    let mut bench = bench(SessionConfig::default());
    let (slow, other) = (Client::connect(&mut bench), Client::connect(&mut bench));
    for client in [&slow, &other] {
        client.send(&mut bench, "+full BTCUSD");
        client.take(&mut bench);
    }
    slow.fake.blocked.set(Some(Instant::now()));
    for _ in 0..30 {
        tokio::time::advance(Duration::from_secs(1)).await;
        bench.shard.heard(slow.key, Instant::now());
        bench.shard.heard(other.key, Instant::now());
        bench.shard.sweep();
    }
    assert_eq!(bench.shard.closing(slow.key), Some(CloseReason::Slow));
    assert_eq!(goodbye(&slow.take(&mut bench)), ["bye 4103", "close 4103"]);
    bench.shard.close(other.key, CloseReason::Draining, Instant::now());
    assert_eq!(goodbye(&other.take(&mut bench)), ["bye 4201", "close 4201"]);
}

/// Without pings.
fn goodbye(said: &[String]) -> Vec<&str> {
    said.iter().map(String::as_str).filter(|frame| *frame != "89").collect()
}

const IDLE: Duration = Duration::from_secs(1);

/// A bench whose symbols are removed when they get no tick for a second.
fn expiring() -> Bench {
    let clock = Clock::manual(UnixMicros(1));
    let hub = Hub::new(HubConfig::default(), "e1".into(), clock, Metrics::new().into());
    hub.enlist(source(), FeedTerms { expires: Some(IDLE), ..FeedTerms::default() });
    Bench::over(hub.into(), SessionConfig::default())
}

/// The second is over for all symbols that get no tick after the first half of it.
fn expire(bench: &mut Bench, keeps: &[Tick]) {
    while bench.hub.expire() {}
    bench.hub.clock().pass(600_000);
    publish(bench, keeps.iter().cloned());
    bench.hub.clock().pass(600_000);
    while bench.hub.expire() {}
    bench.settle();
}

#[test]
fn a_removed_symbol_is_unknown_and_makes_no_name_ambiguous() {
    let mut bench = expiring();
    let client = Client::connect(&mut bench);
    client.take(&mut bench);
    let kept = [trade("BTC-USD", "1.50")];
    publish(&mut bench, [trade("BTC-USD", "1.50"), trade("BT-CUSD", "1"), trade("ETH-USD", "7")]);
    client.send(&mut bench, "+full BTCUSD,ETHUSD");
    let told = client.take(&mut bench);
    assert!(told.iter().any(|it| it.starts_with("no BTCUSD: ambiguous")), "{told:?}");
    expire(&mut bench, &kept);
    assert_eq!(bench.hub.topic_count(), 1);
    client.take(&mut bench);
    client.send(&mut bench, "+full BTCUSD,ETHUSD");
    let told = client.take(&mut bench);
    assert!(told.contains(&"on full BTCUSD".into()), "{told:?}");
    assert!(told.contains(&"no ETHUSD: unknown symbol".into()), "{told:?}");
}

#[test]
fn symbols_that_come_and_go_leave_nothing_in_the_index_for_long() {
    let mut bench = expiring();
    let client = Client::connect(&mut bench);
    let kept = [trade("BTC-USD", "1.50")];
    for round in 0..12 {
        publish(&mut bench, (0..200).map(|i| trade(&format!("S-{round}-{i}"), "1")).chain(kept.clone()));
        client.send(&mut bench, "+full BTCUSD");
        expire(&mut bench, &kept);
        assert_eq!(bench.hub.topic_count(), 1);
        client.send(&mut bench, "-full BTCUSD");
        client.take(&mut bench);
        let known = bench.shard.symbols.len();
        assert!(known < 600, "{known} of {} that ever were", 200 * (round + 1));
    }
}
