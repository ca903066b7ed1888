//! The promises over restarts: clients that come back with their positions to a gateway that was stopped, killed, or
//! given an old copy of its file have what they should have, or were told of one gap where they have not.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::PathBuf,
    sync::Arc,
};

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::session::test_client::{Bench, Client, quote, source, symbol, trade_at};
use crate::{
    clock::Clock,
    hub::{Hub, HubConfig},
    market::{Body, Channel, Interval, UnixMicros},
    metrics::Metrics,
    session::SessionConfig,
    store::{Opened, Saver, StoreConfig, StoreScope},
};

const SYMBOLS: usize = 2;
const STEPS: usize = 160;
const SECOND: i64 = 1_000_000;
/// What a client follows, and how: every other one the other way round.
const FOLLOWED: [[(&str, &str); 5]; 2] = [
    [
        ("trades", "stream"),
        ("bars.1s", "merge"),
        ("bars.1m", "merge"),
        ("quotes", "merge"),
        ("ticker", "merge"),
    ],
    [
        ("trades", "merge"),
        ("bars.1s", "merge"),
        ("bars.1m", "merge"),
        ("quotes", "stream"),
        ("ticker", "stream"),
    ],
];

/// What is done with the file between two runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    /// It is copied away.
    Copy,
    /// The copy is put back, if there is one.
    PutBack,
}

