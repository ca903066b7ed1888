//! Memory that outlives a restart: the order in which the file is opened, taken over, written and left.

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::{task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    hub::Hub,
    limits::{CLOCK_CARRIED, CLOCK_STEP},
    market::{Source, UnixMicros},
    store::{Opened, Saver, StoreConfig, StoreScope},
};

/// A file that was opened for a hub that is not there yet.
pub(super) struct Found {
    config: StoreConfig,
    opened: Opened,
    /// Feeds whose sources went on while the gateway was not there.
    interrupted: Vec<Source>,
}

/// What saves at the interval, and for the last time. The saver outlives the task that runs it, so that the last save is
/// tried whatever has become of the others.
pub(super) struct SaveTask {
    saver: Arc<Mutex<Saver>>,
    stop: CancellationToken,
}

/// Opens the file if one is configured. `fresh` names the numbering if the last one cannot go on.
pub(super) async fn open(config: &Config, fresh: String, clock: &Clock) -> anyhow::Result<Option<Found>> {
    let Some(store) = config.store.clone() else { return Ok(None) };
    let feeds = |wanted: fn(&crate::config::AnyFeed) -> bool| {
        config.feeds.iter().filter(move |feed| wanted(&feed.feed)).map(|feed| feed.name)
    };
    let scope = StoreScope {
        feeds: feeds(|feed| !feed.starts_over()).collect(),
        starts_over: feeds(|feed| feed.starts_over()).next().is_some(),
        intervals: config.hub.intervals,
        resumes: config.feeds.iter().map(|feed| (feed.name, feed.feed.resumes())).collect(),
    };
    let interrupted = feeds(|feed| feed.goes_on_alone()).collect();
    let now = clock.now();
    let reading = store.clone();
    let opened = spawn_blocking(move || Opened::open(&reading, scope, fresh, now));
    let opened = opened.await.context("the store cannot be read")??;
    tracing::info!(
        path = %store.path.display(),
        symbols = opened.symbols(),
        orphaned = opened.orphaned(),
        epoch = opened.epoch,
        continued = opened.is_continued,
        "store"
    );
    carry_on(clock, opened.said);
    Ok(Some(Found { config: store, opened, interrupted }))
}

/// The time goes on where the last run left it, also when the machine's clock was set back since: bars that are kept would take
/// every trade for late until then.
fn carry_on(clock: &Clock, said: Option<UnixMicros>) {
    let Some(said) = said else { return };
    let behind_ms = said.0.saturating_sub(clock.now().0) / 1_000;
    if behind_ms > CLOCK_CARRIED / 1_000 {
        tracing::error!(
            behind_ms,
            "the store was saved in the future: until then trades without a time are late"
        );
    } else if clock.not_before(said).unsigned_abs() >= CLOCK_STEP {
        tracing::warn!(
            behind_ms,
            "the machine's clock is behind the last run's: the gateway's goes on from there"
        );
    }
}

impl Found {
    /// The name of the numbering.
    pub(super) fn epoch(&self) -> &str {
        &self.opened.epoch
    }

    /// Fills the hub, which knows its feeds' limits by now and nothing else, and makes final what is over.
    pub(super) fn restore(&mut self, hub: &Hub) -> anyhow::Result<()> {
        self.opened.restore(hub, &self.interrupted)?;
        while hub.tick_clock(hub.clock().now()) {}
        Ok(())
    }

    /// Saves from now on.
    pub(super) fn keep(self, hub: Arc<Hub>) -> SaveTask {
        let saver = Saver::new(self.opened, hub, self.config);
        SaveTask { saver: Arc::new(Mutex::new(saver)), stop: CancellationToken::new() }
    }
}

impl SaveTask {
    /// Saves at the interval, until it is told to stop.
    pub(super) fn saves(&self) -> impl Future<Output = Result<(), String>> + Send + 'static {
        let saves = Saver::run(Arc::clone(&self.saver), self.stop.clone());
        async { saves.await.map_err(|why| why.to_string()) }
    }

    /// No further saves but those that are asked for.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Saves now, and waits for that as long as `patience`.
    pub(super) async fn save(&self, patience: Duration) {
        self.attempt(patience, Saver::save).await;
    }

    /// Saves for the last time, when nothing is published any more; the next run's numbering goes on from there if it
    /// may. A failure is told and not an error: the next run then has another epoch.
    pub(super) async fn finish(&self, goes_on: bool, patience: Duration) {
        if goes_on {
            self.attempt(patience, Saver::finish).await;
        } else {
            self.attempt(patience, Saver::save).await;
        }
    }

    async fn attempt(&self, patience: Duration, save: fn(&mut Saver) -> bool) {
        let saver = Arc::clone(&self.saver);
        let saving = spawn_blocking(move || save(&mut saver.lock()));
        match timeout(patience, saving).await {
            // What it came to was told where it was tried.
            Ok(Ok(_)) => {}
            Ok(Err(why)) => tracing::error!("not saved: {why}"),
            Err(_late) => {
                tracing::error!(waited_ms = patience.as_millis(), "not saved: the disk does not answer");
            }
        }
    }
}
