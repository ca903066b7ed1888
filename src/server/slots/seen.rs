//! A connection as others see it.

use std::sync::atomic::{AtomicBool, AtomicU64};

use futures_util::task::AtomicWaker;

/// What is known of a connection to those who look for one that gives way.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The number of the pause it is in; 0 while there is something to do.
    pub(super) idle: AtomicU64,
    pub(super) evicted: AtomicBool,
    pub(super) task: AtomicWaker,
}
