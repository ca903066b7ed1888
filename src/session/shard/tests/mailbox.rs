//! What other threads ask of a shard.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
};

use crate::{
    limits::{ANSWER_SYMBOLS, INSPECT_PAGE, SHARD_MAILBOX, WORK_TURN_UNITS},
    market::{Channel, Source, Symbol},
    session::{
        CloseReason, Grants, MailError, SessionConfig,
        mailbox::{Letters, Mailbox},
        test_client::{Bench, Client, source, symbol, trade},
    },
};

use super::rules::bench;

fn waits(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

/// Asks, and lets the shard answer.
async fn answered<T>(
    bench: &mut Bench,
    letters: &mut Letters,
    ask: impl Future<Output = Result<T, MailError>>,
) -> T {
    let mut ask = Box::pin(ask);
    assert!(waits(ask.as_mut()), "the shard answers");
    bench.shard.open_letter(letters.try_recv().unwrap());
    while bench.shard.work() {}
    ask.await.unwrap()
}

fn only(allow: impl Fn(Symbol, Source, Channel) -> bool + Send + Sync + 'static) -> Grants {
    Grants::Only(Arc::new(allow))
}

fn ended(client: &Client) -> Vec<(String, usize)> {
    let ended = client.log.iter().filter(|it| it["T"] == "unsubscribed" && it.get("id").is_none());
    ended.map(|it| (it["channel"].as_str().unwrap().into(), it["ok"].as_array().unwrap().len())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_and_one_without_a_shard_say_so_at_once() {
    let (mailbox, letters) = Mailbox::new();
    let mut asked: Vec<_> = (0..SHARD_MAILBOX).map(|_| Box::pin(mailbox.info(0))).collect();
    for ask in &mut asked {
        assert!(waits(ask.as_mut()));
    }
    assert_eq!(mailbox.info(0).await.unwrap_err(), MailError::Full);
    drop(letters);
    for ask in asked {
        assert_eq!(ask.await.unwrap_err(), MailError::Gone);
    }
    assert_eq!(mailbox.evict(0, CloseReason::Slow).await, Err(MailError::Gone));
}

#[tokio::test(start_paused = true)]
async fn all_sessions_are_told_in_bounded_pages_and_one_by_its_number() {
    let mut bench = bench(3, SessionConfig::default());
    let mut letters = bench.shard.take_letters().unwrap();
    let mailbox = bench.shard.mailbox();
    let mut clients: Vec<_> = (0..INSPECT_PAGE + 3).map(|_| bench.connect()).collect();
    let (mut seen, mut from) = (Vec::new(), Some(0));
    while let Some(place) = from {
        let page = answered(&mut bench, &mut letters, mailbox.infos(place)).await;
        assert!(page.sessions.len() <= INSPECT_PAGE);
        seen.extend(page.sessions.into_iter().map(|info| info.session));
        from = page.next;
    }
    assert_eq!(seen, (0..clients.len()).map(|i| format!("test-{i}")).collect::<Vec<_>>());
    clients[7].send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["*"]}"#);
    bench.hub.declare(symbol(9), source()).unwrap();
    let list = answered(&mut bench, &mut letters, mailbox.list(7, 1)).await.unwrap();
    assert_eq!((list.subscriptions.len(), list.patterns.len(), list.more), (2, 1, false));
    assert!(answered(&mut bench, &mut letters, mailbox.info(5_000)).await.is_none());
    assert!(answered(&mut bench, &mut letters, mailbox.evict(7, CloseReason::Draining)).await);
    clients[7].take_all(&mut bench);
    assert_eq!(clients[7].last("bye")["code"], 4201);
}

#[tokio::test(start_paused = true)]
async fn what_new_grants_do_not_allow_ends_with_all_that_waits_of_it_and_cannot_be_had_again() {
    let mut bench = bench(4, SessionConfig::default());
    let mut letters = bench.shard.take_letters().unwrap();
    let mailbox = bench.shard.mailbox();
    let (mut client, mut other) = (bench.connect(), bench.connect());
    for channel in ["trades", "quotes"] {
        for who in [&client, &other] {
            who.send(&mut bench, &format!(r#"{{"op":"subscribe","channel":"{channel}","symbols":["*"]}}"#));
        }
    }
    client.take_all(&mut bench);
    other.take_all(&mut bench);
    bench.hub.publish(source(), (0..4).map(|i| trade(i, 1)));
    bench.settle();
    let grants = only(|which, feed, channel| {
        feed == source() && channel == Channel::Trades && [symbol(0), symbol(9)].contains(&which)
    });
    assert!(answered(&mut bench, &mut letters, mailbox.grants_changed(0, grants)).await);
    client.take_all(&mut bench);
    assert_eq!(ended(&client), [("trades".into(), 3), ("quotes".into(), 4)]);
    let waited: Vec<_> = client.log.iter().filter(|it| it["T"] == "t").map(|it| it["S"].clone()).collect();
    assert_eq!(waited, ["S0"], "what waited of the others is not sent");
    client.send(&mut bench, r#"{"op":"subscribe","id":7,"channel":"trades","symbols":["S0","S1","*"]}"#);
    client.take_all(&mut bench);
    let again = client.last("subscribed");
    assert_eq!((again["ok"].as_array().unwrap().len(), &again["ok"][0]["S"]), (1, &"S0".into()));
    assert_eq!((&again["err"][0]["S"], &again["err"][0]["code"]), (&"S1".into(), &414.into()));
    bench.hub.publish(source(), (0..10).map(|i| trade(i, 2)));
    bench.settle();
    client.take_all(&mut bench);
    let new = client.log.iter().filter(|it| it["T"] == "t" && it["id"] == "2");
    let new: BTreeSet<_> = new.map(|it| it["S"].as_str().unwrap()).collect();
    assert_eq!(new, ["S0", "S9"].into(), "a pattern brings what is allowed");
    other.take_all(&mut bench);
    assert_eq!((ended(&other).len(), other.events), (0, 4 + 10), "others notice nothing");
    assert!(answered(&mut bench, &mut letters, mailbox.grants_changed(0, Grants::Everything)).await);
    client.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["S1"]}"#);
    client.take_all(&mut bench);
    assert_eq!(client.last("subscribed")["ok"][0]["S"], "S1");
    assert!(!answered(&mut bench, &mut letters, mailbox.grants_changed(5_000, Grants::Everything)).await);
}

#[tokio::test(start_paused = true)]
async fn new_grants_of_a_session_with_many_subscriptions_take_turns_and_a_client_that_reads_nothing_loses_them_too()
 {
    let most = 3 * WORK_TURN_UNITS / 2;
    let mut bench = bench(most, SessionConfig { symbols_per_session: most, ..SessionConfig::default() });
    let mut letters = bench.shard.take_letters().unwrap();
    let mailbox = bench.shard.mailbox();
    let mut client = bench.connect();
    client.send(&mut bench, r#"{"op":"subscribe","channel":"quotes","symbols":["*"]}"#);
    client.take_all(&mut bench);
    let mut asked = Box::pin(mailbox.grants_changed(0, only(|_, _, _| false)));
    assert!(waits(asked.as_mut()));
    bench.shard.open_letter(letters.try_recv().unwrap());
    let mut turns = 1;
    while bench.shard.work() {
        turns += 1;
        assert!(turns < 100);
    }
    assert!(asked.await.unwrap());
    assert!(turns > most / WORK_TURN_UNITS, "{turns} turns");
    assert!(bench.shard.topics.behind(0).is_none(), "nothing is left, and the client has read nothing yet");
    client.take_all(&mut bench);
    let parts = ended(&client);
    assert!(parts.iter().all(|(_, count)| *count <= ANSWER_SYMBOLS), "{parts:?}");
    assert_eq!(parts.iter().map(|(_, count)| count).sum::<usize>(), most);
}

#[tokio::test(start_paused = true)]
async fn newer_grants_and_the_end_of_a_session_answer_for_those_under_way() {
    let mut bench = bench(3, SessionConfig::default());
    let mut letters = bench.shard.take_letters().unwrap();
    let mailbox = bench.shard.mailbox();
    let client = bench.connect();
    client.send(&mut bench, r#"{"op":"subscribe","channel":"trades","symbols":["*"]}"#);
    let mut open = |bench: &mut Bench, asked: Pin<&mut _>| {
        assert!(waits(asked));
        bench.shard.open_letter(letters.try_recv().unwrap());
    };
    let mut first = Box::pin(mailbox.grants_changed(0, only(|_, _, _| false)));
    open(&mut bench, first.as_mut());
    let mut second = Box::pin(mailbox.grants_changed(0, Grants::Everything));
    open(&mut bench, second.as_mut());
    assert!(first.await.unwrap());
    assert!(waits(second.as_mut()));
    bench.shard.leave(client.key, bench.hub.instant());
    assert!(second.await.unwrap());
    bench.settle();
    let mut gone = Box::pin(mailbox.grants_changed(0, Grants::Everything));
    open(&mut bench, gone.as_mut());
    assert!(!gone.await.unwrap(), "its number is found no more");
}
