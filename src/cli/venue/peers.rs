//! What a mock venue's connections and its tape share: the clients, their subscriptions, and the faults to come.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::{AtomicUsize, Ordering},
};

use clap::ValueEnum;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};

use super::{
    counter::Counts,
    fault::{Fault, ValueFault},
    rules::{Arrivals, Rules},
};
use crate::{
    clock::Instant,
    dialect::{Topic, Venue},
    market::Quote,
};

/// Frames that may wait for one client. At more the tape waits.
const WAITING: usize = 256;

/// A fault of the product list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFault {
    /// The answer is 503.
    Unavailable,
    /// The answer is not JSON.
    Garbage,
    /// The answer is endless blanks.
    Huge,
    /// There is no answer.
    Slow,
}

/// The products by the venue's names, and whether each trades.
pub(super) type Products = BTreeMap<String, bool>;

/// A command of the tape to a connection.
#[derive(Debug)]
pub(super) enum PeerCommand {
    /// Send this frame.
    Text(String),
    /// End the connection by this fault; some faults send part of this frame.
    End(Fault, String),
}

/// The fault of the next connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextFault {
    /// It is accepted and never answered.
    NoAnswer,
    /// The credentials are refused.
    NotLetIn,
    /// It is refused with 429.
    TooMany,
}

/// A client of the mock venue.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) commands: mpsc::Sender<PeerCommand>,
    pub(super) topics: BTreeSet<Topic>,
    /// Symbols whose trading states it gets.
    states: Vec<String>,
    arrivals: Arrivals,
    is_let_in: bool,
    /// Whether its newest message broke the rate limit.
    is_over: bool,
}

/// What the connections and the tape share.
#[derive(Debug)]
pub(super) struct PeerState {
    pub(super) venue: Venue,
    pub(super) rules: Rules,
    /// The number of requests still to refuse.
    pub(super) faulty: AtomicUsize,
    /// When messages of all clients came.
    pub(super) arrivals: Mutex<Arrivals>,
    pub(super) known: BTreeSet<String>,
    pub(super) peers: Mutex<BTreeMap<usize, Peer>>,
    pub(super) counts: Mutex<Counts>,
    pub(super) next_fault: Mutex<Option<NextFault>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) held: watch::Sender<bool>,
    pub(super) products: Mutex<Products>,
    pub(super) list_faults: Mutex<VecDeque<ListFault>>,
    pub(super) value_faults: Mutex<VecDeque<ValueFault>>,
    /// The newest quote of each symbol, by the venue's name.
    pub(super) values: Mutex<BTreeMap<String, Quote>>,
}

impl Peer {
    const fn new(commands: mpsc::Sender<PeerCommand>) -> Self {
        let arrivals = Arrivals::new();
        Self {
            commands,
            topics: BTreeSet::new(),
            states: Vec::new(),
            arrivals,
            is_let_in: false,
            is_over: false,
        }
    }
}

impl PeerState {
    pub(super) fn products(&self) -> Products {
        self.products.lock().clone()
    }

    /// Adds a client. The receiver yields the tape's commands to it.
    pub(super) fn enter(&self, key: usize) -> mpsc::Receiver<PeerCommand> {
        let (commands, receiver) = mpsc::channel(WAITING);
        self.peers.lock().insert(key, Peer::new(commands));
        self.tell();
        receiver
    }

    pub(super) fn leave(&self, key: usize) {
        self.peers.lock().remove(&key);
        self.tell();
    }

    /// The client's subscriptions: topics, and symbols with trading states.
    pub(super) fn subscriptions(&self, key: usize) -> (BTreeSet<Topic>, Vec<String>) {
        let peers = self.peers.lock();
        peers.get(&key).map(|peer| (peer.topics.clone(), peer.states.clone())).unwrap_or_default()
    }

    /// Counts a message. Returns whether it breaks the rate limit.
    pub(super) fn has_too_many(&self, key: usize) -> bool {
        let (now, most) = (Instant::now(), self.rules.frames(self.venue));
        let mut peers = self.peers.lock();
        let Some(peer) = peers.get_mut(&key) else { return false };
        // Coinbase counts by IP address, and all clients here have the same.
        peer.is_over = match self.venue {
            Venue::Coinbase => self.arrivals.lock().count(now, most),
            Venue::Binance | Venue::Kraken | Venue::Alpaca => peer.arrivals.count(now, most),
        };
        if peer.is_over {
            self.counts.lock().breaches += 1;
        }
        peer.is_over
    }

    /// Authenticates the client. Returns false if its account has all the connections it may have.
    pub(super) fn let_in(&self, key: usize) -> bool {
        let mut peers = self.peers.lock();
        let others = peers.iter().filter(|(other, peer)| **other != key && peer.is_let_in).count();
        if self.rules.connections.is_some_and(|most| others >= most) {
            return false;
        }
        if let Some(peer) = peers.get_mut(&key) {
            peer.is_let_in = true;
        }
        true
    }

    /// Whether the client's newest message broke the rate limit.
    pub(super) fn is_over(&self, key: usize) -> bool {
        self.peers.lock().get(&key).is_some_and(|peer| peer.is_over)
    }

    /// Whether to refuse this request as the venue's own fault.
    pub(super) fn takes_fault(&self) -> bool {
        self.faulty.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    pub(super) fn change(
        &self,
        key: usize,
        (add, states): (BTreeSet<Topic>, Option<Vec<String>>),
        remove: &BTreeSet<Topic>,
    ) {
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
            peer.states = states.unwrap_or_else(|| std::mem::take(&mut peer.states));
        }
        self.tell();
    }

    /// Wakes those who wait for a change of clients or of the tape.
    pub(super) fn tell(&self) {
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
