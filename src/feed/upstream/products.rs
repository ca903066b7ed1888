//! The venue's product list: fetched over HTTPS in the background, again and again, and handed to the feed.
//!
//! An attempt that fails leaves everything as it is: it is told, counted, and made again after a growing pause. There
//! is one request a connection: no redirects, no proxies, no cookies.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
    time::timeout,
};

use super::{Plan, fetch::fetch};
use crate::{
    dialect::{ProductList, ProductListError},
    feed::{Backoff, Publisher},
};

/// Where the list is and when it is fetched.
#[derive(Debug)]
pub(super) struct Shop {
    /// `https://…`, or `http://…` on this machine.
    pub(super) url: super::socket::Address,
    pub(super) is_tls: bool,
    pub(super) refresh: Duration,
    pub(super) patience: Duration,
}

/// Why an attempt has failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShopError {
    #[error("{0}")]
    Connect(String),
    #[error("it took longer than {0} ms")]
    Late(u128),
    #[error("HTTP {status}{words}")]
    Status { status: u16, words: String },
    #[error("it is longer than {0} bytes")]
    Oversize(usize),
    #[error("{0}")]
    Unreadable(#[from] ProductListError),
}

/// Outcomes of attempts, as metric labels.
const OUTCOMES: [&str; 6] = ["ok", "connect", "timeout", "status", "oversize", "unreadable"];

impl ShopError {
    /// As a metric label.
    pub(super) const fn as_str(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Late(_) => "timeout",
            Self::Status { .. } => "status",
            Self::Oversize(_) => "oversize",
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Whether the venue would rather not see another attempt soon. 418 is how Binance bans an address.
    const fn wants_peace(&self) -> bool {
        matches!(self, Self::Status { status: 401 | 403 | 418 | 429, .. })
    }
}

/// The lists as they come. The task ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lists {
    coming: mpsc::Receiver<ProductList>,
    /// None once its end was seen.
    task: Option<JoinHandle<()>>,
}

impl Lists {
    /// Starts to fetch.
    pub(super) fn start(plan: Arc<Plan>, shop: Arc<Shop>, out: Publisher) -> Self {
        // The next one is not fetched before the last one was taken.
        let (lists, coming) = mpsc::channel(1);
        Self { coming, task: Some(tokio::spawn(keep_fetching(plan, shop, out, lists))) }
    }

    /// The next list; never, once the gateway stops.
    ///
    /// # Cancel safety
    /// A list is not lost when the future is dropped.
    ///
    /// # Panics
    /// When the task that fetches has panicked: the feed then starts it again, as after any panic.
    pub(super) async fn next(&mut self) -> ProductList {
        if let Some(list) = self.coming.recv().await {
            return list;
        }
        if let Some(task) = &mut self.task {
            let ended = task.await;
            self.task = None;
            if let Err(Ok(panic)) = ended.map_err(JoinError::try_into_panic) {
                resume_unwind(panic);
            }
        }
        std::future::pending().await
    }

    /// The next list, if it is there already.
    pub(super) fn now(&mut self) -> Option<ProductList> {
        self.coming.try_recv().ok()
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn keep_fetching(plan: Arc<Plan>, shop: Arc<Shop>, out: Publisher, lists: mpsc::Sender<ProductList>) {
    let mut backoff = Backoff::new(plan.retry.0, plan.retry.1);
    let metrics = out.upstream_metrics();
    metrics.products(0, [0; 4]);
    metrics.product_lists(&OUTCOMES);
    loop {
        let late = |_elapsed| ShopError::Late(shop.patience.as_millis());
        let fetched = timeout(shop.patience, fetch(&plan, &shop)).await.map_err(late).and_then(|it| it);
        let pause = match fetched {
            Ok(list) => {
                metrics.product_list("ok");
                backoff.reset();
                if lists.send(list).await.is_err() {
                    return;
                }
                shop.refresh
            }
            Err(why) => {
                metrics.product_list(why.as_str());
                let pause = if why.wants_peace() {
                    backoff.longest(&mut rand::rng())
                } else {
                    backoff.next(&mut rand::rng())
                };
                let (feed, url, pause_ms) = (out.name(), &shop.url.url, pause.as_millis());
                tracing::warn!(%feed, %url, pause_ms, "no product list, what is known stays: {why}");
                pause
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = out.cancelled() => return,
        }
    }
}
