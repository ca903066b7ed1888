//! The venue's product list, fetched over HTTPS in the background again and again, and handed to the feed.
//!
//! A failed attempt changes nothing: it is told, counted, and repeated after a growing pause. There
//! is one request a connection: no redirects, no cookies.

use std::{panic::resume_unwind, sync::Arc};

use tokio::{
    sync::mpsc,
    task::{JoinError, JoinHandle},
};

use super::{
    UpstreamPlan,
    fetch::{FetchError, OUTCOMES, ProductSource, fetch},
};
use crate::{
    clock::Instant,
    dialect::ProductList,
    feed::{Backoff, Publisher},
};

/// The lists as they come. The task ends when this is dropped.
#[derive(Debug)]
pub(super) struct Lists {
    coming: mpsc::Receiver<ProductList>,
    /// `None` once the task has ended.
    task: Option<JoinHandle<()>>,
}

impl Lists {
    /// Starts to fetch.
    pub(super) fn start(plan: Arc<UpstreamPlan>, product_source: Arc<ProductSource>, out: Publisher) -> Self {
        // Fetch the next list only after the last one was taken.
        let (lists, coming) = mpsc::channel(1);
        Self { coming, task: Some(tokio::spawn(keep_fetching(plan, product_source, out, lists))) }
    }

    /// The next list; never, once the gateway stops.
    ///
    /// # Cancel safety
    /// A list is not lost when the future is dropped.
    ///
    /// # Panics
    /// When the fetching task has panicked. The feed then starts it again, as after any panic.
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

async fn keep_fetching(
    plan: Arc<UpstreamPlan>,
    product_source: Arc<ProductSource>,
    out: Publisher,
    lists: mpsc::Sender<ProductList>,
) {
    let mut backoff = Backoff::new(plan.retry.0, plan.retry.1);
    let metrics = out.upstream_metrics();
    metrics.products(0, [0; 4]);
    metrics.product_lists(&OUTCOMES);
    loop {
        tokio::select! {
            () = plan.hold.passed() => {}
            () = out.cancelled() => return,
        }
        let pause = match fetch(&plan, &product_source).await {
            Ok(list) => {
                metrics.product_list("ok");
                backoff.reset();
                if lists.send(list).await.is_err() {
                    return;
                }
                product_source.refresh
            }
            Err(why) => {
                metrics.product_list(why.as_str());
                if let FetchError::Status { retry_after: Some(time), .. } = &why {
                    plan.hold.extend(Instant::now(), *time);
                }
                let pause = if why.wants_peace() {
                    backoff.longest(&mut rand::rng())
                } else {
                    backoff.next(&mut rand::rng())
                };
                let pause = plan.hold.left(Instant::now()).map_or(pause, |left| left.max(pause));
                let (feed, url, pause_ms) = (out.name(), product_source.url.url(), pause.as_millis());
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
