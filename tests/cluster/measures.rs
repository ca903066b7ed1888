//! What a cluster costs beside a single gateway, as figures of one run: `make cluster-measures`, on a machine that does nothing
//! else.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::Instant};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    node::{Node, cost},
    stage::{Options, Stage, desk},
};

/// Runs of each kind, in turn.
const RUNS: usize = 7;

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

fn quantile(sorted: &[u64], q: f64) -> u64 {
    sorted.get(((sorted.len() as f64 - 1.0) * q) as usize).copied().unwrap_or(0)
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    quantile(&values, 0.5)
}

/// Clients that only note how long a trade was on its way, from its producer's stamp to here, in microseconds.
async fn listen(nodes: &[&Node], clients: usize, symbols: &[String], time: Duration) -> Vec<u64> {
    let ages = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let url = format!("ws://{}/v1/ws", nodes[number % nodes.len()].address);
        let symbol = symbols[number % symbols.len()].clone();
        let ages = Arc::clone(&ages);
        tasks.spawn(async move {
            let (mut socket, _) = connect_async(url).await.unwrap();
            let command =
                json!({"op": "subscribe", "channel": "trades", "symbols": [symbol], "snapshot": false});
            socket.send(Message::text(command.to_string())).await.unwrap();
            let end = Instant::now() + time;
            let mut own = Vec::new();
            while let Ok(Some(Ok(message))) = tokio::time::timeout_at(end, socket.next()).await {
                let (Ok(text), now) = (message.to_text(), now_us()) else { continue };
                for rest in text.split("\"te\":").skip(1) {
                    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
                    if let Ok(te) = digits.parse::<u64>() {
                        own.push(now.saturating_sub(te));
                    }
                }
            }
            ages.lock().unwrap().extend(own);
        });
    }
    tasks.join_all().await;
    let mut ages = std::mem::take(&mut *ages.lock().unwrap());
    ages.sort_unstable();
    ages
}

fn plain(roles: Vec<&'static str>, ticks_per_second: usize) -> Options {
    Options {
        roles,
        clients: 0,
        symbols: 50,
        producers: 1,
        ticks_per_second,
        lease_ms: 5_000,
        ..Options::default()
    }
}

