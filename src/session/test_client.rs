//! A client on a fake transport, and a shard to connect it to.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

use crate::{
    clock::{Clock, Instant},
    dialect::Encoding,
    hub::{Hub, HubConfig},
    market::{Channel, Level, Loss, LossWhy, Print, Quote, Source, Symbol, Tick, Trade, TradeId, UnixMicros},
    metrics::Metrics,
    session::{ConnectionLimits, Outgoing, SessionConfig, SessionKey, Shard, Transport},
};

/// A connection that does what a test says.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) woken: Cell<bool>,
    pub(crate) cut: Cell<bool>,
    pub(crate) blocked: Cell<Option<Instant>>,
}

impl Transport for Fake {
    fn wake(&self) {
        self.woken.set(true);
    }

    fn resume(&self) {}

    fn excuse(&self, late: Duration) {
        self.blocked.set(self.blocked.get().map(|since| since + late));
    }

    fn blocked_since(&self) -> Option<Instant> {
        self.blocked.get()
    }

    fn cut(&self) {
        self.cut.set(true);
    }
}

/// A hub, a shard, and the way to connect.
pub(crate) struct Bench {
    pub(crate) hub: Arc<Hub>,
    pub(crate) shard: Shard,
    pub(crate) connections: Arc<ConnectionLimits>,
}

impl Bench {
    pub(crate) fn new(hub: HubConfig, session: SessionConfig) -> Self {
        let metrics = Arc::new(Metrics::new());
        Self::over(Arc::new(Hub::new(hub, "e1".into(), Clock::system(), metrics)), session)
    }

    /// A shard of that hub.
    pub(crate) fn over(hub: Arc<Hub>, session: SessionConfig) -> Self {
        let shard = Shard::new(Arc::clone(&hub), "test", session).unwrap();
        Self { hub, shard, connections: Arc::new(ConnectionLimits::new(1_000, 1_000)) }
    }

    pub(crate) fn connect(&mut self) -> Client {
        let fake = Rc::new(Fake::default());
        let admission = self.connections.admit([127, 0, 0, 1].into());
        let key = self.shard.open(Encoding::Json, Rc::clone(&fake) as Rc<_>, admission, Instant::now());
        Client {
            key,
            fake,
            at: HashMap::new(),
            snapshots: HashSet::new(),
            log: Vec::new(),
            gaps: 0,
            events: 0,
            bars: HashMap::new(),
        }
    }

    /// Everything in the lane to the outboxes.
    pub(crate) fn settle(&mut self) {
        self.shard.drain_lane();
        while self.shard.fan_out() {}
        while self.shard.work() {}
    }

    pub(crate) fn metric(&self, line: &str) -> String {
        let text = String::from_utf8(self.hub.metrics().render().unwrap()).unwrap();
        let found =
            text.lines().find(|have| have.starts_with(line)).unwrap_or_else(|| panic!("{line} in {text}"));
        found.rsplit(' ').next().unwrap().to_owned()
    }
}

/// A position in one (symbol, channel).
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) n: u64,
    stream: bool,
    /// The next event may have any number: the numbering is another one.
    renumbered: bool,
}

/// What a client has had of the bars of one (symbol, channel) since it subscribed.
#[derive(Debug, Default)]
pub(crate) struct Bars {
    /// Where it started.
    pub(crate) from: u64,
    /// Start and whether final, of the newest.
    newest: Option<(i64, bool)>,
    /// Numbers of the final ones.
    pub(crate) finals: Vec<u64>,
    pub(crate) gaps: Vec<(u64, u64)>,
}

