//! A frame that is written to several sessions is the frame that each of them would have got alone.

use std::{cell::RefCell, rc::Rc, time::Duration};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{
    clock::Instant,
    dialect::native::Encoding,
    hub::HubConfig,
    session::{
        Outgoing, SessionConfig, SessionKey, Transport, WriteMode,
        test_client::{Bench, quote, source, symbol, trade},
    },
};

/// A socket that takes everything.
#[derive(Default)]
struct Socket {
    written: RefCell<Vec<u8>>,
}

impl Transport for Socket {
    fn write_mode(&self) -> WriteMode {
        WriteMode::Open
    }

    fn write(&self, frames: &[u8]) {
        self.written.borrow_mut().extend_from_slice(frames);
    }

    fn wake(&self) {}

    fn resume(&self) {}

    fn blocked_since(&self) -> Option<Instant> {
        None
    }

    fn cut(&self) {}
}

/// A connection that fetches what waits.
struct Fetched;

impl Transport for Fetched {
    fn wake(&self) {}

    fn resume(&self) {}

    fn blocked_since(&self) -> Option<Instant> {
        None
    }

    fn cut(&self) {}
}

/// Two sessions that are told the same: the shard writes to one, and the other fetches, so that its frames are its own.
struct Twins {
    socket: Rc<Socket>,
    written: SessionKey,
    fetched: SessionKey,
}

impl Twins {
    fn connect(bench: &mut Bench, encoding: Encoding) -> Self {
        let socket = Rc::<Socket>::default();
        let mut open = |transport| {
            let admission = bench.connections.admit([127, 0, 0, 1].into());
            let key = bench.shard.open(encoding, transport, admission, Instant::now());
            bench.shard.set_flush(key, Duration::ZERO);
            key
        };
        let (written, fetched) = (open(Rc::clone(&socket) as Rc<_>), open(Rc::new(Fetched)));
        Self { socket, written, fetched }
    }

    fn send(&self, bench: &mut Bench, command: &serde_json::Value, encoding: Encoding) {
        for key in [self.written, self.fetched] {
            bench.shard.command(key, &encoding.encode(command), Instant::now());
        }
    }

    /// What both got since the last time.
    fn take(&self, bench: &mut Bench) -> (Vec<u8>, Vec<u8>) {
        let mut fetched = Vec::new();
        while let Outgoing::Frames(frames) = bench.shard.outgoing(self.fetched, Instant::now()) {
            fetched.extend_from_slice(&frames);
        }
        (self.socket.written.take(), fetched)
    }
}

#[test]
fn a_frame_written_to_many_is_what_each_would_have_got_alone() {
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    for i in 0..4 {
        bench.hub.declare(symbol(i), source()).unwrap();
    }
    let twins: Vec<_> = (0..24_usize)
        .map(|i| {
            let encoding = if i % 6 == 5 { Encoding::MsgPack } else { Encoding::Json };
            (Twins::connect(&mut bench, encoding), encoding)
        })
        .collect();
    bench.settle();
    for (twins, _) in &twins {
        twins.take(&mut bench);
    }
    for round in 0..400_u64 {
        if round % 8 == 0 {
            let (twins, encoding) = &twins[random.random_range(0..twins.len())];
            let op = if random.random_range(0..4) == 0 { "unsubscribe" } else { "subscribe" };
            let channel = ["trades", "quotes", "bars.1s"][random.random_range(0..3)];
            let symbols =
                [symbol(0), symbol(random.random_range(0..4))].map(|symbol| symbol.as_str().to_owned());
            let mut command = serde_json::json!({"op": op, "channel": channel, "symbols": symbols});
            if op == "subscribe" {
                command["mode"] = ["stream", "merge"][random.random_range(0..2)].into();
            }
            twins.send(&mut bench, &command, *encoding);
            // The answer is written at once: the other one takes it now, too.
            let (written, fetched) = twins.take(&mut bench);
            assert!(written == fetched, "the answers in round {round}");
        }
        // Mostly one event, at times more than one frame repeats.
        for _ in 0..[1, 1, 1, 2, 3, 8][random.random_range(0..6)] {
            let i = random.random_range(0..2);
            let tick = if random.random_bool(0.5) { quote(i) } else { trade(i, round) };
            bench.hub.publish(source(), [tick]);
        }
        bench.settle();
        for (i, (twins, _)) in twins.iter().enumerate() {
            let (written, fetched) = twins.take(&mut bench);
            let [written, fetched] =
                [written, fetched].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert_eq!(written, fetched, "client {i} in round {round}");
        }
    }
    let (written, fetched) = (bench.metric("tickcast_frames_total"), bench.shard.len());
    assert!(written.parse::<f64>().unwrap() > 1_000.0, "{written} frames to {fetched} sessions");
}