async fn delays(ticks_per_second: usize) {
    let single = Stage::begin(plain(vec![""], ticks_per_second)).await;
    let cluster = Stage::begin(plain(vec!["auto"; 3], ticks_per_second)).await;
    let symbols = desk(50);
    let mut figures = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for _ in 0..RUNS {
        for (kind, stage) in [&single, &cluster].into_iter().enumerate() {
            // One of the two has something to do at a time.
            stage.resume();
            let nodes: Vec<&Node> = stage.nodes.iter().collect();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let ages = listen(&nodes, 100, &symbols, Duration::from_secs(3)).await;
            stage.producers.iter().for_each(|producer| producer.pause(true));
            assert!(ages.len() > 100, "trades arrive");
            figures[kind][0].push(quantile(&ages, 0.5));
            figures[kind][1].push(quantile(&ages, 0.99));
        }
    }
    let [[p50, p99], [cluster_p50, cluster_p99]] = figures.map(|kind| kind.map(median));
    eprintln!(
        "{ticks_per_second} ticks/s, 100 clients, medians of {RUNS} runs: single p50 {p50} us, p99 {p99} us; \
         cluster p50 {cluster_p50} us, p99 {cluster_p99} us; added p50 {} us, p99 {} us",
        cluster_p50.saturating_sub(p50),
        cluster_p99.saturating_sub(p99)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measure: make cluster-measures"]
async fn added_delay() {
    delays(5_000).await;
    delays(20_000).await;
}

/// Ticks that a simulator makes on the leader, without producers and HTTP.
async fn simulated(rate: usize, roles: Vec<&'static str>) -> Stage {
    let feed = format!(
        "[[feed]]\nname = \"market\"\nkind = \"simulator\"\nrate = {}\ntrades_share = 0.5\nseed = 7\n{}",
        rate,
        (0..50)
            .map(|i| format!(
                "[[feed.symbol]]\nsymbol = \"SIM-{i:02}\"\nprice = \"{}.50\"\ntick = \"0.01\"\n",
                100 + i
            ))
            .collect::<String>()
    );
    Stage::begin(Options { feeds: feed, ..plain(roles, 1) }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measure: make cluster-measures"]
async fn redis_at_fifty_thousand_ticks() {
    let stage = simulated(50_000, vec!["auto"; 3]).await;
    let leader = stage.leader().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let figures = async || {
        let (_, cpu) = cost(stage.redis.id());
        let node = &stage.nodes[leader];
        let ticks = node.metric("tickcast_feed_ticks_total").await;
        let bytes = node.metric("tickcast_cluster_bytes_total{direction=\"written\"}").await;
        let batches = node.metric("tickcast_cluster_batches_total{direction=\"written\"}").await;
        (Instant::now(), [cpu, ticks, bytes, batches, node.cost().1])
    };
    let (begun, before) = figures().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (ended, after) = figures().await;
    let seconds = (ended - begun).as_secs_f64();
    let [cpu, ticks, bytes, batches, leads] = std::array::from_fn(|i| after[i] - before[i]);
    eprintln!(
        "{:.0} ticks/s to 3 nodes: redis {:.1} % of a core, {:.1} bytes a tick in, {:.0} batches/s; leader {:.1} % of a core",
        ticks / seconds,
        100.0 * cpu / seconds,
        bytes / ticks,
        batches / seconds,
        100.0 * leads / seconds
    );
}

/// CPU time of a node for each event that it delivers to clients, in microseconds.
async fn per_delivery(node: &Node, clients: usize, time: Duration) -> f64 {
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let url = format!("ws://{}/v1/ws", node.address);
        tasks.spawn(async move {
            let (mut socket, _) = connect_async(url).await.unwrap();
            let command = json!({"op": "subscribe", "channel": "trades", "symbols": ["SIM-*"]});
            socket.send(Message::text(command.to_string())).await.unwrap();
            let end = Instant::now() + time;
            while let Ok(Some(Ok(_))) = tokio::time::timeout_at(end, socket.next()).await {}
        });
    }
    tokio::time::sleep(time / 4).await;
    let delivered = async || node.metric("tickcast_events_delivered_total").await;
    let (cpu, count) = (node.cost().1, delivered().await);
    tokio::time::sleep(time / 2).await;
    let (cpu, count) = (node.cost().1 - cpu, delivered().await - count);
    tasks.join_all().await;
    1e6 * cpu / count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measure: make cluster-measures"]
async fn an_edge_costs_what_a_single_gateway_costs() {
    let single = simulated(4_000, vec![""]).await;
    let cluster = simulated(4_000, vec!["feed", "edge"]).await;
    let (mut ones, mut edges) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        ones.push((1e3 * per_delivery(&single.nodes[0], 100, Duration::from_secs(6)).await) as u64);
        edges.push((1e3 * per_delivery(&cluster.nodes[1], 100, Duration::from_secs(6)).await) as u64);
    }
    eprintln!("ns a delivery: single {ones:?}, edge {edges:?}");
    let (one, edge) = (median(ones), median(edges));
    eprintln!("ns a delivery, medians: single {one}, edge {edge}, ratio {:.3}", edge as f64 / one as f64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measure: make cluster-measures"]
async fn joining_with_ten_thousand_symbols() {
    const SYMBOLS: usize = 10_000;
    let mut options = plain(vec!["auto"; 3], 1);
    options.symbols = SYMBOLS;
    options.late = 1;
    let stage = Stage::begin(options).await;
    let http = reqwest::Client::new();
    let url = format!("http://{}/v1/publish?feed=desk", stage.nodes[0].address);
    let names = desk(SYMBOLS);
    // A hundred trades of each: a million in the rings.
    for round in 0..100_u64 {
        for names in names.chunks(5_000) {
            let lines = names.iter().map(|name| {
                json!({"T": "t", "S": name, "id": (1_000_000 + round).to_string(), "p": "100.25", "s": "1.5"}).to_string()
            });
            let body = lines.collect::<Vec<_>>().join("\n");
            loop {
                let answer = http.post(&url).body(body.clone()).send().await.unwrap();
                if answer.status().as_u16() == 200 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    let (leader, follower) = (stage.leader().await, 1 - stage.leader().await);
    let nodes = [&stage.nodes[0], &stage.nodes[1]];
    let symbols = desk(50);
    let before = listen(&nodes, 50, &symbols, Duration::from_secs(5)).await;
    let late = &stage.nodes[2];
    let begun = Instant::now();
    late.start();
    let (while_joining, took) = tokio::join!(listen(&nodes, 50, &symbols, Duration::from_secs(5)), async {
        while !late.is_ready().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    });
    let resident = |index: usize| stage.nodes[index].cost().0 as f64;
    eprintln!(
        "joined {SYMBOLS} symbols with a million trades in {took:?}; p99 of the others' clients {} us before, {} us meanwhile; \
         leader {:.0} MB, follower {:.0} MB, ratio {:.2}",
        quantile(&before, 0.99),
        quantile(&while_joining, 0.99),
        resident(leader) / 1e6,
        resident(follower) / 1e6,
        resident(leader) / resident(follower)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measure: make cluster-measures"]
async fn a_paused_edge_fills_no_buffer_of_redis() {
    let stage = simulated(50_000, vec!["feed", "edge", "edge"]).await;
    let symbols: Vec<String> = (0..50).map(|i| format!("SIM-{i:02}")).collect();
    let edge = [&stage.nodes[1]];
    let before = listen(&edge, 50, &symbols, Duration::from_secs(5)).await;
    stage.nodes[2].pause();
    let most = AtomicU64::new(0);
    let (meanwhile, ()) = tokio::join!(listen(&edge, 50, &symbols, Duration::from_secs(20)), async {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let list = stage.redis.text(&["CLIENT", "LIST"]);
            let held = list.lines().filter_map(|line| {
                let memory = line.split(' ').find_map(|field| field.strip_prefix("tot-mem="))?;
                memory.parse::<u64>().ok()
            });
            most.fetch_max(held.max().unwrap_or(0), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    stage.nodes[2].resume();
    let most = most.into_inner();
    let written = stage.nodes[0].metric("tickcast_cluster_bytes_total{direction=\"written\"}").await;
    eprintln!(
        "an edge that stood still for 20 s: redis held {} KiB for one client at most, of {} MB written; \
         p99 of the other edge's clients {} us before, {} us meanwhile",
        most / 1024,
        written / 1e6,
        quantile(&before, 0.99),
        quantile(&meanwhile, 0.99)
    );
    assert!(most <= 5 * 1024 * 1024, "{most}");
}

/// For documents: the versions that were measured.
#[tokio::test]
#[ignore = "a measure: make cluster-measures"]
async fn versions() {
    let stage = Stage::begin(plain(vec![""], 1)).await;
    let version: Value = stage.redis.info("redis_version").into();
    eprintln!("redis-server {version}, {} cores", std::thread::available_parallelism().unwrap());
}
