//! Scripts without a server: a file that is saved and then is gone, and a worker that was held up.

use std::{cell::RefCell, fs, path::Path, rc::Rc, sync::Arc, time::Duration};

use tempfile::TempDir;
use tickcast::{
    clock::Clock,
    hub::{Hub, HubConfig},
    market::{Intervals, UnixMicros},
    metrics::Metrics,
    session::{SessionConfig, Shard, run},
    store::{Opened, Saver, StoreConfig, StoreScope},
};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

use super::samples::{Samples, Three};
use crate::util::{source, trade};

fn scrape(hub: &Hub) -> Samples {
    Samples::read(&String::from_utf8(hub.metrics().render().unwrap()).unwrap())
}

/// Ticks are saved; then the file is removed, which the next save notices, and the one after it writes another.
pub(super) async fn store() -> Three {
    let folder = TempDir::new().unwrap();
    saved(&folder.path().join("kept.redb"))
}

fn saved(path: &Path) -> Three {
    let clock = Clock::manual(UnixMicros(1_700_000_000_000_000));
    let config = StoreConfig::new(path.into());
    let (feeds, resumes) = (vec![source()], Vec::new());
    let scope = StoreScope { feeds, starts_over: false, intervals: Intervals::ALL, resumes };
    let opened = Opened::open(&config, scope, "epoch".into(), clock.now()).unwrap();
    let hub = Arc::new(Hub::new(HubConfig::default(), "epoch".into(), clock, Arc::new(Metrics::new())));
    let before = scrape(&hub);
    let mut saver = Saver::new(opened, Arc::clone(&hub), config);
    hub.publish(source(), [trade("A", 1, "1.00")]);
    assert!(saver.save());
    let after = scrape(&hub);
    fs::remove_file(path).unwrap();
    hub.publish(source(), [trade("A", 2, "1.00")]);
    assert!(!saver.save());
    assert!(saver.save());
    Three([before, after, scrape(&hub)])
}

/// A worker's thread stands still for an hour, and then goes on.
pub(super) async fn stall() -> Three {
    // On a thread of its own, whose time passes when it is told to.
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        LocalSet::new().block_on(&runtime.unwrap(), stalled())
    })
    .join()
    .unwrap()
}

async fn stalled() -> Three {
    let metrics = Arc::new(Metrics::new());
    let hub = Arc::new(Hub::new(HubConfig::default(), "epoch".into(), Clock::system(), metrics));
    let shard = Shard::new(Arc::clone(&hub), "test", SessionConfig::default()).unwrap();
    let stop = CancellationToken::new();
    let running = run(Rc::new(RefCell::new(shard)), stop.clone(), stop, Duration::ZERO);
    let running = tokio::task::spawn_local(running);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let before = scrape(&hub);
    tokio::time::advance(Duration::from_secs(3_600)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = scrape(&hub);
    tokio::time::sleep(Duration::from_secs(10)).await;
    running.abort();
    Three([before, after, scrape(&hub)])
}
