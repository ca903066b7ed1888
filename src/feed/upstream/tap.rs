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

/// The feeds' end.
#[derive(Debug, Clone)]
pub struct Tap(mpsc::Sender<Frame>);

/// A tap, and where its frames come out.
#[must_use]
pub fn tap() -> (Tap, mpsc::Receiver<Frame>) {
    let (sender, receiver) = mpsc::channel(RECORD_FRAMES);
    (Tap(sender), receiver)
}

impl Tap {
    /// Hands a frame over; waits while the recorder is behind. When it is gone, frames go nowhere.
    pub(super) async fn send(&self, frame: Frame) {
        let _gone = self.0.send(frame).await;
    }
}
