//! Which symbols the clients of a node want, as one bit a topic; and what they want of all nodes together.
//!
//! Topics have the same numbers on every node, so the bits mean the same. Feeds of the leader see nothing of it: a symbol that
//! some other node wants counts as wanted in the hub that they publish to.

use std::{collections::HashSet, convert::Infallible};

use tokio::{
    select,
    time::{Instant, sleep},
};

use super::{
    context::{NodeContext, Patience},
    log::{Log, LogError, Note},
};
use crate::{
    hub::Hub,
    limits::{MAX_WANT_BYTES, WANT_LOOK, WANT_REFRESH, WANT_TTL},
    market::Symbol,
};

/// Tells the other nodes what the clients of this one want, when it changes and again and again. Never ends.
pub(super) async fn tell(shared: &NodeContext) -> Infallible {
    let mut log = shared.log.clone();
    let mut patience = Patience::new("demand");
    let mut told: Option<(Vec<u8>, Instant)> = None;
    loop {
        sleep(WANT_LOOK).await;
        let bits = bits(&shared.hub);
        if told.as_ref().is_some_and(|(last, at)| *last == bits && at.elapsed() < WANT_REFRESH) {
            continue;
        }
        let is_new = told.as_ref().is_none_or(|(last, _)| *last != bits);
        match tell_once(&mut log, &shared.id, &bits, is_new).await {
            Ok(()) => {
                patience.reset();
                told = Some((bits, Instant::now()));
            }
            Err(why) => {
                shared.count(&why);
                patience.after(&why).await;
            }
        }
    }
}

async fn tell_once(log: &mut Log, node: &str, bits: &[u8], is_new: bool) -> Result<(), LogError> {
    if !log.want(node, bits, WANT_TTL).await? {
        tracing::warn!("the cluster has too many nodes: what clients of this one want is not heard");
    }
    if is_new {
        log.note(&Note::Demand { node: node.to_owned() }).await?;
    }
    Ok(())
}

/// Tells the leader's hub what the clients of all nodes want. Never ends.
pub(super) async fn gather(shared: &NodeContext, origin: &Hub) -> Infallible {
    let mut log = shared.log.clone();
    let mut patience = Patience::new("demand");
    let mut before = HashSet::new();
    loop {
        match log.wants().await {
            Ok(nodes) => {
                patience.reset();
                let now = wanted(&shared.hub, nodes.iter().map(|(_, bits)| bits.as_slice()));
                for symbol in before.difference(&now) {
                    origin.set_remote_demand(*symbol, false);
                }
                for symbol in now.difference(&before) {
                    origin.set_remote_demand(*symbol, true);
                }
                before = now;
            }
            Err(why) => {
                shared.count(&why);
                patience.after(&why).await;
            }
        }
        select! {
            () = shared.demand.notified() => {}
            () = sleep(WANT_REFRESH / 2) => {}
        }
    }
}

/// The topics whose events some client of this node wants, as bits by their numbers. Topics beyond [`MAX_WANT_BYTES`] count as
/// wanted by their absence: see [`wanted`].
pub(super) fn bits(hub: &Hub) -> Vec<u8> {
    let mut bits = Vec::new();
    for topic in hub.all_topics() {
        let number = topic.id().number() as usize;
        let (place, bit) = (number / 8, number % 8);
        if place >= MAX_WANT_BYTES {
            break;
        }
        if topic.is_wanted() {
            if bits.len() <= place {
                bits.resize(place + 1, 0);
            }
            bits[place] |= 1 << bit;
        }
    }
    bits
}

/// The symbols that these nodes want. A symbol whose number has no place in the bits is wanted: a feed that brings more than is
/// asked for is better than one that brings less.
pub(super) fn wanted<'a>(hub: &Hub, nodes: impl IntoIterator<Item = &'a [u8]>) -> HashSet<Symbol> {
    let mut all: Vec<u8> = Vec::new();
    for bits in nodes {
        let bits = &bits[..bits.len().min(MAX_WANT_BYTES)];
        if all.len() < bits.len() {
            all.resize(bits.len(), 0);
        }
        all.iter_mut().zip(bits).for_each(|(all, bits)| *all |= bits);
    }
    let is_wanted = |number: u32| {
        let (place, bit) = (number as usize / 8, number % 8);
        place >= MAX_WANT_BYTES || all.get(place).is_some_and(|bits| bits >> bit & 1 == 1)
    };
    let topics = hub.all_topics();
    topics.iter().filter(|topic| is_wanted(topic.id().number())).map(|topic| topic.symbol()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        clock::Clock,
        hub::HubConfig,
        market::{Channel, Source},
        metrics::Metrics,
    };

    fn hub(symbols: usize) -> Hub {
        let hub = Hub::new(HubConfig::default(), "e".into(), Clock::system(), Arc::new(Metrics::new()));
        let _lane = hub.open_lane().unwrap();
        for i in 0..symbols {
            hub.declare(symbol(i), Source::new("f").unwrap()).unwrap();
        }
        hub
    }

    fn symbol(i: usize) -> Symbol {
        Symbol::new(&format!("S{i}")).unwrap()
    }

    #[test]
    fn what_clients_of_several_nodes_want_comes_together() {
        let (one, two) = (hub(20), hub(20));
        for i in [0, 7, 8] {
            let _head = one.topic(symbol(i)).unwrap().join(0, Channel::Trades);
        }
        let _head = two.topic(symbol(19)).unwrap().join(0, Channel::Quotes);
        assert_eq!(bits(&hub(3)), Vec::<u8>::new());
        let wants = [bits(&one), bits(&two)];
        assert_eq!(wants, [vec![0b1000_0001, 1], vec![0, 0, 0b1000]]);
        let of_both = wanted(&one, wants.iter().map(Vec::as_slice));
        assert_eq!(of_both, [0, 7, 8, 19].map(symbol).into_iter().collect());
        assert_eq!(wanted(&one, [&[0xff; 1][..]]).len(), 8);
        assert_eq!(wanted(&hub(3), [&[0xff; 100][..]]).len(), 3, "bits of topics that are not there");
    }
}
