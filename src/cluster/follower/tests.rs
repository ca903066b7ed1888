//! Hubs that follow one log, through changes of leaders, holes and joins: all must say the same.

use proptest::prelude::*;

use super::*;
use crate::{
    clock::Clock,
    cluster::{image::ImageBuilder, pending::Pending},
    hub::tests::{
        AT_ONCE, Happens, SECOND, SYMBOLS, World, config, enlist, feed, following, happens, says, symbol,
    },
    market::{Channel, Level, Loss, LossWhy, Quote, State, Tick},
    metrics::Metrics,
};

const NODES: usize = 3;

#[derive(Debug, Clone)]
enum Op {
    Happens(Happens),
    /// What waits is written to the log.
    Write,
    /// A node reads up to that number of batches.
    Read(usize, usize),
    /// Another node leads; what the last one had not written is gone.
    Lead(usize),
    /// The one before writes once more, behind its successor's last look and in front of the fence.
    LateWrite(usize),
    /// A node has a hole, and asks another one for an image.
    Lose(usize),
    /// It gets the next slice.
    Slice(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let node = 0..NODES;
    let op = prop_oneof![
        20 => happens().prop_map(Op::Happens),
        6 => Just(Op::Write),
        9 => (node.clone(), 1..6_usize).prop_map(|(node, most)| Op::Read(node, most)),
        1 => node.clone().prop_map(Op::Lead),
        1 => node.clone().prop_map(Op::LateWrite),
        1 => node.clone().prop_map(Op::Lose),
        4 => node.prop_map(Op::Slice),
    ];
    prop::collection::vec(op, 1..300)
}

/// What of an image a node has.
struct Joining {
    server: usize,
    builder: ImageBuilder,
}

/// Nodes around one log in memory.
struct Cluster {
    world: World,
    pending: Arc<Pending>,
    log: Vec<(Position, Vec<u8>)>,
    nodes: Vec<Follower>,
    joining: Vec<Option<Joining>>,
    newest: Position,
    sum: Option<(Position, u64)>,
    leader: usize,
}

impl Cluster {
    fn new(nodes: usize) -> Self {
        let clock = Clock::manual(UnixMicros(20_000 * 86_400 * SECOND));
        let others: Vec<_> = (0..nodes).map(|_| following()).collect();
        let nodes: Vec<_> = others.iter().map(|hub| Follower::new(Arc::clone(hub))).collect();
        let hub = following();
        let mut cluster = Self {
            world: World { clock, hub, others, trades: 0 },
            pending: Pending::new(1 << 20),
            log: Vec::new(),
            joining: nodes.iter().map(|_| None).collect(),
            nodes,
            newest: Position::START,
            sum: None,
            leader: 0,
        };
        cluster.lead(0, None);
        cluster
    }

    /// Begins a term, and lets `late` of the last leader into the log in front of that.
    fn lead(&mut self, node: usize, late: Option<Vec<u8>>) {
        self.read(node, usize::MAX);
        let follows = self.nodes[node].position();
        if let Some(bytes) = late {
            self.newest = self.newest.next();
            self.log.push((self.newest, bytes));
        }
        let open = Open {
            epoch: "e".into(),
            node: format!("node {node}"),
            follows,
            run_id: String::new(),
            replid: String::new(),
            rules: RULES,
            format: WIRE_VERSION,
        };
        self.newest = Position { term: self.newest.term + 1, seq: 0 };
        let time = self.time(node);
        let batch = Batch { time, passes: false, inbox: None, entries: vec![Entry::Open(open)] };
        self.log.push((self.newest, batch.encode()));
        self.read(node, usize::MAX);
        assert!(self.nodes[node].is_in_step());
        self.pending = Pending::new(1 << 20);
        let metrics = Arc::new(Metrics::new());
        let origin = Hub::origin(AT_ONCE, self.world.clock.clone(), metrics).tapped(self.pending.tap());
        enlist(&origin);
        origin.take_over(self.nodes[node].hub(), &[feed(0)]).unwrap();
        self.world.hub = Arc::new(origin);
        self.leader = node;
        self.sum = None;
    }

    fn time(&self, leader: usize) -> UnixMicros {
        self.world.clock.now().max(self.nodes[leader].time())
    }

    fn batch(&mut self, passes: bool) -> Vec<u8> {
        let mut entries = self.pending.take(300);
        let passes = passes && self.pending.is_empty();
        let check = Check { from: 0, most: 100, told: self.sum.take() };
        entries.push(Entry::Check(check));
        Batch { time: self.time(self.leader), passes, inbox: None, entries }.encode_compressed()
    }

