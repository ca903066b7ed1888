//! What the connections and the tape of a mock venue share: who is connected, what each is subscribed to, and what
//! goes wrong next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clap::ValueEnum;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::{counter::Counts, fault::Fault, tape::Topic};
use crate::dialect::Venue;

/// Frames that wait for one client; the tape waits when there are more.
const WAITING: usize = 256;

/// What can go wrong with a product list, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFault {
    /// It is answered with 503.
    Unavailable,
    /// A page that is no JSON comes.
    Garbage,
    /// Blanks come without end.
    Huge,
    /// Nothing comes.
    Slow,
}

/// What is traded, under the venue's names, and whether it trades now.
pub(super) type Products = BTreeMap<String, bool>;

/// What the tape wants of a connection.
#[derive(Debug)]
pub(super) enum PeerCommand {
    /// This frame is to be sent.
    Text(String),
    /// The connection is to end in that way, with this frame where one is needed.
    End(Fault, String),
}

/// What is wrong with the next connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextFault {
    /// It is taken and not answered.
    NoAnswer,
    /// The client is not let in.
    NotLetIn,
    /// There were too many.
    TooMany,
}

/// A client of the stand-in.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) commands: mpsc::Sender<PeerCommand>,
    pub(super) topics: BTreeSet<Topic>,
}

/// What the connections and the tape share.
#[derive(Debug)]
pub(super) struct PeerState {
    pub(super) venue: Venue,
    pub(super) known: BTreeSet<String>,
    pub(super) peers: Mutex<BTreeMap<usize, Peer>>,
    pub(super) counts: Mutex<Counts>,
    pub(super) next_fault: Mutex<Option<NextFault>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) held: watch::Sender<bool>,
    pub(super) products: Mutex<Products>,
    pub(super) list_faults: Mutex<VecDeque<ListFault>>,
}

impl PeerState {
    pub(super) fn products(&self) -> Products {
        self.products.lock().clone()
    }

    /// A client was let in; what it is to be sent comes out of the receiver.
    pub(super) fn enter(&self, key: usize) -> mpsc::Receiver<PeerCommand> {
        let (commands, receiver) = mpsc::channel(WAITING);
        self.peers.lock().insert(key, Peer { commands, topics: BTreeSet::new() });
        self.tell();
        receiver
    }

    pub(super) fn leave(&self, key: usize) {
        self.peers.lock().remove(&key);
        self.tell();
    }

    pub(super) fn topics(&self, key: usize) -> BTreeSet<Topic> {
        self.peers.lock().get(&key).map(|peer| peer.topics.clone()).unwrap_or_default()
    }

    pub(super) fn change(&self, key: usize, add: BTreeSet<Topic>, remove: &BTreeSet<Topic>) {
        let names =
            |topics: &BTreeSet<Topic>| topics.iter().map(|topic| topic.1.clone()).collect::<BTreeSet<_>>();
        let mut counts = self.counts.lock();
        for name in names(&add) {
            *counts.subscribed.entry(name).or_default() += 1;
        }
        for name in names(remove) {
            *counts.unsubscribed.entry(name).or_default() += 1;
        }
        drop(counts);
        if let Some(peer) = self.peers.lock().get_mut(&key) {
            peer.topics.extend(add);
            peer.topics.retain(|topic| !remove.contains(topic));
        }
        self.tell();
    }

    fn tell(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    pub(super) fn subscribed(&self) -> BTreeSet<Topic> {
        self.peers.lock().values().flat_map(|peer| peer.topics.iter().cloned()).collect()
    }

    pub(super) async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !condition(self) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}
