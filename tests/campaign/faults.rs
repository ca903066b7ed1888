//! What goes wrong: with the process, its clock, its log, its venue and its recordings. Strangers are in `strangers`.

use std::{
    net::Ipv4Addr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, seq::IndexedRandom as _};
use rand_chacha::ChaCha8Rng;
use tokio::task::JoinSet;

use crate::{
    gateway::{GatewayProcess, ended},
    http::Connection,
    producer, strangers,
    world::World,
};

/// Starts every fault that is wanted.
pub(crate) fn start(world: &Arc<World>, tasks: &mut JoinSet<()>, random: &mut ChaCha8Rng) {
    macro_rules! start {
        ($($name:literal => $fault:path,)*) => {
            $(
                let seed = random.random();
                if world.wants($name) {
                    tasks.spawn($fault(Arc::clone(world), ChaCha8Rng::seed_from_u64(seed)));
                }
            )*
        };
    }
    if world.wants("publish") {
        tasks.spawn(producer::publish(Arc::clone(world)));
    }
    start! {
        "restart" => restarts,
        "pause" => pauses,
        "clock" => clock,
        "panics" => panics,
        "venue" => venue,
        "record" => recorder,
        "kept-alive" => strangers::kept_alive,
        "second-stream" => strangers::second_stream,
        "stars" => strangers::stars,
        "rates" => strangers::rates,
        "producers" => strangers::producers,
        "idle" => strangers::idle,
        "bodies" => strangers::bodies,
        "heads" => strangers::heads,
        "rebinding" => strangers::rebinding,
        "never-reads" => strangers::never_reads,
        "garbage" => strangers::garbage,
    }
}

/// Kills the gateway or asks it to end, and starts it again.
async fn restarts(world: Arc<World>, mut random: ChaCha8Rng) {
    while world.pause(Duration::from_secs(random.random_range(15..40))).await {
        let signal =
            ["-KILL", "-KILL", "-TERM", "-HUP", "-INT"].choose(&mut random).copied().unwrap_or("-KILL");
        let _alone = world.gateway.alone.lock().await;
        world.gateway.stop(&world.journal, signal).await;
        world.count(match signal {
            "-KILL" => "kills",
            _ => "stops in order",
        });
        tokio::time::sleep(Duration::from_millis(random.random_range(0..1_500))).await;
        world.gateway.start(&world.journal).await;
    }
}

