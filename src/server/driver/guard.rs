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
pub(crate) async fn guarded(
    task: impl Future<Output = ()>,
    (shard, key): (LocalShard, SessionKey),
    hub: Arc<Hub>,
) {
    if AssertUnwindSafe(task).catch_unwind().await.is_ok() {
        return;
    }
    let forgets = || shard.borrow_mut().leave(key, Instant::now());
    if catch_unwind(AssertUnwindSafe(forgets)).is_err() {
        shard.borrow_mut().fail();
    }
    hub.metrics().tasks.count("session", "panic");
}