    fn write(&mut self) {
        // Something is taken at least once, and all of it before time passes.
        loop {
            let bytes = self.batch(true);
            self.newest = self.newest.next();
            self.log.push((self.newest, bytes));
            if self.pending.is_empty() {
                break;
            }
        }
    }

    /// Reads up to `most` batches, unless it has a hole.
    fn read(&mut self, node: usize, most: usize) {
        if self.joining[node].is_some() {
            return;
        }
        for _ in 0..most {
            let follower = &mut self.nodes[node];
            let next = self.log.partition_point(|(at, _)| *at <= follower.position());
            let Some((at, bytes)) = self.log.get(next) else { break };
            let applied = follower.apply(*at, Batch::decode(bytes).unwrap());
            let applied = applied.unwrap_or_else(|hole| panic!("node {node}: {hole}"));
            if applied.has_more {
                while self.nodes[node].proceed().unwrap() {}
            }
        }
        if node == self.leader {
            self.sum = self.nodes[node].newest_sum();
        }
    }

    /// Some batches never come: the next one is refused, and an image asked for.
    fn lose(&mut self, node: usize) {
        let servers: Vec<_> = (0..self.nodes.len()).filter(|i| self.is_served_by(*i, node)).collect();
        if node == self.leader || self.joining[node].is_some() || servers.is_empty() {
            return;
        }
        let at = self.nodes[node].position();
        let next = self.log.partition_point(|(other, _)| *other <= at);
        if let Some((found, bytes)) = self.log.get(next + 1) {
            let batch = Batch::decode(bytes).unwrap();
            let opens = matches!(batch.entries.first(), Some(Entry::Open(_)));
            if !opens {
                let hole = self.nodes[node].apply(*found, batch).unwrap_err();
                assert_eq!(hole, Hole::Skipped { at, found: *found });
            }
        }
        self.joining[node] = Some(Joining { server: servers[0], builder: ImageBuilder::default() });
    }

    fn is_served_by(&self, server: usize, node: usize) -> bool {
        server != node && self.joining[server].is_none()
    }

    /// One topic at a time, so that the log goes on in between.
    fn slice(&mut self, node: usize) {
        let Some(joining) = &mut self.joining[node] else { return };
        let server = joining.server;
        let Some(slice) = self.nodes[server].slice_of(joining.builder.next(), 1) else { return };
        let slice = Slice::decode(&slice.encode()).unwrap();
        if let Some(image) = joining.builder.add(slice).unwrap() {
            self.nodes[node].load(image).unwrap();
            self.joining[node] = None;
        }
    }

    fn op(&mut self, op: Op) {
        match op {
            Op::Happens(one) => self.world.happens(one),
            Op::Write => self.write(),
            Op::Read(node, most) => self.read(node, most),
            Op::Lead(node) | Op::LateWrite(node) if self.joining[node].is_some() => {}
            Op::Lead(node) => self.lead(node, None),
            Op::LateWrite(node) => {
                let late = self.batch(true);
                self.lead(node, Some(late));
            }
            Op::Lose(node) => self.lose(node),
            Op::Slice(node) => self.slice(node),
        }
    }

