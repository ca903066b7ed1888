//! Everything goes wrong at random, for as long as one likes: `make cluster-campaign`.
//!
//! `CAMPAIGN_SECONDS`, `CAMPAIGN_SEED`, `CAMPAIGN_CLIENTS`, `CAMPAIGN_TICKS` and `CAMPAIGN_ONLY` (names of faults, with commas)
//! say what. The seed is printed.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use rand::{RngExt as _, SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;

use crate::{
    client::Seen,
    proxy::Line,
    stage::{Options, Stage},
};

/// Longest that a cluster may take to be whole again after a fault.
const WHOLE: Duration = Duration::from_secs(30);

/// A client that was cut off has a cause that lies back by no more than this: drains and restarts take their time.
const CAUSE: Duration = Duration::from_secs(10);

/// Something that goes wrong.
const FAULTS: &[&str] = &[
    "kill-leader",
    "kill-follower",
    "pause-leader",
    "pause-follower",
    "stop-leader",
    "stop-follower",
    "redis-kill",
    "redis-restart",
    "redis-pause",
    "redis-cuts",
    "flush",
    "remove-log",
    "trim",
    "full",
    "garbage",
    "line-cut",
    "line-drops",
    "line-stalls",
    "lines-all",
];

fn variable<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a campaign of half an hour: make cluster-campaign"]
async fn campaign() {
    let seed = variable("CAMPAIGN_SEED", rand::rng().random::<u64>() >> 16);
    let time = Duration::from_secs(variable("CAMPAIGN_SECONDS", 1_800));
    let options = Options {
        clients: variable("CAMPAIGN_CLIENTS", 300),
        symbols: 100,
        each: 3,
        producers: 4,
        ticks_per_second: variable("CAMPAIGN_TICKS", 5_000),
        lines: true,
        redis: vec!["--appendonly", "yes", "--appendfsync", "everysec"],
        wanderers: 60,
        seed,
        ..Options::default()
    };
    let only: String = variable("CAMPAIGN_ONLY", String::new());
    let faults: Vec<&str> = FAULTS
        .iter()
        .copied()
        .filter(|name| only.is_empty() || only.split(',').any(|it| it == *name))
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut stage = Stage::begin(options).await;
    let begun = Instant::now();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    while begun.elapsed() < time && stage.journal.findings().is_empty() {
        let fault = *faults.choose(&mut random).expect("there is one");
        *times.entry(fault).or_default() += 1;
        eprintln!(
            "{:6.1} s: {fault}; {} events checked, {} gaps, {} epochs",
            begun.elapsed().as_secs_f64(),
            stage.journal.count("events checked"),
            stage.journal.count("gaps"),
            stage.journal.epochs()
        );
        happens(&mut stage, fault, &mut random).await;
        is_whole(&mut stage, fault).await;
        // Now and then everything stands still, and all nodes are compared.
        if random.random_bool(0.3) {
            stage.quiet().await;
            stage.resume();
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(200..2_000))).await;
    }
    causes(&stage);
    eprintln!("{times:?}");
    stage.end().await;
}

/// A pause of a random length.
async fn wait(random: &mut ChaCha8Rng, from_ms: u64, to_ms: u64) {
    tokio::time::sleep(Duration::from_millis(random.random_range(from_ms..to_ms))).await;
}

