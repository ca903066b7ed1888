//! Which of a host's addresses is connected to: happy eyeballs, RFC 8305.
//!
//! The families take turns, and an address that does not answer costs [`NEXT_ADDRESS_AFTER`] and not the whole time: then
//! the next one is tried beside it, and the first that answers has won. Names are asked for with both families at once
//! by the system's resolver, whose answer is one list, so the resolution delay of the RFC has no place here.

use std::{collections::VecDeque, future::pending, net::SocketAddr};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::sleep;

use crate::limits::{NEXT_ADDRESS_AFTER, UPSTREAM_ADDRESSES};

/// The addresses in the order in which they are tried: families in turn, beginning with that of the first. What is said
/// twice is tried once, and no more than [`UPSTREAM_ADDRESSES`] are.
pub(super) fn in_turn(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let (mut first, mut second) = (VecDeque::new(), VecDeque::new());
    for address in addresses {
        let is_of_first = first.front().is_none_or(|one: &SocketAddr| one.is_ipv6() == address.is_ipv6());
        let family = if is_of_first { &mut first } else { &mut second };
        if !family.contains(&address) {
            family.push_back(address);
        }
    }
    let mut ordered = Vec::new();
    while ordered.len() < UPSTREAM_ADDRESSES {
        let Some(next) = first.pop_front() else { break };
        ordered.push(next);
        std::mem::swap(&mut first, &mut second);
        if first.is_empty() {
            std::mem::swap(&mut first, &mut second);
        }
    }
    ordered
}

/// Tries the addresses, each somewhat later than the one before it, or at once when one has failed. The first connection
/// wins, the others are dropped.
///
/// # Errors
/// Every address with the reason why it failed, in the order of failure, when all have.
///
/// # Cancel safety
/// All attempts are dropped.
pub(super) async fn race<T, E, F>(
    addresses: Vec<SocketAddr>,
    dial: impl Fn(SocketAddr) -> F,
) -> Result<T, Vec<(SocketAddr, E)>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut waiting = addresses.into_iter();
    let mut under_way = FuturesUnordered::new();
    let mut failed = Vec::new();
    loop {
        match waiting.next() {
            Some(address) => {
                let attempt = dial(address);
                under_way.push(async move { (address, attempt.await) });
            }
            None if under_way.is_empty() => return Err(failed),
            None => {}
        }
        let has_more = waiting.len() > 0;
        let turn = async { if has_more { sleep(NEXT_ADDRESS_AFTER).await } else { pending().await } };
        tokio::select! {
            biased;
            Some((address, done)) = under_way.next() => match done {
                Ok(connection) => return Ok(connection),
                Err(why) => failed.push((address, why)),
            },
            () = turn => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use super::*;
    use crate::clock::Instant;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| address(text)).collect()
    }

    #[test]
    fn families_take_turns_beginning_with_the_first() {
        let (a, b, c) = ("[2001:db8::1]:443", "[2001:db8::2]:443", "[2001:db8::3]:443");
        let (x, y) = ("192.0.2.1:443", "192.0.2.2:443");
        for (given, tried) in [
            (vec![a, b, c, x, y], vec![a, x, b, y, c]),
            (vec![x, y, a], vec![x, a, y]),
            (vec![x, x, y, y], vec![x, y]),
            (vec![a, b], vec![a, b]),
            (vec![], vec![]),
        ] {
            assert_eq!(in_turn(addresses(&given)), addresses(&tried), "{given:?}");
        }
        let many = (0..100).map(|i| SocketAddr::from(([192, 0, 2, i], 1)));
        assert_eq!(in_turn(many).len(), UPSTREAM_ADDRESSES, "a name with a hundred addresses costs no more");
    }

    /// What an address does: answers or fails after `ms` milliseconds.
    async fn after(ms: u64, answers: bool) -> Result<u64, String> {
        sleep(Duration::from_millis(ms)).await;
        if answers { Ok(ms) } else { Err(format!("failed after {ms}")) }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_address_costs_a_quarter_of_a_second_and_not_the_whole_time() {
        const NEVER: u64 = 1_000_000;
        for (kinds, wins, took) in [
            // The one behind a black hole begins 250 ms later.
            (vec![(NEVER, true), (10, true)], 10, 260),
            (vec![(NEVER, true), (NEVER, true), (10, true)], 10, 510),
            // A failure starts the next at once.
            (vec![(20, false), (10, true)], 10, 30),
            (vec![(NEVER, true), (5, false), (10, true)], 10, 265),
            // The first goes on while the second is tried, and may still win.
            (vec![(300, true), (1_000, true)], 300, 300),
            (vec![(100, true), (1, true)], 100, 100),
        ] {
            let (start, addresses) =
                (Instant::now(), (0..kinds.len()).map(|i| ([127, 0, 0, 1], u16::try_from(i).unwrap())));
            let won = race(addresses.map(SocketAddr::from).collect(), |address| {
                let (ms, answers) = kinds[usize::from(address.port())];
                after(ms, answers)
            });
            assert_eq!(won.await.unwrap(), wins, "{kinds:?}");
            assert_eq!(start.elapsed().as_millis(), took, "{kinds:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn every_address_is_told_with_its_reason() {
        let (a, b) = (address("[2001:db8::1]:443"), address("192.0.2.1:443"));
        let lost = race(vec![a, b], |address| after(if address == a { 400 } else { 10 }, false));
        let failed = lost.await.unwrap_err();
        assert_eq!(failed, [(b, "failed after 10".to_owned()), (a, "failed after 400".to_owned())]);
        let none = race(Vec::new(), |_| after(0, true)).await;
        assert_eq!(none, Err(Vec::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn losers_are_dropped() {
        struct Counted<'a>(&'a AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let dropped = AtomicUsize::new(0);
        let won = race(addresses(&["127.0.0.1:1", "127.0.0.1:2"]), |address| {
            let guard = Counted(&dropped);
            async move {
                let _held = guard;
                after(if address.port() == 1 { 1_000_000 } else { 1 }, true).await
            }
        });
        assert_eq!(won.await, Ok(1));
        assert_eq!(dropped.load(Ordering::Relaxed), 2, "the black hole's attempt is gone too");
    }
}
