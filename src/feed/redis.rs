//! Ticks that other programs write to Redis or Valkey: messages of channels (`mode = "pubsub"`) or entries of streams
//! (`mode = "stream"`).
//!
//! Several gateways that each listen to the same channels or streams bring the same ticks, each with numbers of its own.
//! Reconnecting is the supervisor's; what may have been missed meanwhile is told by the next tick of each symbol.

mod answer;
mod definition;
mod intake;
mod mapping;
mod payload;
mod position;
mod pubsub;
mod stream;

pub use definition::Definition;

use std::time::Duration;

use self::{
    intake::Intake,
    payload::{Payload, Placed},
    pubsub::Channels,
    stream::Streams,
};
use super::{Backoff, End, Feed, FeedError, Publisher};
use crate::{
    limits::REDIS_BACKOFF,
    market::Symbol,
    metrics::RedisMetrics,
    redis::{LinkError, Server},
};

/// A feed that reads Redis.
#[derive(Debug)]
pub struct Redis {
    server: Server,
    reads: Reads,
    payload: Payload,
    intake: Intake,
    symbols: Vec<Symbol>,
    expires: Duration,
}

/// What is read.
#[derive(Debug)]
enum Reads {
    Channels(Channels),
    Streams(Streams),
}

/// The parts of a feed that do not depend on how it reads.
struct Reading<'a> {
    payload: &'a mut Payload,
    intake: &'a mut Intake,
    metrics: &'a RedisMetrics,
    ticks: Vec<Placed>,
}

impl Reading<'_> {
    fn publish(&mut self, out: &Publisher, is_doubtful: bool) {
        self.intake.take((out, self.metrics), &mut self.ticks, is_doubtful);
    }
}

impl Redis {
    /// Symbols that exist before their first tick.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> {
        self.symbols.iter().copied()
    }

    /// How long a symbol that came with a tick stays without another one.
    #[must_use]
    pub const fn expires(&self) -> Duration {
        self.expires
    }

    /// Where it reads, for people: no secret is in it.
    #[must_use]
    pub fn server(&self) -> String {
        self.server.name()
    }

    /// The streams that are read on after a restart where they were left; of channels there are none.
    pub fn streams(&self) -> impl Iterator<Item = &str> {
        let streams = match &self.reads {
            Reads::Streams(streams) => Some(streams),
            Reads::Channels(_) => None,
        };
        streams.into_iter().flat_map(Streams::keys)
    }
}

impl Feed for Redis {
    async fn run(&mut self, out: &Publisher) -> Result<End, FeedError> {
        out.metrics().restart_reasons(LinkError::KINDS);
        out.metrics().ignored_rules(self.payload.rules());
        out.declare(self.symbols.iter().copied())?;
        let is_stream = matches!(self.reads, Reads::Streams(_));
        let metrics = out.redis_metrics(is_stream);
        let link = tokio::select! {
            biased;
            () = out.cancelled() => return Ok(End::Cancelled),
            link = self.server.connect() => link?,
        };
        tracing::info!(feed = %out.name(), server = self.server.name(), "connected");
        let (payload, intake) = (&mut self.payload, &mut self.intake);
        let mut reading = Reading { payload, intake, metrics: &metrics, ticks: Vec::new() };
        let ended = match &mut self.reads {
            Reads::Channels(channels) => channels.run(link, out, &mut reading).await,
            Reads::Streams(streams) => streams.run(link, out, &mut reading).await,
        };
        Ok(ended?)
    }

    /// Where the next leader of a cluster goes on no store says: it begins at what comes, and the hub tells the gap.
    fn begin_anew(&mut self) {
        self.intake.begin_anew();
        match &mut self.reads {
            Reads::Channels(channels) => channels.begin_anew(),
            Reads::Streams(streams) => streams.begin_anew(),
        }
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(REDIS_BACKOFF.0, REDIS_BACKOFF.1)
    }
}