/// A client that checks what it gets.
pub(crate) struct Client {
    pub(crate) key: SessionKey,
    pub(crate) fake: Rc<Fake>,
    /// Where it stands in what it is subscribed to.
    pub(crate) at: HashMap<(String, &'static str), At>,
    snapshots: HashSet<(String, &'static str)>,
    pub(crate) log: Vec<Value>,
    pub(crate) gaps: u64,
    pub(crate) events: u64,
    pub(crate) bars: HashMap<(String, &'static str), Bars>,
}

impl Client {
    pub(crate) fn send(&self, bench: &mut Bench, command: &str) {
        bench.shard.command(self.key, command.as_bytes(), Instant::now());
        while bench.shard.work() {}
    }

    /// Takes one write's worth. Returns whether there was anything.
    pub(crate) fn take(&mut self, bench: &mut Bench) -> bool {
        match bench.shard.outgoing(self.key, Instant::now()) {
            Outgoing::Frames(bytes) => {
                self.read(&bytes);
                true
            }
            Outgoing::Nothing | Outgoing::Over => false,
        }
    }

    pub(crate) fn take_all(&mut self, bench: &mut Bench) {
        while self.take(bench) {}
    }

    fn read(&mut self, mut bytes: &[u8]) {
        while let [first, second, rest @ ..] = bytes {
            let (len, rest) = match second {
                126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
                127 => {
                    (usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(), &rest[8..])
                }
                len => (usize::from(*len), rest),
            };
            if *first == 0x81 {
                let messages: Vec<Value> = serde_json::from_slice(&rest[..len]).unwrap();
                assert!(!messages.is_empty());
                for message in messages {
                    self.check(&message);
                    self.log.push(message);
                }
                self.snapshots.clear();
            }
            bytes = &rest[len..];
        }
    }

    /// The numbering is another one.
    fn begin_anew(&mut self) {
        self.at.values_mut().for_each(|at| at.renumbered = true);
        self.bars.values_mut().for_each(|bars| *bars = Bars::default());
    }

    fn check(&mut self, message: &Value) {
        let symbol = message["S"].as_str().unwrap_or_default().to_owned();
        match message["T"].as_str().unwrap() {
            "subscribed" | "updated" => {
                let channel = channel(message["channel"].as_str().unwrap());
                for ok in message["ok"].as_array().unwrap() {
                    let key = (ok["S"].as_str().unwrap().to_owned(), channel);
                    let stream = ok["mode"] == "stream";
                    if message["T"] == "subscribed" && !self.at.contains_key(&key) {
                        self.snapshots.insert(key.clone());
                        let from = ok["n"].as_u64().unwrap();
                        self.bars.insert(key.clone(), Bars { from, ..Bars::default() });
                    }
                    self.at.insert(key, At { n: ok["n"].as_u64().unwrap(), stream, renumbered: false });
                }
            }
            "unsubscribed" => {
                let channel = channel(message["channel"].as_str().unwrap());
                for symbol in message["ok"].as_array().unwrap() {
                    self.at.remove(&(symbol.as_str().unwrap().to_owned(), channel)).expect("was subscribed");
                }
            }
            "resync" => self.begin_anew(),
            "gap" => {
                let key = (symbol, channel(message["channel"].as_str().unwrap()));
                let at = self.at.get_mut(&key).expect("a gap of something subscribed");
                let (from, to) = (message["from"].as_u64().unwrap(), message["to"].as_u64().unwrap());
                // Recovered events may have a feed's loss among them.
                let is_recovered = self.snapshots.contains(&key) && to <= at.n;
                if message["why"] != "not_recoverable" && !is_recovered {
                    if key.1.starts_with("bars.") && !at.stream {
                        assert!(from > at.n, "{message}");
                    } else {
                        assert!(at.stream, "only streams and bars have gaps: {message}");
                        assert_eq!(from, at.n + 1, "{message}");
                    }
                    assert!(to >= from, "{message}");
                    self.bars.get_mut(&key).unwrap().gaps.push((from, to));
                    at.n = to;
                }
                // What the feed never received is no fault here.
                self.gaps += u64::from(message["why"] != "upstream_reconnect");
            }
            kind @ ("t" | "q" | "status" | "k" | "b") => {
                let channel = match kind {
                    "t" => "trades",
                    "q" => "quotes",
                    "k" => "ticker",
                    "b" => channel(&format!("bars.{}", message["i"].as_str().unwrap())),
                    _ => "status",
                };
                let key = (symbol, channel);
                let n = message["n"].as_u64().unwrap();
                if kind == "b" {
                    self.bars.get_mut(&key).unwrap().take(message);
                }
                let at = self.at.get_mut(&key).unwrap_or_else(|| panic!("not subscribed: {message}"));
                self.events += 1;
                if self.snapshots.contains(&key) && n <= at.n {
                    return;
                }
                if std::mem::take(&mut at.renumbered) {
                    // The newest of the other numbering.
                } else if at.stream {
                    assert_eq!(n, at.n + 1, "no hole, no repeat, no reorder: {message}");
                } else {
                    assert!(n > at.n, "numbers rise: {message} at {}", at.n);
                }
                at.n = n;
            }
            _ => {}
        }
    }

    pub(crate) fn last(&self, kind: &str) -> &Value {
        self.log
            .iter()
            .rev()
            .find(|message| message["T"] == kind)
            .unwrap_or_else(|| panic!("{kind}: {:?}", self.log))
    }
}

impl Bars {
    fn take(&mut self, bar: &Value) {
        let (start, is_final) = (bar["t"].as_i64().unwrap(), bar["final"].as_bool().unwrap());
        let after = self.newest.is_none_or(|(t, was_final)| start > t || start == t && !was_final);
        assert!(after, "bars do not go back in time: {bar} after {:?}", self.newest);
        self.newest = Some((start, is_final));
        if is_final {
            self.finals.push(bar["n"].as_u64().unwrap());
        }
    }
}

fn channel(name: &str) -> &'static str {
    Channel::parse(name).unwrap().as_str()
}

pub(crate) fn source() -> Source {
    Source::new("test").unwrap()
}

pub(crate) fn symbol(i: usize) -> Symbol {
    Symbol::new(&format!("S{i}")).unwrap()
}

pub(crate) fn trade(i: usize, id: u64) -> Tick {
    trade_at(i, id, 1)
}

pub(crate) fn trade_at(i: usize, id: u64, at: i64) -> Tick {
    Tick::Trade(Trade {
        symbol: symbol(i),
        price: "1.50".parse().unwrap(),
        size: "2".parse().unwrap(),
        side: None,
        id: Some(TradeId::Number(id)),
        source: source(),
        te: None,
        tr: UnixMicros(at),
        print: Print::default(),
    })
}

pub(crate) fn loss(i: usize, channel: Channel) -> Tick {
    Tick::Loss(Loss { symbol: symbol(i), channel, why: LossWhy::Reconnect, events: None })
}

pub(crate) fn quote(i: usize) -> Tick {
    let level = Some(Level { price: "1.50".parse().unwrap(), size: None });
    Tick::Quote(Quote {
        symbol: symbol(i),
        bid: level,
        ask: level,
        source: source(),
        te: None,
        tr: UnixMicros(1),
        is_snapshot: false,
    })
}
