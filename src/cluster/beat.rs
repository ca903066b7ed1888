//! Signs of life: what this node tells the others of itself, what it knows of them, and what clients are told while the log is
//! not heard.

use std::convert::Infallible;

use tokio::{
    select,
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    WIRE_VERSION,
    context::{NodeContext, Patience},
    log::{Log, LogError, NodeWord},
    roles::Standing,
};
use crate::{
    hub::SourceWord,
    limits::{BEAT_EVERY, BEAT_TTL, SILENCE_LOOK},
    market::State,
    metrics::ClusterRole,
};

/// Shows that the node lives, and looks who else does. Never ends.
pub(super) async fn beat(shared: &NodeContext) -> Infallible {
    let mut log = shared.log.clone();
    let mut patience = Patience::new("beat");
    loop {
        match beat_once(&mut log, shared).await {
            Ok(()) => patience.reset(),
            Err(why) => {
                shared.count(&why);
                patience.after(&why).await;
            }
        }
        select! {
            () = shared.beat.notified() => {}
            () = sleep(BEAT_EVERY) => {}
        }
    }
}

async fn beat_once(log: &mut Log, shared: &NodeContext) -> Result<(), LogError> {
    if !log.beat(&word(shared), BEAT_TTL).await? {
        tracing::error!("the cluster has too many nodes: this one is not seen by the others");
    }
    let nodes = log.nodes().await?;
    shared.metrics.nodes(nodes.len());
    // Who is not in step shows no numbering.
    let has_company = nodes.iter().any(|node| node.id != shared.id && !node.epoch.is_empty());
    shared.seen.send_if_modified(|seen| std::mem::replace(&mut seen.has_company, has_company) != has_company);
    Ok(())
}

fn word(shared: &NodeContext) -> NodeWord {
    let seen = shared.seen.borrow();
    let is_in_step = seen.standing == Standing::InStep;
    NodeWord {
        id: shared.id.clone(),
        role: shared.config.role.as_str().into(),
        leads: seen.leads,
        version: env!("CARGO_PKG_VERSION").into(),
        wire: u32::from(WIRE_VERSION),
        epoch: if is_in_step { shared.hub.epoch().to_string() } else { String::new() },
        position: seen.position,
        address: shared.address.clone(),
    }
}

/// Tells clients when the log is not heard, and when it is again. Never ends.
pub(super) async fn watch_silence(shared: &NodeContext) -> Infallible {
    let mut looks = interval(SILENCE_LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_silent = false;
    loop {
        looks.tick().await;
        shared.metrics.role(Some(role(shared)));
        let Some(applied_at) = shared.seen.borrow().applied_at else { continue };
        let silence = applied_at.elapsed();
        let was_silent = std::mem::replace(&mut is_silent, silence >= shared.config.silence);
        if is_silent == was_silent {
            continue;
        }
        let clock = shared.hub.clock();
        let ago = i64::try_from(silence.as_micros()).unwrap_or(i64::MAX);
        let since = crate::market::UnixMicros(clock.now().0.saturating_sub(if is_silent { ago } else { 0 }));
        let state = if is_silent { State::Stale } else { State::Live };
        tracing::warn!(
            state = state.as_str(),
            "{}",
            if is_silent { NO_WORD } else { "the log is heard again" }
        );
        shared.hub.set_source_word(is_silent.then(|| SourceWord { state, since, why: NO_WORD.into() }));
    }
}

/// What clients are told.
const NO_WORD: &str = "no word from the feed node";

fn role(shared: &NodeContext) -> ClusterRole {
    let seen = shared.seen.borrow();
    match seen.standing {
        Standing::Joining | Standing::Astray(_) => ClusterRole::Joining,
        Standing::InStep if seen.leads => ClusterRole::Leader,
        Standing::InStep => ClusterRole::Follower,
    }
}
