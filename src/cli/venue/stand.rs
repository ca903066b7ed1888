//! The stand-in itself: who is connected, and the tape that plays to them.
//!
//! The tape plays while somebody is subscribed. When a fault has ended the connections, it waits until everything that
//! was subscribed before is so again: what a client gets does not depend on how quick it is.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{
    connection::{self, Order, Trouble},
    fault::{Fault, Planned},
    shop::{self, ListFault, Products},
    tape::{Recorded, Topic},
};
use crate::{clock::Instant, dialect::Venue, limits::REPLAY_JITTER, market::Channel};

pub use super::counter::Counts;

/// Frames that wait for one client; the tape waits when there are more.
const WAITING: usize = 256;

/// What is played.
#[derive(Debug, Clone)]
pub struct Script {
    /// Whose frames they are.
    pub venue: Venue,
    /// The data frames.
    pub frames: Vec<Recorded>,
    /// What goes wrong, and when.
    pub faults: Vec<Planned>,
    /// How fast; without it as fast as clients take it.
    pub speed: Option<f64>,
    /// Frames that nobody gets when a fault ends the connections.
    pub lose: usize,
    /// Whether the tape waits for [`Stand::release`].
    pub held: bool,
    /// What goes wrong with the product list, one request after the other.
    pub list_faults: Vec<ListFault>,
}

/// A client of the stand-in.
#[derive(Debug)]
struct Peer {
    orders: mpsc::Sender<Order>,
    topics: BTreeSet<Topic>,
}

/// What the connections and the tape share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) venue: Venue,
    pub(super) known: BTreeSet<String>,
    peers: Mutex<BTreeMap<usize, Peer>>,
    counts: Mutex<Counts>,
    trouble: Mutex<Option<Trouble>>,
    changed: watch::Sender<u64>,
    held: watch::Sender<bool>,
    products: Mutex<Products>,
    list_faults: Mutex<VecDeque<ListFault>>,
}

/// A running stand-in; ends when it is dropped.
#[derive(Debug)]
pub struct Stand {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Stand {
    /// Starts to take connections.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start(listener: TcpListener, script: Script) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let known = script.frames.iter().flat_map(|frame| &frame.topics).map(|topic| topic.1.clone());
        let known: BTreeSet<_> = known.collect();
        let shared = Arc::new(Shared {
            venue: script.venue,
            products: Mutex::new(known.iter().map(|name| (name.clone(), true)).collect()),
            list_faults: Mutex::new(script.list_faults.iter().copied().collect()),
            known,
            peers: Mutex::default(),
            counts: Mutex::default(),
            trouble: Mutex::default(),
            changed: watch::Sender::new(0),
            held: watch::Sender::new(script.held),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        let playing =
            tokio::spawn(Tape { shared: Arc::clone(&shared), script, required: BTreeSet::new() }.play());
        Ok(Self { shared, address, tasks: [accepting, playing] })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the tape play, or holds it.
    pub fn release(&self, go: bool) {
        self.shared.held.send_replace(!go);
    }

    /// Where its product list is.
    #[must_use]
    pub fn list_path(&self) -> &'static str {
        shop::path(self.shared.venue)
    }

    /// From here on these products are listed, under the venue's names and with whether they trade now. Before, it is
    /// what the recording has.
    pub fn offer(&self, products: impl IntoIterator<Item = (String, bool)>) {
        *self.shared.products.lock() = products.into_iter().collect();
    }

    /// What clients did so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let peers = self.shared.peers.lock();
        let topics: BTreeSet<_> = peers.values().flat_map(|peer| &peer.topics).collect();
        let is_quoted = |symbol: &str| topics.contains(&(Channel::Quotes, symbol.to_owned()));
        let traded = topics.iter().filter(|topic| topic.0 == Channel::Trades && is_quoted(&topic.1));
        Counts {
            present: peers.len(),
            active: traded.map(|topic| topic.1.clone()).collect(),
            ..self.shared.counts.lock().clone()
        }
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.peers.lock().clear();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // A connection that cannot be taken is the client's to try again.
    while let Ok((stream, _from)) = listener.accept().await {
        tokio::spawn(meet(stream, Arc::clone(&shared)));
    }
}

/// Tells those who want the product list from those who want the stream.
async fn meet(stream: TcpStream, shared: Arc<Shared>) {
    let in_trouble = *shared.trouble.lock() == Some(Trouble::NoAnswer);
    if !in_trouble && shop::is_asked(&stream, shared.venue).await {
        shared.counts.lock().lists += 1;
        let fault = shared.list_faults.lock().pop_front();
        return shop::serve(stream, shared, fault).await;
    }
    let (key, trouble) = {
        let mut counts = shared.counts.lock();
        counts.connections += 1;
        (counts.connections, shared.trouble.lock().take())
    };
    connection::serve(stream, key, shared, trouble).await;
}

impl Shared {
    pub(super) fn products(&self) -> Products {
        self.products.lock().clone()
    }

