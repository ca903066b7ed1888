//! Who gets a place, and who gives way.

use std::{
    sync::atomic::AtomicUsize,
    task::{Wake, Waker},
    time::Duration,
};

use super::*;

const LIMITS: SlotLimits =
    SlotLimits { plain: 6, total: 100, per_address: 50, unproven: 40, rate: None, loopback_counts: true };

fn slots(limits: SlotLimits) -> Arc<Slots> {
    Slots::new(limits, |ip| ip == IpAddr::from([192, 0, 2, 99]), Arc::new(Metrics::new()))
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn take(slots: &Arc<Slots>, last: u8) -> Result<Slot, RefusedConnection> {
    slots.take(ip(last), Instant::now())
}

/// A connection that has been answered.
fn idle(slots: &Arc<Slots>, last: u8) -> Slot {
    let slot = take(slots, last).unwrap();
    slot.prove();
    slot.set_idle(true);
    slot
}

/// All connections, and those without a session.
fn counts(slots: &Slots) -> (usize, usize) {
    let taken = slots.taken.lock();
    (taken.total, taken.plain)
}

#[derive(Default)]
struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_address_with_most_gives_way_and_of_it_what_is_idle_longest() {
    let slots = slots(LIMITS);
    let mut hogs: Vec<_> = (0..5).map(|_| idle(&slots, 1)).collect();
    let other = idle(&slots, 2);
    // The first one is busy and then idle again: the second is idle for longest.
    hogs[0].set_idle(false);
    hogs[0].set_idle(true);
    let woken = Arc::<Counted>::default();
    hogs[1].watch(&Context::from_waker(&Waker::from(Arc::clone(&woken))));
    let third = take(&slots, 3).unwrap();
    let evicted: Vec<_> = hogs.iter().map(Slot::is_evicted).collect();
    assert_eq!(evicted, [false, true, false, false, false]);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(!other.is_evicted() && !third.is_evicted());
    hogs.remove(1);
    // Its own newcomers cost its own connections, also when all are busy: then there is no place.
    let mine = take(&slots, 1).unwrap();
    assert_eq!(hogs.iter().filter(|slot| slot.is_evicted()).count(), 1);
    hogs.iter().for_each(|slot| slot.set_idle(false));
    assert_eq!(take(&slots, 1).unwrap_err(), RefusedConnection::Full);
    // To others also a busy one gives way, the oldest of them.
    let fourth = take(&slots, 4).unwrap();
    assert_eq!(hogs.iter().filter(|slot| slot.is_evicted()).count(), 2);
    drop((hogs, other, third, mine, fourth));
    let taken = slots.taken.lock();
    assert_eq!((taken.total, taken.plain, taken.addresses.len(), taken.by_plain.len()), (0, 0, 0, 0));
}

#[test]
fn sessions_give_way_to_nobody_and_take_no_place_of_others() {
    let slots = slots(LIMITS);
    let sessions: Vec<_> = (0..20)
        .map(|_| {
            let slot = take(&slots, 1).unwrap();
            slot.carry_session(true);
            slot
        })
        .collect();
    let plain: Vec<_> = (0..6).map(|_| idle(&slots, 1)).collect();
    let probe = take(&slots, 2).unwrap();
    assert!(sessions.iter().all(|slot| !slot.is_evicted()));
    assert_eq!(plain.iter().filter(|slot| slot.is_evicted()).count(), 1);
    // A poll is a session for a while.
    probe.carry_session(true);
    assert_eq!(counts(&slots), (26, 5));
    probe.carry_session(false);
    assert_eq!(counts(&slots), (26, 6));
    drop((sessions, plain, probe));
    assert_eq!(counts(&slots), (0, 0));
    assert_eq!(slots.taken.lock().addresses.len(), 0);
}

#[test]
fn silent_connections_are_few_until_they_prove_themselves() {
    let slots = slots(SlotLimits { plain: 100, unproven: 3, ..LIMITS });
    let mut silent: Vec<_> = (0..3).map(|_| take(&slots, 1).unwrap()).collect();
    assert_eq!(take(&slots, 1).unwrap_err(), RefusedConnection::Unproven);
    let other = take(&slots, 2).unwrap();
    silent[0].prove();
    silent[0].prove();
    silent.push(take(&slots, 1).unwrap());
    assert_eq!(take(&slots, 1).unwrap_err(), RefusedConnection::Unproven);
    silent.pop();
    silent.push(take(&slots, 1).unwrap());
    // All of an IPv6 network are one client.
    let of = |text: &str| slots.take(text.parse().unwrap(), Instant::now());
    let network = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(|text| of(text).unwrap());
    assert_eq!(of("2001:db8::4").unwrap_err(), RefusedConnection::Unproven);
    let neighbour = of("2001:db8:0:1::4").unwrap();
    // A proxy's connections are of many clients.
    let proxied: Vec<_> = (0..10).map(|_| take(&slots, 99).unwrap()).collect();
    drop((silent, other, network, neighbour, proxied));
    assert_eq!(slots.taken.lock().addresses.len(), 0);
}

#[test]
fn an_address_has_a_limit_over_all_kinds_and_room_to_be_told() {
    let slots = slots(SlotLimits { plain: 100, per_address: 4, ..LIMITS });
    let kept: Vec<_> = (0..10).map(|_| idle(&slots, 1)).collect();
    assert_eq!(kept.iter().filter(|slot| !slot.is_evicted()).count(), 4, "what is idle gives way");
    let sessions: Vec<_> = (0..4)
        .map(|_| {
            let slot = take(&slots, 2).unwrap();
            slot.carry_session(true);
            slot
        })
        .collect();
    let told: Vec<_> = (0..ADDRESS_ROOM).map(|_| take(&slots, 2).unwrap()).collect();
    assert_eq!(take(&slots, 2).unwrap_err(), RefusedConnection::Address);
    told[0].set_idle(true);
    assert!(take(&slots, 2).is_ok() && told[0].is_evicted());
    assert!(sessions.iter().all(|slot| !slot.is_evicted()));
}

#[test]
fn a_rate_is_kept_after_the_connections_and_forgotten_in_time() {
    let slots = slots(SlotLimits { plain: 1_000, rate: Some(5), loopback_counts: false, ..LIMITS });
    let start = Instant::now();
    let came = |address: u8, at: Instant| (0..20).filter(|_| slots.take(ip(address), at).is_ok()).count();
    assert_eq!(came(1, start), 5);
    assert_eq!(came(2, start), 5, "each address has its own");
    assert_eq!(came(1, start + Duration::from_millis(400)), 2);
    assert_eq!(came(99, start), 20, "a proxy's are not counted");
    let local = (0..20).filter(|_| slots.take([127, 0, 0, 1].into(), start).is_ok()).count();
    assert_eq!(local, 20, "nor this machine's");
    assert_eq!(slots.taken.lock().addresses.len(), 4);
    // More addresses than may be kept: those that have rested go first, and all of them if they must.
    let at = start + Duration::from_secs(60);
    for n in 0..u32::try_from(2 * FORGOTTEN_ADDRESSES).unwrap() {
        let _gone = slots.take(IpAddr::from((0x0A00_0000 + n).to_be_bytes()), at).unwrap();
        assert!(slots.taken.lock().addresses.len() <= FORGOTTEN_ADDRESSES);
    }
    let taken = slots.taken.lock();
    assert_eq!(taken.forgotten, taken.addresses.len());
}
