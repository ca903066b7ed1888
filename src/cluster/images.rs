//! Images on their way from a node that is in step to one that is not.
//!
//! Who needs one says so; of the others that are in step the first that claims it makes it, the leader last. Slices go as pieces
//! of a bounded size, of which few wait at a time. Nothing stands still for it: batches are applied between two slices. What
//! fails on the way is asked for again, from its beginning.

use std::{convert::Infallible, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    ImageBuilder, Slice, WholeImage,
    context::{Led, NodeContext, Patience, random_name},
    log::{Log, LogError, Note},
    roles::Standing,
};
use crate::{
    hub::Event,
    limits::{
        IMAGE_CHUNK_BYTES, IMAGE_FIRST, IMAGE_LEADER_WAITS, IMAGE_NEXT, IMAGE_PAUSE, IMAGE_TAKEN,
        MAX_SLICE_PIECES,
    },
    metrics::ImageOutcome,
};

/// A node needs an image.
#[derive(Debug)]
pub(super) struct Request {
    /// Its name.
    pub(super) id: String,
    /// The node.
    pub(super) node: String,
}

/// What goes before the slices.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    led: Led,
}

/// First byte of a piece: more of its slice follows, it ends its slice, or it stands before all slices.
const MORE: u8 = 0;
const ENDS: u8 = 1;
const HEAD: u8 = 2;

/// Makes images for others while this node is in step. Never ends.
pub(super) async fn serve(shared: &NodeContext, mut requests: mpsc::Receiver<Request>) -> Infallible {
    let mut patience = Patience::new("images");
    loop {
        let Some(Request { id, node }) = requests.recv().await else {
            // The reader has ended, and so will this task in a moment.
            std::future::pending::<()>().await;
            continue;
        };
        if !is_in_step(shared) {
            continue;
        }
        if shared.seen.borrow().leads {
            sleep(IMAGE_LEADER_WAITS).await;
        }
        let mut log = shared.log.clone();
        let started = Instant::now();
        match make(shared, &mut log, &id).await {
            Ok(None) => {}
            Ok(Some(outcome)) => {
                shared.metrics.image(outcome);
                let (outcome, took_ms) = (outcome.as_str(), started.elapsed().as_millis());
                tracing::info!(node, outcome, took_ms, "an image for another node");
            }
            Err(why) => {
                shared.metrics.image(ImageOutcome::Abandoned);
                shared.count(&why);
                patience.after(&why).await;
            }
        }
    }
}

fn is_in_step(shared: &NodeContext) -> bool {
    shared.seen.borrow().standing == Standing::InStep
}

/// Makes one image, unless another node does.
async fn make(shared: &NodeContext, log: &mut Log, id: &str) -> Result<Option<ImageOutcome>, LogError> {
    if !log.claim(id, &shared.id).await? {
        return Ok(None);
    }
    let head = Head { led: shared.seen.borrow().led.clone() };
    let head = serde_json::to_vec(&head).unwrap_or_default();
    if !put(log, id, HEAD, &head).await? {
        return Ok(Some(ImageOutcome::Abandoned));
    }
    let mut next = Ok(0);
    while let Ok(from) = next {
        let Some(slice) = slice(shared, from).await else { return Ok(Some(ImageOutcome::Abandoned)) };
        next = slice.next.clone();
        // Some milliseconds' work, which is not this thread's.
        let Ok(bytes) = spawn_blocking(move || slice.encode()).await else {
            return Ok(Some(ImageOutcome::Abandoned));
        };
        let mut pieces = bytes.chunks(IMAGE_CHUNK_BYTES).peekable();
        while let Some(piece) = pieces.next() {
            let kind = if pieces.peek().is_some() { MORE } else { ENDS };
            if !put(log, id, kind, piece).await? {
                return Ok(Some(ImageOutcome::Abandoned));
            }
        }
    }
    Ok(Some(ImageOutcome::Served))
}

/// The next slice, as soon as no batch is half applied; nothing when this node is in step no more.
async fn slice(shared: &NodeContext, from: u32) -> Option<Slice<Arc<Event>>> {
    let until = Instant::now() + IMAGE_NEXT;
    while is_in_step(shared) && Instant::now() < until {
        if let Some(slice) = shared.follower.lock().slice(from) {
            return Some(slice);
        }
        sleep(IMAGE_PAUSE).await;
    }
    None
}

/// Hands over one piece as soon as there is room; false when there is none for too long.
async fn put(log: &mut Log, id: &str, kind: u8, piece: &[u8]) -> Result<bool, LogError> {
    let mut bytes = Vec::with_capacity(piece.len() + 1);
    bytes.push(kind);
    bytes.extend_from_slice(piece);
    let until = Instant::now() + IMAGE_TAKEN;
    while !log.put_piece(id, &bytes).await? {
        if Instant::now() >= until {
            return Ok(false);
        }
        sleep(IMAGE_PAUSE).await;
    }
    Ok(true)
}

/// Asks the others for an image and puts it together; nothing when none comes.
pub(super) async fn fetch(
    shared: &NodeContext,
    log: &mut Log,
) -> Result<Option<(WholeImage, Led)>, LogError> {
    let id = random_name(&mut rand::rng());
    let started = Instant::now();
    log.note(&Note::ImageWanted { id: id.clone(), node: shared.id.clone() }).await?;
    let mut building = Building::default();
    let mut wait = IMAGE_FIRST;
    loop {
        let Some(piece) = log.take_piece(&id, wait).await? else {
            shared.metrics.image(ImageOutcome::Missing);
            tracing::warn!(wait_ms = wait.as_millis(), "no other node hands over an image: asked again");
            return Ok(None);
        };
        wait = IMAGE_NEXT;
        match building.take(&piece) {
            Ok(None) => {}
            Ok(Some(image)) => {
                let took = started.elapsed();
                shared.metrics.image_loaded(took);
                let (topics, took_ms) = (image.0.topics(), took.as_millis());
                tracing::info!(topics, took_ms, first = %image.0.first(), "an image has come");
                return Ok(Some(image));
            }
            Err(why) => {
                shared.metrics.image(ImageOutcome::Unreadable);
                tracing::error!("an image cannot be read: {why}");
                sleep(IMAGE_FIRST).await;
                return Ok(None);
            }
        }
    }
}

/// An image that has come in part.
#[derive(Default)]
struct Building {
    led: Option<Led>,
    image: ImageBuilder,
    slice: Vec<u8>,
    pieces: usize,
}

impl Building {
    /// Takes the next piece; returns the image with the last one.
    fn take(&mut self, piece: &[u8]) -> Result<Option<(WholeImage, Led)>, String> {
        let (kind, bytes) = piece.split_first().ok_or("a piece is empty")?;
        match (*kind, &self.led) {
            (HEAD, None) => {
                let head: Head = serde_json::from_slice(bytes).map_err(|why| why.to_string())?;
                self.led = Some(head.led);
                return Ok(None);
            }
            (MORE | ENDS, Some(_)) => {}
            _ => return Err("its pieces are out of order".into()),
        }
        self.pieces += 1;
        if self.pieces > MAX_SLICE_PIECES {
            return Err("a slice is larger than any".into());
        }
        self.slice.extend_from_slice(bytes);
        if *kind == MORE {
            return Ok(None);
        }
        self.pieces = 0;
        let slice =
            Slice::decode(&std::mem::take(&mut self.slice)).map_err(|why| format!("a slice {why}"))?;
        let whole = self.image.add(slice).map_err(|why| why.to_string())?;
        Ok(whole.zip(self.led.clone()))
    }
}
