//! The connections of a listener by client address, whatever they carry: who may have one more, and who gives way.
//!
//! Sessions have their own limits (`session/connection_limits.rs`) and are told so; no session ends to make room for another. All
//! other connections are cheap to make again. When there are too many, an idle one of the address that has most goes,
//! so one address can lock out only itself.

mod address;
mod seen;

use std::{
    cell::Cell,
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Context,
};

use parking_lot::Mutex;

use self::{address::Address, seen::Seen};
use crate::{
    clock::Instant,
    limits::{ADDRESS_ROOM, FORGOTTEN_ADDRESSES},
    metrics::{Metrics, RefusedConnection},
    session::ClientAddress,
};

/// The limits of a listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotLimits {
    /// Connections without a session.
    pub(super) plain: usize,
    /// Connections of every kind.
    pub(super) total: usize,
    /// Connections of one address. Some more are taken when none of it is idle, so that it can be told why.
    pub(super) per_address: usize,
    /// Connections of one address that have completed neither a handshake nor a request.
    pub(super) unproven: usize,
    /// Connections a second of one address, if that is limited.
    pub(super) rate: Option<u32>,
    /// Whether the rate counts for this machine's own clients, too.
    pub(super) loopback_counts: bool,
}

/// Every connection of a listener, over all workers.
pub(super) struct Slots {
    limits: SlotLimits,
    /// Who may have any number: proxies, whose connections are of many clients.
    exempt: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    metrics: Arc<Metrics>,
    taken: Mutex<Taken>,
    /// Numbers each beginning of a pause, so that the longest one can be told.
    pauses: AtomicU64,
}

#[derive(Debug, Default)]
struct Taken {
    /// Connections of every kind, and those of them without a session.
    total: usize,
    plain: usize,
    serial: u64,
    addresses: HashMap<ClientAddress, Address>,
    /// Addresses that are kept for their rate alone.
    forgotten: usize,
    /// Addresses by how many connections without a session they have.
    by_plain: BTreeSet<(usize, ClientAddress)>,
}

/// A connection's place; given back when dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    address: ClientAddress,
    serial: u64,
    seen: Arc<Seen>,
    is_watched: Cell<bool>,
    is_proven: Cell<bool>,
    is_idle: Cell<bool>,
    in_session: Cell<bool>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Slots {
    pub(super) fn new(
        limits: SlotLimits,
        exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let (taken, pauses) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(Self { limits, exempt: Box::new(exempt), metrics, taken, pauses })
    }

    /// Where connections are counted.
    pub(super) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// A place for a new connection.
    ///
    /// # Errors
    /// Which limit is reached; nothing is counted then but the metric.
    pub(super) fn take(self: &Arc<Self>, ip: IpAddr, now: Instant) -> Result<Slot, RefusedConnection> {
        let address = ClientAddress::of(ip);
        let mut taken = self.taken.lock();
        taken.enter(address, now);
        let admitted = self.admit(&mut taken, address, (self.exempt)(ip.to_canonical()), now);
        if let Err(reason) = admitted {
            taken.leave(address, self.limits.rate, now);
            self.metrics.refuse_connection(reason, ip);
            return Err(reason);
        }
        taken.serial += 1;
        taken.total += 1;
        let (serial, seen) = (taken.serial, Arc::<Seen>::default());
        taken.change(address, |here| {
            here.open += 1;
            here.unproven += 1;
            here.plain.insert(serial, Arc::clone(&seen));
        });
        self.metrics.connections.plain(taken.plain);
        drop(taken);
        Ok(Slot {
            slots: Arc::clone(self),
            address,
            serial,
            seen,
            is_watched: Cell::default(),
            is_proven: Cell::default(),
            is_idle: Cell::default(),
            in_session: Cell::default(),
        })
    }

    /// Makes room if there is too little, or says why there is none.
    fn admit(
        &self,
        taken: &mut Taken,
        address: ClientAddress,
        is_exempt: bool,
        now: Instant,
    ) -> Result<(), RefusedConnection> {
        let SlotLimits { plain, total, per_address, unproven, rate, loopback_counts } = self.limits;
        let Some(here) = taken.addresses.get_mut(&address) else { return Ok(()) };
        if !is_exempt {
            let is_rated = loopback_counts || !address.is_loopback();
            if let Some(rate) = rate.filter(|_| is_rated)
                && !here.take_token(rate, now)
            {
                return Err(RefusedConnection::Rate);
            }
            if here.unproven >= unproven {
                return Err(RefusedConnection::Unproven);
            }
            while taken.total_of(address) >= per_address && self.evict(taken, address, false) {}
            if taken.total_of(address) >= per_address + ADDRESS_ROOM {
                return Err(RefusedConnection::Address);
            }
        }
        if taken.plain < plain && taken.total < total {
            return Ok(());
        }
        let mine = taken.addresses.get(&address).map_or(0, |here| here.plain.len());
        let made_room = match taken.by_plain.last().copied() {
            Some((most, hog)) if most > mine => self.evict(taken, hog, true),
            _ => self.evict(taken, address, false),
        };
        if made_room { Ok(()) } else { Err(RefusedConnection::Full) }
    }

    /// Ends the connection of that address that is idle for longest; if none is, and `any` of it may go, its oldest one
    /// without a session.
    fn evict(&self, taken: &mut Taken, address: ClientAddress, any: bool) -> bool {
        let Some(serial) = taken.addresses.get(&address).and_then(|here| here.victim(any)) else {
            return false;
        };
        let Some(seen) = taken.change(address, |here| here.plain.remove(&serial)).flatten() else {
            return false;
        };
        taken.total -= 1;
        seen.evicted.store(true, Ordering::Release);
        seen.task.wake();
        self.metrics.yield_connection(address.ip());
        true
    }
}

