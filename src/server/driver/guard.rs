//! A panic in one session's task ends that session and no other. The task leaves the shard usable as a rule; if the shard
//! cannot even forget the session, it has failed itself, and the gateway ends.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use futures_util::FutureExt as _;

use crate::{clock::Instant, hub::Hub, server::gateway::LocalShard, session::SessionKey};

/// Runs a session's task to its end.
pub(crate) fn guarded(
    task: impl Future<Output = ()>,
    (shard, key): (LocalShard, SessionKey),
    hub: Arc<Hub>,
) -> impl Future<Output = ()> {
    caught(task, move || {
        let forgets = || shard.borrow_mut().leave(key, Instant::now());
        if catch_unwind(AssertUnwindSafe(forgets)).is_err() {
            shard.borrow_mut().fail();
        }
        hub.metrics().tasks.count("session", "panic");
    })
}

/// A task, and what follows if it panics. No `async` function: that would have room for the task twice, and every idle
/// session would take so much more memory.
fn caught(task: impl Future<Output = ()>, panicked: impl FnOnce()) -> impl Future<Output = ()> {
    AssertUnwindSafe(task).catch_unwind().map(|ended| {
        if ended.is_err() {
            panicked();
        }
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_guarded_task_takes_no_more_room_than_itself_and_what_follows_a_panic() {
        let panics = Cell::new(0);
        let task = |fails: bool| async move {
            let room = [1_u8; 4_000];
            tokio::task::yield_now().await;
            assert!(!fails, "{}", room.len());
        };
        let size = size_of_val(&task(false));
        let caught = |fails| caught(task(fails), || panics.set(panics.get() + 1));
        assert!(size_of_val(&caught(false)) < size + 100, "the task is there once");
        caught(false).await;
        assert_eq!(panics.get(), 0);
        caught(true).await;
        assert_eq!(panics.get(), 1);
    }
}
