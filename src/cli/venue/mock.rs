//! The mock venue: its clients, and the tape that it plays to them.
//!
//! The tape plays while a client is subscribed. After a fault has ended the connections, it waits until all earlier
//! subscriptions are back, so that what a client gets does not depend on how fast it reconnects.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::{
    connection,
    fault::{Fault, Planned},
    http,
    peers::{ListFault, NextFault, Peer, PeerCommand, PeerState},
    products, protocol,
    rules::Rules,
    tape::Recorded,
    trouble::Trouble,
    values,
};
use crate::{
    clock::Instant,
    dialect::{Topic, Venue},
    limits::REPLAY_JITTER,
    market::Quote,
};

pub use super::counter::Counts;

/// What is played.
#[derive(Debug, Clone)]
pub struct Script {
    /// Whose frames they are.
    pub venue: Venue,
    /// The data frames.
    pub frames: Vec<Recorded>,
    /// What goes wrong, and when.
    pub faults: Vec<Planned>,
    /// The speed: 1 is as recorded. `None` is as fast as clients take it.
    pub speed: Option<f64>,
    /// Frames that are lost when a fault ends the connections.
    pub lose: usize,
    /// Whether the tape waits for [`MockVenue::release`].
    pub held: bool,
    /// What goes wrong with the product list, one request after the other.
    pub list_faults: Vec<ListFault>,
    /// Its limits, and how it behaves where sources disagree.
    pub rules: Rules,
}

/// A running mock venue. It ends when it is dropped.
#[derive(Debug)]
pub struct MockVenue {
    shared: Arc<PeerState>,
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl MockVenue {
    /// Starts to take connections.
    ///
    /// # Errors
    /// When the listener has no address.
    pub fn start(listener: TcpListener, script: Script) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let known = script.frames.iter().flat_map(|frame| &frame.topics).map(|topic| topic.1.clone());
        let known: BTreeSet<_> = known.collect();
        let shared = Arc::new(PeerState {
            venue: script.venue,
            faulty: AtomicUsize::new(script.rules.faulty),
            rules: script.rules.clone(),
            arrivals: Mutex::default(),
            products: Mutex::new(known.iter().map(|name| (name.clone(), true)).collect()),
            list_faults: Mutex::new(script.list_faults.iter().copied().collect()),
            value_faults: Mutex::new(script.rules.value_faults.iter().copied().collect()),
            values: Mutex::default(),
            known,
            peers: Mutex::default(),
            counts: Mutex::default(),
            next_fault: Mutex::default(),
            changed: watch::Sender::new(0),
            held: watch::Sender::new(script.held),
        });
        *shared.values.lock() = values::first(&script.frames, &shared);
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
        self.shared.venue.products_path()
    }

    /// Where its newest quotes are, if the venue has any beside the stream.
    #[must_use]
    pub fn values_path(&self) -> Option<&'static str> {
        self.shared.venue.first_values_path()
    }

    /// Sets the first value of the symbol that has this name at the venue.
    pub fn quote(&self, theirs: &str, quote: Quote) {
        self.shared.values.lock().insert(theirs.to_owned(), quote);
    }

    /// Replaces the product list: the venue's names, and whether each product trades. It starts with the recording's
    /// symbols.
    pub fn offer(&self, products: impl IntoIterator<Item = (String, bool)>) {
        *self.shared.products.lock() = products.into_iter().collect();
    }

    /// What clients did so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let peers = self.shared.peers.lock();
        let topics: BTreeSet<_> = peers.values().flat_map(|peer| &peer.topics).collect();
        let symbols: BTreeSet<_> = topics.iter().map(|topic| topic.1.as_str()).collect();
        let active = symbols.into_iter().filter(|symbol| protocol::is_whole(&topics, symbol));
        Counts {
            present: peers.len(),
            active: active.map(ToOwned::to_owned).collect(),
            ..self.shared.counts.lock().clone()
        }
    }
}

impl Drop for MockVenue {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.shared.peers.lock().clear();
    }
}

async fn accept(listener: TcpListener, shared: Arc<PeerState>) {
    // If a connection fails here, the client tries again.
    while let Ok((stream, _from)) = listener.accept().await {
        tokio::spawn(meet(stream, Arc::clone(&shared)));
    }
}