impl Taken {
    /// Notes an address.
    fn enter(&mut self, address: ClientAddress, now: Instant) {
        match self.addresses.entry(address) {
            std::collections::hash_map::Entry::Occupied(here) => {
                self.forgotten -= usize::from(here.get().is_empty());
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Address::new(now));
            }
        }
    }

    /// Forgets an address that has no connection, once its rate allows.
    fn leave(&mut self, address: ClientAddress, rate: Option<u32>, now: Instant) {
        if !self.addresses.get(&address).is_some_and(Address::is_empty) {
            return;
        }
        if rate.is_none() {
            self.addresses.remove(&address);
            return;
        }
        self.forgotten += 1;
        if self.forgotten < FORGOTTEN_ADDRESSES {
            return;
        }
        self.addresses.retain(|_, here| !here.is_empty() || !here.is_rested(now));
        self.forgotten = self.addresses.values().filter(|here| here.is_empty()).count();
        if self.forgotten > FORGOTTEN_ADDRESSES / 2 {
            // Beyond this number of addresses in a second, any rate passes.
            self.addresses.retain(|_, here| !here.is_empty());
            self.forgotten = 0;
        }
    }

    /// Connections of every kind that an address has.
    fn total_of(&self, address: ClientAddress) -> usize {
        self.addresses.get(&address).map_or(0, Address::total)
    }

    /// Changes what an address has.
    fn change<T>(&mut self, address: ClientAddress, change: impl FnOnce(&mut Address) -> T) -> Option<T> {
        let here = self.addresses.get_mut(&address)?;
        let before = here.plain.len();
        let result = change(here);
        let after = here.plain.len();
        if before != after {
            self.plain = self.plain - before + after;
            self.by_plain.remove(&(before, address));
            if after > 0 {
                self.by_plain.insert((after, address));
            }
        }
        Some(result)
    }
}

impl Slot {
    /// Notes which task to wake when the connection must give way.
    pub(super) fn watch(&self, cx: &Context<'_>) {
        if !self.is_watched.replace(true) {
            self.seen.task.register(cx.waker());
        }
    }

    /// The task that was to be woken is over: nothing of it is kept.
    pub(super) fn unwatch(&self) {
        drop(self.seen.task.take());
    }

    /// Whether the connection has to give way.
    pub(super) fn is_evicted(&self) -> bool {
        !self.in_session.get() && self.seen.evicted.load(Ordering::Acquire)
    }

    /// Whether there is nothing to do between two requests.
    pub(super) fn set_idle(&self, idle: bool) {
        if self.is_idle.replace(idle) != idle {
            let pause = if idle { self.slots.pauses.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 };
            self.seen.idle.store(pause, Ordering::Relaxed);
        }
    }

    /// The client has completed a handshake or a request.
    pub(super) fn prove(&self) {
        if !self.is_proven.replace(true) {
            self.slots.taken.lock().change(self.address, |here| here.unproven -= 1);
        }
    }

    /// Whether a session has the connection from now on. Then it never gives way: sessions have their own limits.
    pub(super) fn carry_session(&self, yes: bool) {
        if self.in_session.get() == yes {
            return;
        }
        self.prove();
        let mut taken = self.slots.taken.lock();
        let changed = taken.change(self.address, |here| {
            if yes {
                // It may have been told to give way meanwhile.
                let found = here.plain.remove(&self.serial).is_some();
                here.sessions += usize::from(found);
                found
            } else {
                here.sessions -= 1;
                here.plain.insert(self.serial, Arc::clone(&self.seen));
                true
            }
        });
        if changed == Some(true) {
            self.in_session.set(yes);
        }
        self.slots.metrics.connections.plain(taken.plain);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock();
        let counted = taken.change(self.address, |here| {
            here.open -= 1;
            here.unproven -= usize::from(!self.is_proven.get());
            here.sessions -= usize::from(self.in_session.get());
            here.plain.remove(&self.serial).is_some() || self.in_session.get()
        });
        taken.total -= usize::from(counted == Some(true));
        taken.leave(self.address, self.slots.limits.rate, Instant::now());
        self.slots.metrics.connections.plain(taken.plain);
    }
}

#[cfg(test)]
mod tests;
