//! A second connection that takes over from the first without a hole. It subscribes to everything, then both are read for
//! a while, then only the second. Its ticks are kept until then; the venue's numbers tell which of them the first has
//! already brought.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use super::{
    UpstreamPlan,
    broken::Break,
    link::{Link, LinkUpdate, SequencedTick},
    socket::Received,
};
use crate::{
    clock::Instant,
    feed::Publisher,
    limits::{UPSTREAM_OVERLAP_TICKS, UPSTREAM_ROTATION_TIMEOUT},
    market::{Symbol, Tick},
};

/// The second connection.
#[derive(Debug)]
pub(super) struct Successor {
    stage: Stage,
    deadline: Instant,
    /// When it had all its subscriptions.
    settled: Option<Instant>,
    /// Its ticks so far.
    kept: Vec<SequencedTick>,
}

#[derive(Debug)]
enum Stage {
    Opening(JoinHandle<Result<Link, Break>>),
    Open(Box<Link>),
}

/// What the second connection brought.
#[derive(Debug)]
pub(super) enum Arrival {
    Opened(Box<Result<Link, String>>),
    Frame(Result<Received, Break>),
}

impl Successor {
    /// Starts to connect in the background.
    pub(super) fn start(plan: &Arc<UpstreamPlan>, symbols: &std::collections::BTreeSet<Symbol>) -> Self {
        let (plan, symbols) = (Arc::clone(plan), symbols.clone());
        let opening = tokio::spawn(async move { Link::open(&plan, &symbols).await });
        let deadline = Instant::now() + UPSTREAM_ROTATION_TIMEOUT;
        Self { stage: Stage::Opening(opening), deadline, settled: None, kept: Vec::new() }
    }

    /// Waits until it is open, then for its next frame.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn arrival(&mut self) -> Arrival {
        match &mut self.stage {
            Stage::Opening(opening) => Arrival::Opened(Box::new(match opening.await {
                Ok(opened) => opened.map_err(|why| why.to_string()),
                Err(why) => Err(why.to_string()),
            })),
            Stage::Open(link) => Arrival::Frame(link.frame().await),
        }
    }

    /// Takes what arrived.
    pub(super) async fn take(
        &mut self,
        arrival: Arrival,
        plan: &UpstreamPlan,
        out: &Publisher,
        wanted: &std::collections::BTreeSet<Symbol>,
    ) -> Result<(), String> {
        match arrival {
            Arrival::Opened(opened) => {
                let mut link = (*opened)?;
                // Other symbols may be wanted by now.
                wanted.iter().for_each(|symbol| link.requests.want(*symbol));
                self.stage = Stage::Open(Box::new(link));
            }
            Arrival::Frame(frame) => {
                let Stage::Open(link) = &mut self.stage else { return Ok(()) };
                let mut update = LinkUpdate::default();
                link.read(frame, plan, out, &mut update).await.map_err(|why| why.to_string())?;
                if update.unreadable.is_some()
                    || update.shutdown
                    || !update.refused.is_empty()
                    || !update.without_place.is_empty()
                {
                    return Err("it does not work as the old one does".into());
                }
                self.kept.append(&mut update.ticks);
                if self.kept.len() > UPSTREAM_OVERLAP_TICKS {
                    return Err(format!(
                        "more than {UPSTREAM_OVERLAP_TICKS} ticks before it could take over"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Sends what is due. Returns whether it can take over.
    pub(super) async fn sweep(&mut self, plan: &UpstreamPlan) -> Result<bool, String> {
        let now = Instant::now();
        if let Stage::Open(link) = &mut self.stage {
            let mut update = LinkUpdate::default();
            link.decide(&mut update);
            if !update.refused.is_empty() {
                return Err("the venue refuses it what the old one has".into());
            }
            link.sweep(plan).await.map_err(|why| why.to_string())?;
            if !link.is_settled() {
                self.settled = None;
            } else if self.settled.is_none() {
                self.settled = Some(now);
            }
        }
        if self.settled.is_none() && now >= self.deadline {
            return Err("it did not get all its subscriptions in time".into());
        }
        Ok(self.settled.is_some_and(|settled| now >= settled + plan.overlap))
    }

    /// It has its time without the part in which the process stood still.
    pub(super) fn excuse(&mut self, late: Duration) {
        self.deadline += late;
        self.settled = self.settled.map(|settled| settled + late);
    }

    /// When [`sweep`](Self::sweep) has something to do next.
    pub(super) fn next(&self, plan: &UpstreamPlan) -> Instant {
        let own = match &self.stage {
            Stage::Opening(_) => self.deadline,
            Stage::Open(link) => link.next(plan),
        };
        own.min(self.settled.map_or(self.deadline, |settled| settled + plan.overlap))
    }

    /// The connection, once it is open.
    pub(super) fn link(&mut self) -> Option<&mut Link> {
        match &mut self.stage {
            Stage::Opening(_) => None,
            Stage::Open(link) => Some(link),
        }
    }

    /// The connection and its ticks so far. Of quotes without time or number only the newest of each symbol is kept: the old
    /// connection may have brought newer ones than the rest.
    pub(super) fn into_parts(self) -> Option<(Link, Vec<SequencedTick>)> {
        let Stage::Open(link) = self.stage else { return None };
        let mut kept = self.kept;
        let mut newer: HashSet<Symbol> = HashSet::new();
        kept.reverse();
        kept.retain(|(tick, sequence)| match tick {
            Tick::Quote(quote) if sequence.is_none() && quote.te.is_none() => newer.insert(quote.symbol),
            Tick::Quote(_) | Tick::Trade(_) | Tick::Status(_) | Tick::Correction(_) | Tick::Loss(_) => true,
        });
        kept.reverse();
        Some((*link, kept))
    }

    /// Gives it up.
    pub(super) fn abandon(self) {
        match self.stage {
            Stage::Opening(opening) => opening.abort(),
            Stage::Open(link) => link.close(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::{
        dialect::Venue,
        feed::upstream::{Definition, Surroundings},
    };

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_process_is_not_time_of_the_new_connection() {
        let definition: Definition = toml::from_str("symbols = [\"BTC-USD\"]").unwrap();
        let feed = definition.build(Venue::Kraken, std::path::Path::new("/"), &Surroundings::default());
        let plan = feed.unwrap().plan;
        let mut successor = Successor {
            stage: Stage::Opening(tokio::spawn(std::future::pending())),
            deadline: Instant::now() + UPSTREAM_ROTATION_TIMEOUT,
            settled: None,
            kept: Vec::new(),
        };
        let second = Duration::from_secs(1);
        advance(UPSTREAM_ROTATION_TIMEOUT - second).await;
        assert_eq!(successor.sweep(&plan).await, Ok(false));
        // It stands still for ten seconds: the last one is still to come.
        advance(10 * second).await;
        successor.excuse(10 * second);
        assert_eq!(successor.sweep(&plan).await, Ok(false));
        advance(second).await;
        assert!(successor.sweep(&plan).await.is_err(), "and then its time is over");
        // Both connections are read for the whole overlap, too.
        successor.settled = Some(Instant::now());
        advance(plan.overlap).await;
        successor.excuse(plan.overlap);
        assert_eq!(successor.sweep(&plan).await, Ok(false));
        advance(plan.overlap).await;
        assert_eq!(successor.sweep(&plan).await, Ok(true));
    }
}
