//! Whether anything new comes at all, told to each session.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::session::test_client::{Bench, Client, Fake, source, trade};
use crate::{
    clock::Instant,
    hub::{HubConfig, SourceWord},
    market::{State, UnixMicros},
    session::{Framing, SessionConfig},
};

fn stale(since: i64) -> Option<SourceWord> {
    Some(SourceWord { state: State::Stale, since: UnixMicros(since), why: "no word".into() })
}

fn told(client: &Client) -> Vec<&Value> {
    client.log.iter().filter(|message| message["T"] == "source").collect()
}

#[test]
fn each_session_is_told_once_of_each_change_and_new_ones_behind_their_welcome() {
    let mut bench = Bench::new(HubConfig::default(), SessionConfig::default());
    bench.hub.publish(source(), [trade(0, 1)]);
    let mut clients = vec![bench.connect(), bench.connect()];
    let poll = Rc::new(Fake::default());
    let admission = bench.connections.admit([127, 0, 0, 1].into()).unwrap();
    let now = Instant::now();
    let key = bench.shard.open_positioned(Framing::Poll, Rc::clone(&poll) as Rc<_>, admission, now);
    bench.settle();
    assert!(!poll.woken.take());
    bench.hub.set_source_word(stale(7));
    // Before its turn came: it is told with the others.
    clients.push(bench.connect());
    bench.settle();
    assert!(poll.woken.take(), "its answer is due");
    clients.push(bench.connect());
    bench.hub.set_source_word(stale(7));
    bench.settle();
    let stale_now = json!({"T": "source", "state": "stale", "since": 7, "why": "no word"});
    for client in &mut clients {
        client.take_all(&mut bench);
        let kinds: Vec<_> = client.log.iter().map(|message| &message["T"]).collect();
        assert_eq!(kinds[0], "welcome", "{kinds:?}");
        assert_eq!(told(client), [&stale_now]);
    }
    bench.shard.leave(key, now);
    bench.hub.set_source_word(stale(9));
    bench.hub.set_source_word(None);
    bench.settle();
    clients.push(bench.connect());
    for (i, client) in clients.iter_mut().enumerate() {
        client.take_all(&mut bench);
        let live = json!({"T": "source", "state": "live"});
        let all = [&stale_now, &live];
        assert_eq!(
            told(client),
            if i == 4 { &[][..] } else { &all[..] },
            "a state that was over is not told"
        );
    }
}
