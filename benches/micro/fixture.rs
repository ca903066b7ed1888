//! A hub with symbols, and a shard whose clients' sockets take everything and keep nothing.

use std::{cell::Cell, rc::Rc, sync::Arc};

use tickcast::{
    clock::{Clock, Instant},
    dialect::Encoding,
    hub::{Hub, HubConfig},
    market::{Level, Quote, Source, Symbol, Tick, UnixMicros},
    metrics::Metrics,
    session::{ConnectionLimits, SessionConfig, SessionKey, Shard, Transport, WriteMode},
};

/// A socket.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) full: Cell<bool>,
    pub(crate) bytes: Cell<usize>,
    pub(crate) writes: Cell<usize>,
}

impl Transport for Sink {
    fn write_mode(&self) -> WriteMode {
        if self.full.get() { WriteMode::Full } else { WriteMode::Open }
    }

    fn write(&self, frames: &[u8]) {
        self.bytes.set(self.bytes.get() + frames.len());
        self.writes.set(self.writes.get() + 1);
    }

    fn wake(&self) {}

    fn resume(&self) {}

    fn blocked_since(&self) -> Option<Instant> {
        None
    }

    fn cut(&self) {}
}

/// A hub and one shard.
pub(crate) struct Fixture {
    pub(crate) hub: Arc<Hub>,
    pub(crate) shard: Shard,
    pub(crate) sink: Rc<Sink>,
    pub(crate) clients: Vec<SessionKey>,
    symbols: usize,
    next: usize,
}

pub(crate) fn source() -> Source {
    Source::new("load").expect("a source")
}

pub(crate) fn symbol(i: usize) -> Symbol {
    Symbol::new(&format!("SYM{i:05}")).expect("a symbol")
}

pub(crate) fn quote(i: usize) -> Tick {
    let level =
        |price: &str| Some(Level { price: price.parse().expect("a price"), size: "521".parse().ok() });
    Tick::Quote(Quote {
        symbol: symbol(i),
        bid: level("1123.25"),
        ask: level("1123.50"),
        source: source(),
        te: Some(UnixMicros(1_767_623_400_041_986)),
        tr: UnixMicros(1_767_623_400_042_000),
        is_snapshot: false,
    })
}

impl Fixture {
    /// `clients` with `each` of `symbols` quotes.
    pub(crate) fn new(symbols: usize, clients: usize, each: usize, mode: &str, encoding: Encoding) -> Self {
        let metrics = Arc::new(Metrics::new());
        let hub = Arc::new(Hub::new(HubConfig::default(), "e1".into(), Clock::system(), metrics));
        for i in 0..symbols {
            hub.declare(symbol(i), source()).expect("few symbols");
        }
        let shard = Shard::new(Arc::clone(&hub), "bench", SessionConfig::default()).expect("one shard");
        let mut fixture = Self { hub, shard, sink: Rc::default(), clients: Vec::new(), symbols, next: 0 };
        let connections = Arc::new(ConnectionLimits::new(clients, clients));
        for client in 0..clients {
            let now = Instant::now();
            let admission = connections.admit([127, 0, 0, 1].into());
            let key = fixture.shard.open(encoding, Rc::clone(&fixture.sink) as Rc<_>, admission, now);
            // Nothing is held back: each burst is a write.
            fixture.shard.set_flush(key, std::time::Duration::ZERO);
            let names: Vec<String> = (0..each)
                .map(|i| format!("SYM{:05}", (client * 7 + i * (symbols / each)) % symbols))
                .collect();
            let command =
                serde_json::json!({"op": "subscribe", "channel": "quotes", "symbols": names, "mode": mode});
            let bytes = match encoding {
                Encoding::Json => serde_json::to_vec(&command).expect("a command"),
                Encoding::MsgPack => rmp_serde::to_vec_named(&command).expect("a command"),
            };
            fixture.shard.command(key, &bytes, now);
            fixture.clients.push(key);
        }
        fixture
    }

    /// Publishes `ticks` quotes, of one symbol after the other, and lets the shard hand them out.
    pub(crate) fn burst(&mut self, ticks: usize) {
        let (next, symbols) = (self.next, self.symbols);
        self.next += ticks;
        self.hub.publish(source(), (0..ticks).map(|i| quote((next + i) * 61 % symbols)));
        self.shard.drain_lane();
        while self.shard.fan_out() {}
    }
}
