//! The leader's feeds, as the node sees them: the rest of the gateway has them.

use std::{future::Future, sync::Arc};

use super::FeedWord;
use crate::{
    hub::{FailoverTimes, Hub},
    market::{Source, Tick},
};

/// Feeds that can be started, stopped, and started again against another hub.
pub trait Sources: Send {
    /// When another feed becomes a symbol's source.
    fn failover(&self) -> FailoverTimes;

    /// Makes the feeds and their terms known to a hub in which there is nothing yet.
    fn enlist(&self, origin: &Hub);

    /// Feeds that cannot tell by themselves what they have missed while another node led; all of them, when what others had
    /// of them is lost.
    fn interrupted(&self, is_lost: bool) -> Vec<Source>;

    /// Starts them all.
    fn start(&mut self, origin: &Arc<Hub>);

    /// Completes with the reason when one has ended in a way that it should not.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    fn failed(&mut self) -> impl Future<Output = String> + Send;

    /// Stops them all: when it completes none publishes any more.
    ///
    /// # Errors
    /// When one did not stop in time: then none can be started again.
    fn stop(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// How they are doing.
    fn words(&self, origin: &Hub) -> Vec<FeedWord>;

    /// Publishes ticks of a producer.
    fn push(&mut self, feed: Source, ticks: Vec<Tick>);
}
