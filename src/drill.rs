//! Faults on demand, for tests of what the gateway does about them. In a release all of it is empty.
//!
//! One order at a time, for the whole process: the tests that use it run the program, not the library.

#[cfg(feature = "test-endpoints")]
mod armed {
    use std::sync::LazyLock;

    use parking_lot::Mutex;
    use tokio::sync::Notify;

    /// The task that is to fail next.
    pub(super) static NEXT: Mutex<Option<String>> = Mutex::new(None);

    /// Told when [`NEXT`] changes.
    pub(super) static CHANGED: LazyLock<Notify> = LazyLock::new(Notify::new);

    pub(super) fn takes(task: &str) -> bool {
        NEXT.lock().take_if(|next| next == task).is_some()
    }
}

/// Orders that the task of that name fails when it next asks.
#[cfg(feature = "test-endpoints")]
pub fn arm(task: &str) {
    *armed::NEXT.lock() = Some(task.to_owned());
    armed::CHANGED.notify_waiters();
}

/// Panics if the task of that name was ordered to fail.
///
/// # Panics
/// When ordered.
#[cfg(feature = "test-endpoints")]
#[expect(clippy::panic, reason = "that is what it is for")]
pub fn strike(task: &str) {
    if armed::takes(task) {
        panic!("a drill: {task} fails");
    }
}

/// Panics if the task of that name was ordered to fail: never, in a release.
#[cfg(not(feature = "test-endpoints"))]
#[inline]
pub const fn strike(_task: &str) {}

/// Completes when the task of that name was ordered to end.
///
/// # Cancel safety
/// An order is not lost when the future is dropped.
#[cfg(feature = "test-endpoints")]
pub async fn ordered(task: &str) {
    loop {
        let changed = armed::CHANGED.notified();
        if armed::takes(task) {
            return;
        }
        changed.await;
    }
}

/// Completes when the task of that name was ordered to end: never, in a release.
#[cfg(not(feature = "test-endpoints"))]
pub async fn ordered(_task: &str) {
    std::future::pending().await
}
