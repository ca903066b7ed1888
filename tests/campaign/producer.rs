//! Well-behaved producers: what was accepted is counted.

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::{gateway::DESK, http::Connection, world::World};

/// Whether producers rest, so that clients can catch up.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Publishes some hundred trades and quotes a second over one connection that stays open, until faults end.
pub(crate) async fn publish(world: Arc<World>) {
    let mut serial = 0_u64;
    while !world.faults.is_cancelled() {
        let life = world.gateway.life();
        if let Err(why) = visit(&world, &mut serial).await {
            if life % 2 == 1 && world.gateway.life() == life {
                world.found("cut", format!("a producer's connection: {why}"));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    QUIET.store(true, Ordering::SeqCst);
}

async fn visit(world: &World, serial: &mut u64) -> std::io::Result<()> {
    let mut connection = Connection::open(world.address(), Ipv4Addr::LOCALHOST).await?;
    loop {
        let mut body = String::new();
        for symbol in DESK {
            *serial += 1;
            let price = format!("{}.{:02}", 10 + *serial % 90, *serial % 100);
            body += &json!({"S": symbol, "p": price, "s": "1", "id": serial.to_string()}).to_string();
            body.push('\n');
            body += &json!({"S": symbol, "bp": price, "ap": price, "as": "2"}).to_string();
            body.push('\n');
        }
        body += &correction(*serial).to_string();
        body.push('\n');
        let answer =
            connection.post("/v1/publish?feed=desk", "application/x-ndjson", body.as_bytes()).await?;
        let outcome: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match answer.status {
            200 if outcome["accepted"] == 9 => {
                world.add("ticks published", 8);
                world.count("trades taken back or corrected");
            }
            200 => world.found("publish", format!("of 9 good ticks: {outcome}")),
            429 | 503 => world.count("publishes told to come back later"),
            status => world.found("publish", format!("{status}: {outcome}")),
        }
        if world.faults.is_cancelled() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Takes back or changes the trade before the newest of a symbol, or a trade that a restart may have forgotten.
fn correction(serial: u64) -> Value {
    let desk = DESK.len() as u64;
    let back = if serial.is_multiple_of(5) { 500 * desk } else { desk };
    let of = serial.saturating_sub(back).max(1);
    let symbol = DESK[usize::try_from((of - 1) % desk).unwrap_or(0)];
    if serial.is_multiple_of(3) {
        json!({"T": "c", "S": symbol, "id": of.to_string(), "why": "corrected", "p": "12.34", "s": "3"})
    } else {
        json!({"T": "c", "S": symbol, "id": of.to_string(), "why": "busted"})
    }
}

/// Waits until nothing is published any more, and a moment for what is under way.
pub(crate) async fn quiet(world: &World) {
    if world.wants("publish") {
        while !QUIET.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(8)).await;
}