    fn settle(&mut self) {
        self.write();
        self.read(self.leader, usize::MAX);
        // What is left of images comes while the log stands still.
        for node in 0..self.nodes.len() {
            while self.joining[node].is_some() {
                let server = self.joining[node].as_ref().map(|joining| joining.server).unwrap();
                self.read(server, usize::MAX);
                self.slice(node);
            }
        }
        self.write();
        for node in 0..self.nodes.len() {
            self.read(node, usize::MAX);
        }
    }
}

fn same(one: &Hub, other: &Hub) {
    assert_eq!(one.numbering(), other.numbering());
    assert_eq!(one.topic_count(), other.topic_count());
    for i in (0..SYMBOLS).filter(|i| one.topic(symbol(*i)).is_some()) {
        assert_eq!(says(one, i), says(other, i), "S{i}");
    }
    assert_eq!(one.sum(0, 100), other.sum(0, 100));
    assert_eq!(one.epoch(), other.epoch());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn all_nodes_say_the_same_over_takeovers_holes_and_joins(ops in ops()) {
        let mut cluster = Cluster::new(NODES);
        ops.into_iter().for_each(|op| cluster.op(op));
        cluster.settle();
        for node in 1..NODES {
            same(cluster.nodes[0].hub(), cluster.nodes[node].hub());
        }
    }

    #[test]
    fn a_node_gives_the_numbers_that_a_gateway_alone_gives(all in prop::collection::vec(happens(), 1..250)) {
        let mut cluster = Cluster::new(1);
        let clock = Clock::manual(cluster.world.clock.now());
        let hub = Hub::new(config(), "e".into(), clock.clone(), Arc::new(Metrics::new()));
        enlist(&hub);
        let mut alone = World { clock, hub: Arc::new(hub), others: Vec::new(), trades: 0 };
        for one in all {
            let passes = matches!(one, Happens::Passes(_) | Happens::Jumps(_));
            alone.happens(one.clone());
            cluster.world.happens(one);
            while !cluster.pending.is_empty() || passes {
                let bytes = cluster.batch(passes);
                cluster.newest = cluster.newest.next();
                cluster.log.push((cluster.newest, bytes));
                if cluster.pending.is_empty() {
                    break;
                }
            }
            cluster.read(0, usize::MAX);
        }
        same(&alone.hub, cluster.nodes[0].hub());
    }
}

/// A quote of the first symbol by the first feed.
fn quote(clock: &Clock, bid: &str) -> Tick {
    let (te, tr) = (Some(clock.now()), clock.now());
    let bid = Some(Level { price: bid.parse().unwrap(), size: None });
    Tick::Quote(Quote { symbol: symbol(0), bid, ask: None, source: feed(0), te, tr, is_snapshot: false })
}

/// A cluster of two nodes that have taken in a quote.
fn quoted() -> Cluster {
    let mut cluster = Cluster::new(2);
    let tick = quote(&cluster.world.clock, "1.5");
    cluster.world.hub.publish(feed(0), [tick]);
    cluster.settle();
    cluster
}

#[test]
fn a_batch_that_does_not_follow_is_a_hole() {
    let mut cluster = quoted();
    (0..3).for_each(|_| cluster.write());
    let node = &mut cluster.nodes[1];
    let at = node.position();
    let batch = |place: usize| Batch::decode(&cluster.log[place].1).unwrap();
    let last = cluster.log.len() - 1;
    let found = cluster.log[last].0;
    assert_eq!(node.apply(found, batch(last)).unwrap_err(), Hole::Skipped { at, found });
    assert_eq!(node.apply(at, batch(last)).unwrap_err(), Hole::Regressed { at, found: at });
    let later = Position { term: at.term + 1, seq: 0 };
    assert_eq!(node.apply(later, batch(last)).unwrap_err(), Hole::Skipped { at, found: later }, "no opening");
    assert!(node.apply(at.next(), batch(0)).is_err(), "an opening in the middle");
    assert!(node.apply(at.next(), batch(last - 2)).is_ok());
}

#[test]
fn leaders_of_other_rules_or_with_more_than_this_node_are_not_followed() {
    let mut cluster = quoted();
    let at = cluster.nodes[1].position();
    let next = Position { term: at.term + 1, seq: 0 };
    let open = |follows, rules, format| {
        let (run_id, replid) = (String::new(), String::new());
        let open = Open { epoch: "other".into(), node: "n".into(), follows, run_id, replid, rules, format };
        Batch { time: UnixMicros(0), passes: false, inbox: None, entries: vec![Entry::Open(open)] }
    };
    let node = &mut cluster.nodes[1];
    let refused = |hole: Hole| matches!(hole, Hole::Refused { .. });
    assert!(refused(node.apply(next, open(at, RULES + 1, WIRE_VERSION)).unwrap_err()));
    assert!(refused(node.apply(next, open(at, RULES, WIRE_VERSION + 1)).unwrap_err()));
    let before = Position { seq: at.seq - 1, ..at };
    for follows in [at.next(), before] {
        // It may lack what this node has of a log that was lost.
        let other = node.apply(next, open(follows, RULES, WIRE_VERSION)).unwrap_err();
        assert_eq!(other, Hole::Skipped { at, found: next });
    }
    let applied = node.apply(next, open(at, RULES, WIRE_VERSION)).unwrap();
    assert_eq!((applied.open.map(|open| open.epoch), &*node.hub().epoch()), (Some("other".into()), "other"));
    assert_eq!(node.hub().epoch_serial(), 1);
}

#[test]
fn a_node_that_has_drifted_apart_is_told_so_by_the_next_check() {
    let mut cluster = quoted();
    let loss = Loss { symbol: symbol(0), channel: Channel::Quotes, why: LossWhy::Venue, events: None };
    cluster.nodes[1].hub().apply([Input::Tick(Tick::Loss(loss))]).unwrap();
    cluster.write();
    cluster.read(0, usize::MAX);
    cluster.write();
    let node = &mut cluster.nodes[1];
    let hole = loop {
        let next = cluster.log.partition_point(|(at, _)| *at <= node.position());
        let (at, bytes) = &cluster.log[next];
        match node.apply(*at, Batch::decode(bytes).unwrap()) {
            Ok(_) => {}
            Err(hole) => break hole,
        }
    };
    assert!(matches!(hole, Hole::Differs(_)), "{hole}");
}

#[test]
fn a_takeover_says_nothing_but_the_losses_of_feeds_that_were_interrupted() {
    let mut cluster = quoted();
    let metrics = Arc::new(Metrics::new());
    let take_over = |interrupted: &[_]| {
        let pending = Pending::new(1 << 20);
        let clock = cluster.world.clock.clone();
        let origin = Hub::origin(AT_ONCE, clock, Arc::clone(&metrics)).tapped(pending.tap());
        enlist(&origin);
        origin.take_over(cluster.nodes[1].hub(), interrupted).unwrap();
        (origin, pending)
    };
    let (origin, pending) = take_over(&[]);
    assert!(pending.is_empty());
    let topic = origin.topic(symbol(0)).unwrap();
    assert_eq!((topic.state(), topic.feed()), (State::Live, feed(0)));
    origin.declare(symbol(0), feed(0)).unwrap();
    origin.publish(feed(0), [quote(&cluster.world.clock, "1.6")]);
    let said = pending.take(1 << 16);
    assert!(matches!(&*said, [Entry::Input(Input::Tick(Tick::Quote(_)))]), "{said:?}");
    // Clients of other nodes count as listeners.
    assert!(!topic.is_wanted_of(feed(0)));
    origin.set_remote_demand(symbol(0), true);
    assert!(topic.is_wanted_of(feed(0)));
    let text = String::from_utf8(metrics.render().unwrap()).unwrap();
    assert!(text.contains("tickcast_topics 0"), "the serving hub counts them: {text}");

    let (_origin, pending) = take_over(&[feed(0)]);
    let said = pending.take(1 << 16);
    let lost = |entry: &Entry| {
        let Entry::Input(Input::Tick(Tick::Loss(loss))) = entry else { return None };
        Some((loss.channel, loss.why))
    };
    let lost: Vec<_> = said.iter().map(lost).collect();
    // Of trades nothing has come that could be missed.
    assert_eq!(lost, [Some((Channel::Quotes, LossWhy::Reconnect))]);
    cluster.settle();
}

#[test]
fn a_renewed_hub_keeps_its_listeners_and_laps_its_lanes() {
    let mut cluster = quoted();
    let hub = Arc::clone(cluster.nodes[1].hub());
    let lane = hub.open_lane().unwrap();
    let topic = hub.topic(symbol(0)).unwrap();
    let (seen, _) = topic.join(lane.index(), Channel::Quotes);
    // Known here only.
    hub.apply([Input::Symbol(symbol(1), feed(0))]).unwrap();
    let gone = hub.topic(symbol(1)).unwrap();
    let _head = gone.join(lane.index(), Channel::Trades);
    let clock = cluster.world.clock.clone();
    let tick = |bid| quote(&clock, bid);
    cluster.world.hub.publish(feed(0), [tick("1.6"), tick("1.7")]);
    cluster.write();
    cluster.read(0, usize::MAX);
    let mut builder = ImageBuilder::default();
    let slice = cluster.nodes[0].slice(0).unwrap();
    let image = builder.add(Slice::decode(&slice.encode()).unwrap()).unwrap().unwrap();
    cluster.nodes[1].load(image).unwrap();
    let mut events = VecDeque::new();
    let drained = lane.drain(&mut events);
    assert!(drained.skipped > 0 && events.is_empty());
    assert_eq!(drained.removed, [gone.id()]);
    assert_eq!(topic.last(Channel::Quotes).unwrap().n, seen + 2, "the same topic goes on");
    cluster.world.hub.publish(feed(0), [tick("1.8")]);
    cluster.settle();
    lane.drain(&mut events);
    assert_eq!(events.iter().map(|event| event.n).collect::<Vec<_>>(), [seen + 3]);
    same(cluster.nodes[0].hub(), &hub);
}

#[test]
fn a_batch_that_makes_many_events_is_taken_in_by_turns() {
    let mut node = Follower::new(following());
    node.found(Position::START);
    let symbols = MAX_BURST_TICKS * 2 + 1;
    let name = |i: usize| Symbol::new(&format!("X{i}")).unwrap();
    let inputs = (0..symbols).map(|i| Entry::Input(Input::Symbol(name(i), feed(0)))).collect();
    let batch = Batch { time: UnixMicros(0), passes: true, inbox: None, entries: inputs };
    let at = Position { term: 0, seq: 1 };
    let applied = node.apply(at, batch).unwrap();
    assert!(applied.has_more && node.position() == Position::START && node.slice(0).is_none());
    assert_eq!(node.hub().topic_count(), MAX_BURST_TICKS);
    assert!(node.proceed().unwrap() && !node.proceed().unwrap());
    assert_eq!((node.hub().topic_count(), node.position()), (symbols, at));
}