/// A number of one numbering: epoch, symbol, channel, n.
type Place = (String, String, &'static str, u64);

/// A gateway over a file, and everything that it has ever said in any of its runs.
struct World {
    bench: Bench,
    saver: Option<Saver>,
    clock: Clock,
    path: PathBuf,
    config: HubConfig,
    /// Whether the source goes on while there is no gateway.
    interrupted: bool,
    /// Every event that any client has got, without what tells nothing: a place means one thing for ever.
    said: HashMap<Place, Value>,
    /// Identities of all trades of a symbol, in order, each with where it stands in its numbering.
    trades: Vec<Vec<(u64, String, u64)>>,
    /// Final bars by numbering, symbol, channel and start.
    finals: BTreeMap<(String, String, &'static str, i64), (u64, Body)>,
}

/// What a client keeps while it is away.
#[derive(Default)]
struct LastSeen {
    epoch: String,
    n: u64,
    /// The newest trade, and the gaps since.
    trade: Option<u64>,
    gaps: Vec<(String, u64, u64)>,
    /// The newest bar's start, and whether it was final.
    bar: Option<(i64, bool)>,
    /// Where its bars of this numbering begin, and the numbers of the final ones.
    from: u64,
    finals: Vec<u64>,
}

/// A client that follows the protocol over all its connections.
struct Follower {
    client: Option<Client>,
    kept: HashMap<(String, &'static str), LastSeen>,
    /// Where it stands in this connection: numbers never fall.
    stands: HashMap<(String, &'static str), u64>,
    followed: [(&'static str, &'static str); 5],
    read: usize,
}

fn session() -> SessionConfig {
    SessionConfig { commands_per_second: 1_000_000, control_messages: 1_000_000, ..SessionConfig::default() }
}

fn open(path: &std::path::Path, config: HubConfig, clock: &Clock, interrupted: bool) -> (Bench, Saver) {
    let (feeds, resumes) = (vec![source()], Vec::new());
    let scope = StoreScope { feeds, starts_over: false, intervals: config.intervals, resumes };
    let fresh = format!("e{:x}", rand::random::<u64>());
    let store = StoreConfig::new(path.to_path_buf());
    let mut opened = Opened::open(&store, scope, fresh, clock.now()).unwrap();
    let hub = Arc::new(Hub::new(config, opened.epoch.clone(), clock.clone(), Arc::new(Metrics::new())));
    let interrupted = if interrupted { vec![source()] } else { Vec::new() };
    opened.restore(&hub, &interrupted).unwrap();
    while hub.tick_clock(clock.now()) {}
    let saver = Saver::new(opened, Arc::clone(&hub), store);
    (Bench::over(hub, session()), saver)
}

impl World {
    fn new(folder: &TempDir, interrupted: bool) -> Self {
        let path = folder.path().join("store");
        let clock = Clock::manual(UnixMicros(1_000_000 * SECOND));
        let config = HubConfig { trades_per_symbol: 12, bars: 6, ..HubConfig::default() };
        let (bench, saver) = open(&path, config, &clock, interrupted);
        let trades = vec![Vec::new(); SYMBOLS];
        let (said, finals) = (HashMap::new(), BTreeMap::new());
        let world =
            Self { bench, saver: Some(saver), clock, path, config, interrupted, said, trades, finals };
        (0..SYMBOLS).for_each(|i| drop(world.bench.hub.declare(symbol(i), source()).unwrap()));
        world
    }

    fn epoch(&self) -> String {
        self.bench.hub.epoch().to_string()
    }

    fn trade(&mut self, i: usize, ago: i64) {
        let id = self.trades.iter().flatten().count() as u64 + 1;
        self.bench.hub.publish(source(), [trade_at(i, id, self.clock.now().0 - ago)]);
        let n = self.bench.hub.topic(symbol(i)).unwrap().last(Channel::Trades).unwrap().n;
        let epoch = self.epoch();
        self.trades[i].push((id, epoch, n));
    }

    fn pass(&mut self, time: i64) {
        self.clock.set(UnixMicros(self.clock.now().0 + time));
        while self.bench.hub.tick_clock(self.clock.now()) {}
    }

    /// Notes the final bars that there are: each start is said once in a numbering, and under one number.
    fn note_bars(&mut self) {
        let epoch = self.epoch();
        for i in 0..SYMBOLS {
            let topic = self.bench.hub.topic(symbol(i)).unwrap();
            for interval in Interval::ALL {
                let channel = Channel::Bars(interval);
                for event in topic.since(channel, 0).events {
                    let Body::Bar(bar) = &event.body else { panic!("{event:?}") };
                    if bar.is_final {
                        let key = (epoch.clone(), symbol(i).to_string(), channel.as_str(), bar.start.0);
                        let said = (event.n, event.body.clone());
                        let before = self.finals.entry(key).or_insert_with(|| said.clone());
                        assert_eq!(*before, said, "a final bar never changes");
                    }
                }
            }
        }
    }

    /// Ends the run as it may end and starts another.
    fn restart(&mut self, followers: &mut [Follower], is_clean: bool, between: Between) {
        for follower in followers {
            follower.leave(self);
        }
        self.note_bars();
        let before = self.epoch();
        let mut saver = self.saver.take().unwrap();
        assert!(!is_clean || saver.finish());
        drop(saver);
        let copy = self.path.with_extension("copy");
        let is_old = between == Between::PutBack && copy.exists();
        if between == Between::Copy {
            fs::copy(&self.path, &copy).unwrap();
        } else if is_old {
            fs::copy(&copy, &self.path).unwrap();
        }
        let (bench, saver) = open(&self.path, self.config, &self.clock, self.interrupted);
        (self.bench, self.saver) = (bench, Some(saver));
        assert_eq!(self.epoch() == before, is_clean && !is_old, "numbers go on after a clean stop only");
        (0..SYMBOLS).for_each(|i| drop(self.bench.hub.declare(symbol(i), source()).unwrap()));
        self.note_bars();
    }
}

impl Follower {
    fn new(which: usize) -> Self {
        let followed = FOLLOWED[which % FOLLOWED.len()];
        Self { client: None, kept: HashMap::new(), stands: HashMap::new(), followed, read: 0 }
    }

    /// A number in this connection. A strict client drops what it has seen, and so never sees one that falls.
    fn rises(&mut self, key: (String, &'static str), n: u64, message: &Value) {
        let stands = self.stands.entry(key).or_default();
        assert!(n >= *stands, "numbers fall: {message} at {stands}");
        *stands = n;
    }

    fn come(&mut self, world: &mut World) {
        if self.client.is_some() {
            return;
        }
        let client = world.bench.connect();
        self.stands.clear();
        for (channel, mode) in self.followed {
            let symbols: Vec<_> = (0..SYMBOLS).map(|i| symbol(i).to_string()).collect();
            let mut command =
                json!({"op": "subscribe", "channel": channel, "symbols": symbols, "mode": mode});
            let kept = |symbol: &String| self.kept.get(&(symbol.clone(), channel));
            if let Some(first) = kept(&symbols[0]) {
                let n: HashMap<_, _> = symbols.iter().map(|it| (it.clone(), kept(it).unwrap().n)).collect();
                command["since"] = json!({"epoch": first.epoch, "n": n});
            }
            client.send(&mut world.bench, &command.to_string());
        }
        self.client = Some(client);
        self.read = 0;
    }

    /// Takes what waits for it, or a part of that.
    fn take(&mut self, world: &mut World, all: bool) {
        let Some(client) = &mut self.client else { return };
        if all {
            world.bench.settle();
            client.take_all(&mut world.bench);
        } else {
            client.take(&mut world.bench);
        }
        let news: Vec<_> = client.log[self.read..].to_vec();
        self.read = client.log.len();
        let mut recovered: HashMap<String, Option<bool>> = HashMap::new();
        for message in &news {
            self.read(world, message, &mut recovered);
        }
    }

    /// The connection is lost; what waited for it is lost with it.
    fn leave(&mut self, world: &mut World) {
        if let Some(client) = self.client.take() {
            world.bench.shard.leave(client.key, world.bench.hub.instant());
        }
    }

    fn read(&mut self, world: &mut World, message: &Value, recovered: &mut HashMap<String, Option<bool>>) {
        let channel = match message["T"].as_str().unwrap() {
            "subscribed" => {
                let channel = Channel::parse(message["channel"].as_str().unwrap()).unwrap().as_str();
                for ok in message["ok"].as_array().unwrap() {
                    let name = ok["S"].as_str().unwrap().to_owned();
                    let kept = self.kept.entry((name.clone(), channel)).or_default();
                    let (epoch, n) = (message["epoch"].as_str().unwrap(), ok["n"].as_u64().unwrap());
                    let was_here = !kept.epoch.is_empty();
                    let is_recovered = ok["recovered"].as_bool();
                    let stands = if is_recovered == Some(true) { kept.n } else { n };
                    assert_eq!(is_recovered.is_some(), was_here, "{message}");
                    if is_recovered != Some(true) {
                        // Of another numbering nothing is known, also not where its bars were.
                        let is_other = kept.epoch != epoch;
                        kept.bar = kept.bar.filter(|_| !is_other);
                        if is_other {
                            (kept.from, kept.finals) = (n, Vec::new());
                        }
                        if !was_here {
                            // What is new to it begins behind what it is told now, a loss behind the snapshot included.
                            kept.gaps.push((epoch.to_owned(), 1, n));
                        }
                        if was_here && n == 0 {
                            // There is no number yet that a gap could name.
                            kept.gaps.push((epoch.to_owned(), 1, 0));
                        }
                        assert!(!was_here || is_other || n >= kept.n, "{message} at {}", kept.n);
                        kept.n = n;
                    } else {
                        assert_eq!(kept.epoch, epoch);
                    }
                    kept.epoch = epoch.to_owned();
                    self.rises((name.clone(), channel), stands, message);
                    recovered.insert(format!("{name} {channel}"), is_recovered);
                }
                return;
            }
            "gap" => {
                let channel = Channel::parse(message["channel"].as_str().unwrap()).unwrap().as_str();
                let key = (message["S"].as_str().unwrap().to_owned(), channel);
                let (from, to) = (message["from"].as_u64().unwrap(), message["to"].as_u64().unwrap());
                self.rises(key.clone(), to, message);
                let kept = self.kept.get_mut(&key).unwrap();
                kept.gaps.push((kept.epoch.clone(), from, to));
                kept.n = kept.n.max(to);
                return;
            }
            "t" => "trades",
            "q" => "quotes",
            "k" => "ticker",
            "b" => Channel::parse(&format!("bars.{}", message["i"].as_str().unwrap())).unwrap().as_str(),
            _ => return,
        };
        let name = message["S"].as_str().unwrap().to_owned();
        let n = message["n"].as_u64().unwrap();
        self.rises((name.clone(), channel), n, message);
        let streams = self.followed.contains(&(channel, "stream"));
        let kept = self.kept.get_mut(&(name.clone(), channel)).unwrap();
        let place = (kept.epoch.clone(), name.clone(), channel, n);
        let before = world.said.entry(place).or_insert_with(|| message.clone());
        assert_eq!(before, message, "a number means one thing for ever");
        match message["T"].as_str().unwrap() {
            "t" if !streams => kept.trade = message["id"].as_str().unwrap().parse().ok(),
            "t" => kept.trade(&world.trades[name[1..].parse::<usize>().unwrap()], message),
            "b" => kept.bar(message),
            _ => {}
        }
        kept.n = kept.n.max(n);
    }
}

impl LastSeen {
    /// No trade was left out since the last one, but those that gaps have named.
    fn trade(&mut self, all: &[(u64, String, u64)], message: &Value) {
        let id: u64 = message["id"].as_str().unwrap().parse().unwrap();
        let Some(last) = self.trade else {
            self.trade = Some(id);
            return;
        };
        // A snapshot after a gap may be the trade that it knows.
        let is_new_numbering = self.gaps.iter().any(|(epoch, from, _)| *epoch == self.epoch && *from == 1);
        assert!(id > last || is_new_numbering, "{message} after {last}: {:?}", self.gaps);
        for (missed, epoch, n) in all.iter().filter(|(it, ..)| *it > last && *it < id) {
            let named = |(of, from, to): &(String, u64, u64)| of == epoch && (from..=to).contains(&n);
            // Under another epoch nothing of the old one can be told: the gap up to the newest value says so, and the loss
            // behind it, which is told after that.
            let reset = |(of, ..): &(String, u64, u64)| *of != *epoch;
            assert!(
                self.gaps.iter().any(|gap| named(gap) || reset(gap)),
                "trade {missed} ({epoch} {n}) is missing before {message}, gaps {:?}",
                self.gaps
            );
        }
        // What it had from a numbering that is lost is no proof that it has what came after.
        if id > last {
            self.trade = Some(id);
            let n = message["n"].as_u64().unwrap();
            self.gaps.retain(|(epoch, _, to)| *epoch == self.epoch && *to > n);
        }
    }

    fn bar(&mut self, message: &Value) {
        let (start, is_final) = (message["t"].as_i64().unwrap(), message["final"].as_bool().unwrap());
        let follows = self.bar.is_none_or(|(t, was_final)| {
            let same = message["n"].as_u64() == Some(self.n);
            start > t || start == t && (!was_final || same && is_final)
        });
        assert!(follows, "bars do not go back in time: {message} after {:?}", self.bar);
        self.bar = Some((start, is_final));
        if is_final {
            self.finals.push(message["n"].as_u64().unwrap());
        }
    }
}

/// One random life of a gateway and its clients.
fn life(seed: u64) {
    eprintln!("seed {seed}");
    let folder = TempDir::new().unwrap();
    let mut world = World::new(&folder, seed.is_multiple_of(2));
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut followers: Vec<_> = (0..4).map(Follower::new).collect();
    for _ in 0..STEPS {
        let i = random.random_range(0..followers.len());
        match random.random_range(0..100) {
            0..35 => world.trade(random.random_range(0..SYMBOLS), random.random_range(-SECOND / 2..SECOND)),
            35..45 => world.bench.hub.publish(source(), [quote(random.random_range(0..SYMBOLS))]),
            45..58 => world.pass(random.random_range(1..3 * SECOND)),
            58..60 => world.pass(random.random_range(SECOND..90 * SECOND)),
            60..72 => followers[i].come(&mut world),
            72..84 => followers[i].take(&mut world, random.random_bool(0.7)),
            84..88 => followers[i].leave(&mut world),
            88..92 => assert!(world.saver.as_mut().unwrap().save()),
            92..94 => world.restart(&mut followers, true, Between::Nothing),
            94..96 => world.restart(&mut followers, false, Between::Nothing),
            96..98 => {
                let is_clean = random.random_bool(0.7);
                world.restart(&mut followers, is_clean, Between::Copy);
            }
            _ => {
                let is_clean = random.random_bool(0.5);
                world.restart(&mut followers, is_clean, Between::PutBack);
            }
        }
        world.note_bars();
    }
    everybody_is_up_to_date(&mut world, &mut followers);
}

fn everybody_is_up_to_date(world: &mut World, followers: &mut [Follower]) {
    for follower in followers {
        follower.come(world);
        follower.take(world, true);
        for ((name, channel), kept) in &follower.kept {
            let topic = world.bench.hub.topic(name.parse().unwrap()).unwrap();
            let channel_of = Channel::parse(channel).unwrap();
            assert_eq!(kept.epoch, world.epoch());
            let newest = topic.last(channel_of).map_or(0, |event| event.n);
            assert!(kept.n >= newest, "the newest of {name} {channel} arrived: {} of {newest}", kept.n);
            let of_it = |it: &&(u64, String, u64)| it.1 == kept.epoch && it.2 <= newest;
            if *channel == "trades" {
                let i: usize = name[1..].parse().unwrap();
                let last = world.trades[i].iter().rfind(of_it).map(|it| it.0);
                assert!(last.is_none_or(|last| kept.trade >= Some(last)), "the newest trade arrived");
            }
            if channel.starts_with("bars.") {
                for ((epoch, of, its, _), (n, _)) in &world.finals {
                    if *epoch == kept.epoch && of == name && its == channel && *n > kept.from {
                        let told =
                            kept.gaps.iter().any(|(of, from, to)| of == epoch && (from..=to).contains(&n));
                        assert!(told || kept.finals.contains(n), "final bar {n} of {name} {channel}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn clients_follow_over_stops_crashes_and_old_copies(seed: u64) {
        life(seed);
    }
}

mod told;
