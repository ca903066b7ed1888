//! What clients cost, by counts: never by time.

use super::client::{Bench, quote, source, symbol};
use crate::{clock::Instant, hub::HubConfig, session::SessionConfig};

fn bench(symbols: usize, session: SessionConfig) -> Bench {
    let bench = Bench::new(HubConfig::default(), session);
    for i in 0..symbols {
        bench.hub.declare(symbol(i), source()).unwrap();
    }
    bench
}

#[test]
fn timers_of_slow_rates_go_with_their_subscriptions() {
    let mut bench = bench(100, SessionConfig::default());
    bench.hub.publish(source(), (0..100).map(quote));
    let mut clients: Vec<_> = (0..3).map(|_| bench.connect()).collect();
    for client in &mut clients {
        client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["*"],"max_rate":0.001}"#);
        client.take_all(&mut bench);
    }
    bench.hub.publish(source(), (0..100).map(quote));
    bench.settle();
    assert_eq!(bench.shard.timers.len(), 300, "one event of each waits for its time");
    clients[0].send(&mut bench, r#"{"op":"unsubscribe","channel":"quotes","symbols":["S1*"]}"#);
    assert_eq!(bench.shard.timers.len(), 289);
    clients[1].send(&mut bench, r#"{"op":"update","channel":"quotes","symbols":["*"],"mode":"stream"}"#);
    assert_eq!(bench.shard.timers.len(), 189);
    clients[0].send(&mut bench, r#"{"op":"update","channel":"quotes","symbols":["*"],"max_rate":0.002}"#);
    clients[0].take_all(&mut bench);
    bench.hub.publish(source(), (0..100).map(quote));
    bench.settle();
    assert_eq!(bench.shard.timers.len(), 189, "one for each subscription");
    for client in &clients {
        bench.shard.leave(client.key, Instant::now());
    }
    assert_eq!((bench.shard.timers.len(), bench.shard.next_timer()), (0, None));
}