/// Serves a connection by its first line: the product list, first values, or the stream.
async fn meet(mut stream: TcpStream, shared: Arc<PeerState>) {
    if shared.rules.has(Trouble::Silent) {
        return connection::drain(&mut stream).await;
    }
    if let Some(trouble) = shared.rules.troubles.iter().find(|trouble| trouble.refuses()) {
        return trouble.refuse(stream, &shared.rules.date()).await;
    }
    let in_trouble = *shared.next_fault.lock() == Some(NextFault::NoAnswer);
    if !in_trouble && let Some(asked) = http::asked(&stream).await {
        if asked.path == shared.venue.products_path() {
            shared.counts.lock().lists += 1;
            let fault = shared.list_faults.lock().pop_front();
            return products::serve(stream, shared, fault).await;
        }
        if Some(asked.path.as_str()) == shared.venue.first_values_path() {
            return values::serve(stream, shared, asked).await;
        }
    }
    let (key, next_fault) = {
        let mut counts = shared.counts.lock();
        counts.connections += 1;
        (counts.connections, shared.next_fault.lock().take())
    };
    let login_refused = shared.rules.has(Trouble::LoginRefused).then_some(NextFault::NotLetIn);
    connection::serve(stream, key, shared, next_fault.or(login_refused)).await;
}

/// Plays the frames.
struct Tape {
    shared: Arc<PeerState>,
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
                    // The tape has waited for clients: restart the clock.
                    clock = Some((Instant::now(), at));
                }
                tokio::time::sleep_until(due).await;
            }
            let planned = self.script.faults.iter().find(|planned| planned.at == at + 1).copied();
            match planned.map(|planned| planned.fault) {
                None => self.send(frame).await,
                Some(Fault::Garbage) => self.tell_all(|| PeerCommand::Text("{\"garbled".into())).await,
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
                        // Nothing is lost, so play this frame after the fault.
                        self.script.faults.retain(|other| Some(*other) != planned);
                        continue;
                    }
                }
            }
            at += 1;
            self.shared.counts.lock().played = at;
            self.shared.tell();
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the tape is released and all required subscriptions are there.
    async fn ready(&self) {
        let mut held = self.shared.held.subscribe();
        if held.wait_for(|held| !held).await.is_err() {
            return;
        }
        let required = &self.required;
        let listening = |shared: &PeerState| {
            let subscribed = shared.subscribed();
            !subscribed.is_empty() && required.is_subset(&subscribed)
        };
        self.shared.until(listening).await;
    }

    async fn send(&self, frame: &Recorded) {
        if values::has_values(&self.shared) {
            self.shared.values.lock().extend(frame.quotes(self.shared.venue));
        }
        let commands: Vec<_> = {
            let peers = self.shared.peers.lock();
            let text =
                |peer: &Peer| Some((peer.commands.clone(), frame.of(self.shared.venue, &peer.topics)?));
            peers.values().filter_map(text).collect()
        };
        for (to, text) in commands {
            // The client may have gone.
            let _gone = to.send(PeerCommand::Text(text)).await;
        }
    }

    async fn tell_all(&self, command: impl Fn() -> PeerCommand) {
        let peers: Vec<_> = self.shared.peers.lock().values().map(|peer| peer.commands.clone()).collect();
        for peer in peers {
            let _gone = peer.send(command()).await;
        }
    }

    /// Ends all present connections with this fault, and waits until they are gone.
    async fn end(&self, fault: Fault, frame: &Recorded) {
        let present: Vec<_> = self.shared.peers.lock().keys().copied().collect();
        *self.shared.next_fault.lock() = match fault {
            Fault::SlowAccept => Some(NextFault::NoAnswer),
            Fault::AuthFailure => Some(NextFault::NotLetIn),
            Fault::RateLimit => Some(NextFault::TooMany),
            Fault::Drop
            | Fault::Stall
            | Fault::Garbage
            | Fault::HalfFrame
            | Fault::Duplicate
            | Fault::OutOfOrder
            | Fault::Close1006
            | Fault::Close1012 => None,
        };
        self.tell_all(|| PeerCommand::End(fault, frame.text.clone())).await;
        self.shared
            .until(|shared| {
                let peers = shared.peers.lock();
                !present.iter().any(|key| peers.contains_key(key))
            })
            .await;
    }
}
