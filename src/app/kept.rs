//! What outlives a restart, when it is to: the order in which the file is opened, taken over, written and left.

use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    hub::Hub,
    market::Source,
    store::{House, Opened, Saver, StoreConfig},
};

/// A file that was opened for a hub that is not there yet.
pub(super) struct Found {
    config: StoreConfig,
    opened: Opened,
    /// Feeds whose sources went on while the gateway was not there.
    interrupted: Vec<Source>,
}

/// The task that saves.
pub(super) struct Keeper {
    saves: JoinHandle<Result<Saver, JoinError>>,
    stop: CancellationToken,
}

/// Opens the file if there is to be one. `fresh` names the numbering if the last one cannot go on.
pub(super) async fn open(config: &Config, fresh: String, clock: &Clock) -> anyhow::Result<Option<Found>> {
    let Some(store) = config.store.clone() else { return Ok(None) };
    let feeds = |wanted: fn(&crate::config::AnyFeed) -> bool| {
        config.feeds.iter().filter(move |feed| wanted(&feed.feed)).map(|feed| feed.name)
    };
    let house = House {
        feeds: feeds(|feed| !feed.starts_over()).collect(),
        starts_over: feeds(|feed| feed.starts_over()).next().is_some(),
        intervals: config.hub.intervals,
    };
    let interrupted = feeds(|feed| feed.goes_on_alone()).collect();
    let now = clock.now();
    let reading = store.clone();
    let opened = spawn_blocking(move || Opened::open(&reading, house, fresh, now));
    let opened = opened.await.context("the store cannot be read")??;
    tracing::info!(
        path = %store.path.display(),
        symbols = opened.symbols(),
        parked = opened.parked(),
        epoch = opened.epoch,
        continued = opened.is_continued,
        "store"
    );
    Ok(Some(Found { config: store, opened, interrupted }))
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
    pub(super) fn keep(self, hub: Arc<Hub>) -> Keeper {
        let stop = CancellationToken::new();
        let saver = Saver::new(self.opened, hub, self.config);
        Keeper { saves: tokio::spawn(saver.run(stop.clone())), stop }
    }
}

impl Keeper {
    /// Saves for the last time. A failure is told and not an error: the next run then has another epoch.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let saver = self.saves.await.context("the saver panicked")?.context("the saver panicked")?;
        spawn_blocking(move || saver.finish()).await.context("the last save panicked")?;
        Ok(())
    }
}
