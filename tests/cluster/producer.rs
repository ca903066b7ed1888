//! Producers that publish to any node, and keep a record of what was confirmed.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{client::World, journal::Journal};

/// Longest that one body is tried for.
const TRIES: Duration = Duration::from_secs(60);

/// What one producer is to publish.
#[derive(Debug, Clone)]
pub(crate) struct Assignment {
    pub(crate) symbols: Vec<String>,
    pub(crate) bodies_per_second: f64,
    pub(crate) ticks_per_body: usize,
    pub(crate) seed: u64,
}

/// One producer of some symbols: one body at a time, so that its trades have an order.
#[derive(Debug)]
pub(crate) struct Producer {
    symbols: Vec<String>,
    /// Names of the trades that a node has confirmed, by symbol.
    confirmed: Mutex<Vec<Vec<u64>>>,
    pub(crate) published: AtomicU64,
    /// Until when it publishes nothing.
    paused: AtomicBool,
    is_idle: AtomicBool,
}

impl Producer {
    /// Starts one.
    pub(crate) fn start(order: Assignment, world: World, over: CancellationToken) -> Arc<Self> {
        let producer = Arc::new(Self {
            confirmed: Mutex::new(vec![Vec::new(); order.symbols.len()]),
            symbols: order.symbols.clone(),
            published: AtomicU64::new(0),
            paused: AtomicBool::new(false),
            is_idle: AtomicBool::new(false),
        });
        tokio::spawn(Arc::clone(&producer).run(order, world, over));
        producer
    }

    pub(crate) fn pause(&self, is: bool) {
        self.paused.store(is, Ordering::SeqCst);
    }

    /// Waits until nothing of it is under way.
    pub(crate) async fn idle(&self) {
        while !self.is_idle.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Compares its record with what clients have seen.
    pub(crate) fn account(&self, journal: &Journal) {
        for (symbol, sent) in self.symbols.iter().zip(&*self.confirmed.lock().unwrap()) {
            journal.account(symbol, sent);
        }
    }

    async fn run(self: Arc<Self>, order: Assignment, world: World, over: CancellationToken) {
        let mut random = ChaCha8Rng::seed_from_u64(order.seed);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(4)).build().unwrap();
        let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / order.bodies_per_second));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut serial, mut node) = (0_u64, random.random_range(0..world.nodes.len()));
        while !over.is_cancelled() {
            pace.tick().await;
            if self.paused.load(Ordering::SeqCst) {
                self.is_idle.store(true, Ordering::SeqCst);
                continue;
            }
            self.is_idle.store(false, Ordering::SeqCst);
            let (body, trades) = self.body(&order, &mut serial, &mut random);
            let key = format!("{:016x}-{serial}", order.seed);
            let begun = Instant::now();
            loop {
                let url = format!("http://{}/v1/publish?feed=desk", world.nodes[node]);
                let sent = http.post(url).header("Idempotency-Key", &key).body(body.clone()).send().await;
                match sent {
                    Ok(answer) if answer.status().as_u16() == 200 => {
                        self.confirm(&trades);
                        break;
                    }
                    // Nothing is said of what has become of it: the same body again, under the same key.
                    Ok(answer) if matches!(answer.status().as_u16(), 429 | 503) => {
                        world.journal.add("publishes to try again", 1);
                    }
                    Ok(answer) => {
                        let (status, text) = (answer.status(), answer.text().await.unwrap_or_default());
                        world.journal.found("publish", format!("node {node}: {status}: {text}"));
                        break;
                    }
                    Err(_broken) => world.journal.add("publishes that broke off", 1),
                }
                if begun.elapsed() > TRIES || over.is_cancelled() {
                    world.journal.add("publishes given up", 1);
                    break;
                }
                for (symbol, id) in &trades {
                    world.journal.repeat(&self.symbols[*symbol], *id);
                }
                node = (node + 1) % world.nodes.len();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if random.random_bool(0.02) {
                node = random.random_range(0..world.nodes.len());
            }
        }
        self.is_idle.store(true, Ordering::SeqCst);
    }

    fn confirm(&self, trades: &[(usize, u64)]) {
        let mut confirmed = self.confirmed.lock().unwrap();
        for (symbol, id) in trades {
            confirmed[*symbol].push(*id);
        }
        self.published.fetch_add(trades.len() as u64, Ordering::SeqCst);
    }

    /// Trades and quotes in turn, and which trades these are.
    fn body(
        &self,
        order: &Assignment,
        serial: &mut u64,
        random: &mut ChaCha8Rng,
    ) -> (String, Vec<(usize, u64)>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
        let (mut body, mut trades) = (String::new(), Vec::new());
        for _ in 0..order.ticks_per_body {
            *serial += 1;
            let symbol = random.random_range(0..self.symbols.len());
            let name = &self.symbols[symbol];
            let cents = random.random_range(9_000..11_000);
            let price = format!("{}.{:02}", cents / 100, cents % 100);
            let tick = if serial.is_multiple_of(2) {
                trades.push((symbol, *serial));
                json!({"T": "t", "S": name, "id": serial.to_string(), "p": price, "s": "1.5",
                    "side": "buy", "te": now})
            } else {
                json!({"T": "q", "S": name, "bp": price, "bs": "2", "ap": "120.00", "as": "3", "te": now})
            };
            body.push_str(&tick.to_string());
            body.push('\n');
        }
        (body, trades)
    }
}
