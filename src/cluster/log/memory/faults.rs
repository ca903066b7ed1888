//! What can go wrong between a node and the server, on command.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::cluster::Position;

/// The line of one node. Set a fault and then [wake](super::MemoryServer::wake) those who wait.
#[derive(Debug, Default)]
pub struct Line {
    cut: AtomicBool,
    stalled: AtomicBool,
    lost_answers: AtomicU32,
    repeated: AtomicU32,
    skipped: AtomicU32,
    spoiled: AtomicU32,
}

impl Line {
    /// Every call fails at once, as with a closed port.
    pub fn cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    /// Every call waits until its deadline and fails, as behind a firewall that drops; what it asks for does not happen.
    pub fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::SeqCst);
    }

    /// The next `calls` calls happen on the server, and their answers are lost.
    pub fn lose_answers(&self, calls: u32) {
        self.lost_answers.store(calls, Ordering::SeqCst);
    }

    /// The next `reads` reads begin one batch earlier than asked for.
    pub fn repeat(&self, reads: u32) {
        self.repeated.store(reads, Ordering::SeqCst);
    }

    /// The next `batches` batches are missing from what is read.
    pub fn skip_batches(&self, batches: u32) {
        self.skipped.store(batches, Ordering::SeqCst);
    }

    /// The next `batches` batches that this node appends are garbage.
    pub fn spoil_batches(&self, batches: u32) {
        self.spoiled.store(batches, Ordering::SeqCst);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::SeqCst)
    }

    pub(super) fn loses_the_answer(&self) -> bool {
        once(&self.lost_answers)
    }

    pub(super) fn step_back(&self, after: Position) -> Position {
        let is_due = after.seq > 0 && once(&self.repeated);
        if is_due { Position { term: after.term, seq: after.seq - 1 } } else { after }
    }

    pub(super) fn skip(&self, batches: &mut Vec<(Position, Vec<u8>)>) {
        while !batches.is_empty() && once(&self.skipped) {
            batches.remove(0);
        }
    }

    pub(super) fn spoil(&self, bytes: Vec<u8>) -> Vec<u8> {
        if once(&self.spoiled) { bytes.iter().map(|byte| !byte).collect() } else { bytes }
    }
}

/// Counts one down, if there is one.
fn once(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}
