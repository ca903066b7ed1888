//! Pushed ticks on their way to the leader: from whichever node a producer talks to, through the inbox, into the log.
//!
//! Each entry enters the log exactly once, over any change of leaders: the leader publishes its ticks and writes its id into the
//! same batch, and the next leader goes on behind the newest id that the log has.

use std::convert::Infallible;

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    Batch, Entry, InboxId, WireError,
    context::{NodeContext, Patience},
    log::{LogError, Pushed},
};
use crate::{
    hub::Input,
    limits::{INBOX_BLOCK, INBOX_CONFIRM, INBOX_PART_TICKS, INBOX_WAITING},
    market::{Source, Tick, UnixMicros},
};

/// Entries of the inbox, each with its ticks.
pub(super) type Coming = mpsc::Receiver<Arrived>;

/// An entry of the inbox; without ticks if it was none of a producer.
pub(super) type Arrived = (InboxId, Option<Parcel>);

/// The ticks that one producer has sent to one feed, or a part of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parcel {
    pub(super) feed: Source,
    pub(super) ticks: Vec<Tick>,
}

/// Why pushed ticks are not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Too much waits for the leader.
    #[error("too many ticks wait for the node that leads: nothing was published, try again")]
    Full,
    /// No node leads.
    #[error("no node leads at the moment: nothing was published, try again")]
    Closed,
    /// They may be published or not.
    #[error(
        "not confirmed in time: the ticks may be published yet, or not; sent again with the same Idempotency-Key they are not published twice"
    )]
    Unconfirmed,
}

impl Parcel {
    fn encode(&self, time: UnixMicros) -> Vec<u8> {
        let entries = self.ticks.iter().map(|tick| Entry::Input(Input::Tick(tick.clone()))).collect();
        let name = self.feed.as_str().as_bytes();
        let mut bytes = vec![u8::try_from(name.len()).unwrap_or(u8::MAX)];
        bytes.extend_from_slice(name);
        bytes.extend(Batch { time, passes: false, inbox: None, entries }.encode());
        bytes
    }

    /// Reads an entry; what is no tick of a producer is refused with the whole.
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        const BAD: WireError = WireError::Damaged("not what a producer sends");
        let (length, rest) = bytes.split_first().ok_or(WireError::Ends)?;
        let (name, rest) = rest.split_at_checked(usize::from(*length)).ok_or(WireError::Ends)?;
        let name = std::str::from_utf8(name).map_err(|_no_text| BAD)?;
        let feed = Source::new(name).map_err(|_no_name| BAD)?;
        let ticks = Batch::decode(rest)?.entries.into_iter().map(|entry| {
            let Entry::Input(Input::Tick(tick)) = entry else { return Err(BAD) };
            Ok(tick)
        });
        Ok(Self { feed, ticks: ticks.collect::<Result<_, _>>()? })
    }
}

/// A part of a request on its way into the inbox.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Vec<u8>,
    key: Option<String>,
    answer: oneshot::Sender<Result<InboxId, PushError>>,
}

/// Puts ticks into the inbox and waits until the log has them, which this node has then applied.
///
/// # Errors
/// When they are not published, or it cannot be said whether they are.
pub(super) async fn push(
    shared: &NodeContext,
    outgoing: &mpsc::Sender<Outgoing>,
    (feed, ticks): (Source, Vec<Tick>),
    key: Option<&str>,
) -> Result<(), PushError> {
    let time = shared.hub.clock().now();
    let pushing = async {
        let mut last = None;
        for (i, part) in ticks.chunks(INBOX_PART_TICKS).enumerate() {
            let key = key.map(|key| format!("{i}.{key}"));
            let bytes = Parcel { feed, ticks: part.to_vec() }.encode(time);
            let (answer, answered) = oneshot::channel();
            let sent = outgoing.send(Outgoing { bytes, key, answer }).await;
            sent.map_err(|_node_ends| PushError::Unconfirmed)?;
            let put = answered.await.unwrap_or(Err(PushError::Unconfirmed));
            // Of a request that is there in part it is never said that nothing was published.
            last = Some(put.map_err(|why| if i == 0 { why } else { PushError::Unconfirmed })?);
        }
        let Some(last) = last else { return Ok(()) };
        let confirmed = shared.inbox.subscribe().wait_for(|newest| *newest >= last).await.is_ok();
        if confirmed { Ok(()) } else { Err(PushError::Unconfirmed) }
    };
    timeout(INBOX_CONFIRM, pushing).await.unwrap_or(Err(PushError::Unconfirmed))
}

/// Puts what producers of this node send into the inbox, one part after the other on one connection. Never ends.
pub(super) async fn carry(shared: &NodeContext, mut coming: mpsc::Receiver<Outgoing>) -> Infallible {
    let mut log = shared.log.clone();
    loop {
        let Some(Outgoing { bytes, key, answer }) = coming.recv().await else {
            // The node has ended, and so will this task in a moment.
            std::future::pending::<()>().await;
            continue;
        };
        if answer.is_closed() {
            continue;
        }
        let put = match log.push_inbox(&bytes, key.as_deref()).await {
            Ok(Pushed::Waiting(id)) => Ok(id),
            Ok(Pushed::Full) => Err(PushError::Full),
            Ok(Pushed::Closed) => Err(PushError::Closed),
            Err(why @ LogError::Connect(_)) => {
                shared.count(&why);
                Err(PushError::Closed)
            }
            Err(why) => {
                shared.count(&why);
                Err(PushError::Unconfirmed)
            }
        };
        // Its producer may have gone.
        let _gone = answer.send(put);
    }
}

/// A channel for the leader: what waits in it is bounded by [`INBOX_WAITING`].
pub(super) fn channel() -> (mpsc::Sender<Arrived>, Coming) {
    mpsc::channel(INBOX_WAITING)
}

/// Reads the inbox for the leader, behind what the log has, and removes what the log has. Never ends.
pub(super) async fn pump(shared: &NodeContext, parcels: mpsc::Sender<Arrived>) -> Infallible {
    let mut log = shared.log.clone();
    let mut patience = Patience::new("inbox");
    let mut after = *shared.inbox.borrow();
    let mut trimmed = InboxId::default();
    loop {
        match log.read_inbox(after, INBOX_BLOCK).await {
            Ok(entries) => {
                patience.reset();
                shared.metrics.inbox(entries.len());
                for (id, bytes) in entries {
                    after = id;
                    let parcel = Parcel::decode(&bytes);
                    let parcel =
                        parcel.inspect_err(|why| tracing::error!(%id, "an entry of the inbox {why}"));
                    // The leader has gone: so has this future, in a moment.
                    let _gone = parcels.send((id, parcel.ok())).await;
                }
            }
            Err(why) => {
                shared.count(&why);
                patience.after(&why).await;
            }
        }
        let newest = *shared.inbox.borrow();
        if newest > trimmed && log.trim_inbox(newest).await.is_ok() {
            trimmed = newest;
        }
    }
}
