//! Raw frames on their way to a recording.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{limits::RECORD_FRAMES, market::UnixMicros};

/// One frame as it came.
#[derive(Debug, Clone)]
pub struct Frame {
    /// When it was received.
    pub tr: UnixMicros,
    /// Its payload.
    pub bytes: Bytes,
}

/// The end that feeds send to.
#[derive(Debug, Clone)]
pub struct Tap(mpsc::Sender<Frame>);

/// A tap and its receiver.
#[must_use]
pub fn tap() -> (Tap, mpsc::Receiver<Frame>) {
    let (sender, receiver) = mpsc::channel(RECORD_FRAMES);
    (Tap(sender), receiver)
}

impl Tap {
    /// Hands over a frame, and waits while the recorder is behind. Without a recorder frames are dropped.
    pub(super) async fn send(&self, frame: Frame) {
        let _gone = self.0.send(frame).await;
    }
}