async fn happens(stage: &mut Stage, fault: &str, random: &mut ChaCha8Rng) {
    let leader = stage.leader().await;
    let node = if fault.ends_with("follower") { stage.follower().await } else { leader };
    match fault {
        "kill-leader" | "kill-follower" => {
            stage.nodes[node].kill();
            wait(random, 100, 5_000).await;
            stage.nodes[node].start();
        }
        "pause-leader" | "pause-follower" => {
            stage.nodes[node].pause();
            wait(random, 500, 10_000).await;
            stage.nodes[node].resume();
        }
        "stop-leader" | "stop-follower" => {
            let status = stage.nodes[node].stop().await;
            if !status.success() {
                stage.journal.found("end", format!("node {node} ended with {status}"));
            }
            stage.nodes[node].start();
        }
        "redis-kill" => {
            stage.redis.kill();
            wait(random, 100, 5_000).await;
            stage.redis.again();
        }
        "redis-restart" => {
            stage.redis.stop();
            wait(random, 100, 4_000).await;
            stage.redis.again();
        }
        "redis-pause" => {
            stage.redis.pause();
            wait(random, 500, 10_000).await;
            stage.redis.resume();
        }
        _ => happens_outside(stage, fault, random).await,
    }
}

async fn happens_outside(stage: &mut Stage, fault: &str, random: &mut ChaCha8Rng) {
    let node = random.random_range(0..stage.nodes.len());
    let log = crate::log_faults::LOG;
    match fault {
        "redis-cuts" => {
            for _ in 0..random.random_range(5..40) {
                stage.redis.text(&["CLIENT", "KILL", "TYPE", "normal"]);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        "flush" => drop(stage.redis.text(&["FLUSHALL"])),
        "remove-log" => drop(stage.redis.text(&["DEL", log])),
        "trim" => drop(stage.redis.text(&["XTRIM", log, "MAXLEN", "0"])),
        "full" => {
            stage.redis.text(&["CONFIG", "SET", "maxmemory", "1"]);
            wait(random, 500, 5_000).await;
            stage.redis.text(&["CONFIG", "SET", "maxmemory", "0"]);
        }
        "garbage" => {
            let (term, seq) = crate::log_faults::newest(&stage.redis);
            stage.redis.text(&["XADD", log, &format!("{term}-{}", seq + 50), "b", "no batch"]);
        }
        "lines-all" => {
            stage.lines.iter().for_each(|line| line.set(Line::Drops));
            wait(random, 500, 6_000).await;
            stage.lines.iter().for_each(|line| line.set(Line::Open));
        }
        line => {
            let line = match line {
                "line-cut" => Line::Cut,
                "line-drops" => Line::Drops,
                _ if random.random_bool(0.5) => Line::StallsUp,
                _ => Line::StallsDown,
            };
            stage.lines[node].set(line);
            wait(random, 500, 12_000).await;
            stage.lines[node].set(Line::Open);
        }
    }
}

/// Waits until one node leads, all hear the log, and every client hears trades.
async fn is_whole(stage: &mut Stage, fault: &str) {
    let begun = Instant::now();
    stage.mark();
    loop {
        let leaders = stage.total("tickcast_cluster_role{role=\"leader\"}").await;
        let attached = stage.total("tickcast_cluster_attached").await;
        let silent = stage.records.iter().filter(|record| !record.lock().unwrap().heard()).count();
        if leaders == 1 && attached >= stage.nodes.len() as u64 && silent == 0 {
            return;
        }
        if begun.elapsed() > WHOLE {
            let text = format!(
                "after {fault}: {leaders} lead, {attached} hear the log, {silent} clients hear nothing"
            );
            return stage.journal.found("not whole", text);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Each connection that ended had a cause.
fn causes(stage: &Stage) {
    for (number, record) in stage.records.iter().enumerate() {
        for (at, node, seen) in &record.lock().unwrap().seen {
            let is_caused = match seen {
                Seen::Closed(4201) | Seen::Lost(_) => {
                    let ends = stage.nodes[*node].ends.lock().unwrap();
                    ends.iter().any(|end| *end <= *at && *at - *end < CAUSE)
                }
                Seen::Closed(4202) => stage.journal.epochs() > 1,
                Seen::Closed(_) => false,
                Seen::Joined | Seen::Gap { .. } | Seen::Source(_) | Seen::Resync | Seen::NotRecovered => true,
            };
            if !is_caused {
                stage.journal.found("cut", format!("client {number} at node {node}: {seen:?}"));
            }
        }
    }
}
