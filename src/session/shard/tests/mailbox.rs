//! What other threads ask of a shard.

use std::{
    pin::Pin,
    task::{Context, Waker},
};

use crate::{
    limits::{INSPECT_PAGE, SHARD_MAILBOX},
    session::{
        CloseReason, MailError, SessionConfig,
        mailbox::{Letters, Mailbox},
        test_client::{Bench, source, symbol},
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
    ask.await.unwrap()
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