    /// A client was let in; what it is to be sent comes out of the receiver.
    pub(super) fn enter(&self, key: usize) -> mpsc::Receiver<Order> {
        let (orders, receiver) = mpsc::channel(WAITING);
        self.peers.lock().insert(key, Peer { orders, topics: BTreeSet::new() });
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

    fn subscribed(&self) -> BTreeSet<Topic> {
        self.peers.lock().values().flat_map(|peer| peer.topics.iter().cloned()).collect()
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !condition(self) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Plays the frames.
struct Tape {
    shared: Arc<Shared>,
    script: Script,
    /// What must be subscribed for the tape to go on.
    required: BTreeSet<Topic>,
}

impl Tape {
    async fn play(mut self) {
        let frames = std::mem::take(&mut self.script.frames);
        let mut at = 0;
        let mut clock = None;
        while let Some(frame) = frames.get(at) {
            self.ready().await;
            if let (Some(speed), Some(at)) = (self.script.speed, frame.at) {
                let (start, first) = *clock.get_or_insert((Instant::now(), at));
                let micros = u64::try_from(at.0.saturating_sub(first.0)).unwrap_or_default();
                let due = start + Duration::from_micros(micros).div_f64(speed);
                if due + REPLAY_JITTER < Instant::now() {
                    // It waited for listeners: time goes on from here.
                    clock = Some((Instant::now(), at));
                }
                tokio::time::sleep_until(due).await;
            }
            let planned = self.script.faults.iter().find(|planned| planned.at == at + 1).copied();
            match planned.map(|planned| planned.fault) {
                None => self.send(frame).await,
                Some(Fault::Garbage) => self.tell_all(|| Order::Text("{\"garbled".into())).await,
                Some(Fault::Duplicate) => {
                    self.send(frame).await;
                    self.send(frame).await;
                }
                Some(Fault::OutOfOrder) => {
                    if let Some(next) = frames.get(at + 1) {
                        self.send(next).await;
                        at += 1;
                    }
                    self.send(frame).await;
                }
                Some(fault) => {
                    self.required = self.shared.subscribed();
                    self.end(fault, frame).await;
                    at += self.script.lose.saturating_sub(1);
                    if self.script.lose == 0 {
                        // Nothing is lost: the frame is still to come.
                        self.script.faults.retain(|other| Some(*other) != planned);
                        continue;
                    }
                }
            }
            at += 1;
            self.shared.counts.lock().played = at;
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the tape may play and those listen who must.
    async fn ready(&self) {
        let mut held = self.shared.held.subscribe();
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        let required = &self.required;
        let listening = |shared: &Shared| {
            let subscribed = shared.subscribed();
            !subscribed.is_empty() && required.is_subset(&subscribed)
        };
        self.shared.until(listening).await;
    }

    async fn send(&self, frame: &Recorded) {
        let orders: Vec<_> = {
            let peers = self.shared.peers.lock();
            let text = |peer: &Peer| Some((peer.orders.clone(), frame.of(self.shared.venue, &peer.topics)?));
            peers.values().filter_map(text).collect()
        };
        for (to, text) in orders {
            // Whoever is gone gets nothing.
            let _gone = to.send(Order::Text(text)).await;
        }
    }

    async fn tell_all(&self, order: impl Fn() -> Order) {
        let peers: Vec<_> = self.shared.peers.lock().values().map(|peer| peer.orders.clone()).collect();
        for peer in peers {
            let _gone = peer.send(order()).await;
        }
    }

    /// Ends every connection of this moment in that way and waits until they are gone.
    async fn end(&self, fault: Fault, frame: &Recorded) {
        let present: Vec<_> = self.shared.peers.lock().keys().copied().collect();
        *self.shared.trouble.lock() = match fault {
            Fault::SlowAccept => Some(Trouble::NoAnswer),
            Fault::AuthFailure => Some(Trouble::NotLetIn),
            Fault::RateLimit => Some(Trouble::TooMany),
            Fault::Drop
            | Fault::Stall
            | Fault::Garbage
            | Fault::HalfFrame
            | Fault::Duplicate
            | Fault::OutOfOrder
            | Fault::Close1006
            | Fault::Close1012 => None,
        };
        self.tell_all(|| Order::End(fault, frame.text.clone())).await;
        self.shared
            .until(|shared| {
                let peers = shared.peers.lock();
                !present.iter().any(|key| peers.contains_key(key))
            })
            .await;
    }
}