/// Stops the process for longer than clients may be mute, as a paused machine does.
async fn pauses(world: Arc<World>, mut random: ChaCha8Rng) {
    while world.pause(Duration::from_secs(random.random_range(10..30))).await {
        let _alone = world.gateway.alone.lock().await;
        world.gateway.signal("-STOP");
        tokio::time::sleep(Duration::from_millis(random.random_range(500..9_000))).await;
        world.gateway.signal("-CONT");
        world.count("pauses");
        // Time to read what has come meanwhile, so that an eviction has this cause and no other.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// Lets a session or a feed panic: one connection ends, or one feed starts again, and nothing else.
async fn panics(world: Arc<World>, mut random: ChaCha8Rng) {
    while world.pause(Duration::from_millis(random.random_range(2_000..6_000))).await {
        let task = ["session", "feed"].choose(&mut random).copied().unwrap_or("feed");
        // Not beside a restart: the order could go to the next life, or be lost with this one.
        let _alone = world.gateway.alone.lock().await;
        let Ok(mut connection) = Connection::open(world.address(), Ipv4Addr::LOCALHOST).await else {
            continue;
        };
        if task == "session" {
            world.journal.drill();
        }
        match connection.post(&format!("/test/fail/{task}"), "text/plain", b"").await.map(|it| it.status) {
            Ok(204) if task == "session" => world.count("sessions ordered to panic"),
            Ok(204) => world.count("feeds ordered to panic"),
            Ok(404) => {
                println!("no panics: the gateway was built without --features test-endpoints");
                return;
            }
            other => {
                world.count("orders to panic that did not arrive");
                let _unused = task == "session" && world.journal.was_drilled();
                if !matches!(other, Err(_) | Ok(429 | 503)) {
                    world.found("panics", format!("an order got {other:?}"));
                }
            }
        }
    }
}

/// Sets the wall clock an hour back, two hours forward, and right again.
async fn clock(world: Arc<World>, mut random: ChaCha8Rng) {
    if !GatewayProcess::has_clock() {
        println!("no libfaketime (Debian: apt-get install faketime): the clock stays right");
        return;
    }
    while world.pause(Duration::from_secs(random.random_range(5..20))).await {
        let offset = [-3_600, 0, 7_200, 30, 0, -5].choose(&mut random).copied().unwrap_or(0);
        world.gateway.set_clock(offset);
        world.count("clock steps");
    }
    world.gateway.set_clock(0);
}

fn recording() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("feeds/recordings/binance.ns.gz")
}

/// A venue that breaks off in every way, is away for a while, and comes back.
async fn venue(world: Arc<World>, mut random: ChaCha8Rng) {
    let faults = [
        "drop",
        "stall",
        "garbage",
        "half-frame",
        "duplicate",
        "out-of-order",
        "close-1006",
        "close-1012",
        "slow-accept",
    ];
    while !world.faults.is_cancelled() {
        let mut command = Command::new(world.gateway.program());
        command
            .args(["venue", "--venue", "binance", "--speed", "2", "--lose", "3"])
            .arg(recording())
            .args(["--port", &world.gateway.venue_port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for _fault in 0..4 {
            let fault = faults.choose(&mut random).copied().unwrap_or("drop");
            command.args(["--fault", &format!("{fault}@{}", random.random_range(20..500))]);
        }
        let Ok(mut playing) = command.spawn() else { return };
        world.count("venues");
        world.pause(Duration::from_secs(random.random_range(10..30))).await;
        let _killed = playing.kill();
        let _status = playing.wait();
        world.pause(Duration::from_secs(random.random_range(1..8))).await;
    }
}

/// A recorder of the venue's frames that is ended in every way: what it had written must be readable.
async fn recorder(world: Arc<World>, mut random: ChaCha8Rng) {
    let definition = world.path("record.toml");
    let text = format!(
        "[[feed]]\nname = \"venue\"\nkind = \"binance\"\nurl = \"ws://127.0.0.1:{}/\"\nsymbols = [\"BTC-USD\"]\n\
         demand = \"always\"\nretry_ms = 100\nretry_max_ms = 1000\n",
        world.gateway.venue_port
    );
    std::fs::write(&definition, text).unwrap();
    let mut number = 0;
    while world.pause(Duration::from_secs(2)).await {
        number += 1;
        let out = world.path(&format!("recording-{number}.ns.zst"));
        let spawned = Command::new(world.gateway.program())
            .arg("record")
            .arg("--feed")
            .arg(&definition)
            .arg("--out")
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else { return };
        world.pause(Duration::from_secs(random.random_range(6..15))).await;
        let signal = ["-TERM", "-HUP", "-INT", "-KILL"].choose(&mut random).copied().unwrap_or("-TERM");
        end(&mut child, signal).await;
        let file = std::fs::File::open(&out);
        let mut read = Vec::new();
        let whole = file.and_then(|file| zstd::stream::copy_decode(file, &mut read));
        match whole {
            Ok(()) => world.count("whole recordings"),
            Err(_why) if signal == "-KILL" => world.count("recordings cut by a kill"),
            Err(why) => world.found("recording", format!("after {signal}: {why}")),
        }
        world.add("recorded bytes", u64::try_from(read.len()).unwrap_or(0));
        let _removed = std::fs::remove_file(&out);
    }
}

async fn end(child: &mut Child, signal: &str) {
    let _sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    if ended(child, Duration::from_secs(10)).await.is_none() {
        let _killed = child.kill();
        let _status = child.wait();
    }
}
