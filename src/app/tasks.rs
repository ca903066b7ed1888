//! The gateway's long-lived tasks under one supervisor: whatever ends unasked is logged with its name, counted, and
//! returned as the [`Fault`] for which the gateway has to end.
//!
//! Feeds restart themselves (`feed::supervise`), so one that gets here has failed outside of its own part.

use std::{collections::HashMap, fmt, future::Future, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    task::{AbortHandle, Id, JoinError, JoinHandle, JoinSet},
    time::timeout,
};

use crate::{feed::panic_message, market::Source, metrics::Metrics};

/// A long-lived part of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A source of ticks. It may end: a recording does.
    Feed(Source),
    /// What tells the hub the time.
    Timekeeper,
    /// What saves at the interval.
    Saver,
    /// The sessions of one worker.
    Shard,
    /// Listeners and workers.
    Server,
    /// What this gateway does among the others of its cluster.
    Cluster,
}

impl Task {
    /// As a metric label.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Feed(_) => "feed",
            Self::Timekeeper => "timekeeper",
            Self::Saver => "saver",
            Self::Shard => "shard",
            Self::Server => "server",
            Self::Cluster => "cluster",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feed(name) => write!(f, "the feed {name}"),
            Self::Shard => f.write_str("a worker's shard"),
            Self::Cluster => f.write_str("the part in the cluster"),
            Self::Timekeeper | Self::Saver | Self::Server => write!(f, "the {}", self.as_str()),
        }
    }
}

/// A part of the gateway that ended unasked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{task} {how}")]
pub struct Fault {
    /// Which part.
    pub task: Task,
    /// In which way.
    pub how: Unasked,
}

/// How a task can end unasked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unasked {
    /// It panicked, with that message.
    #[error("panicked: {0}")]
    Panicked(String),
    /// It gave up, for that reason.
    #[error("failed: {0}")]
    Failed(String),
    /// It returned, or its thread has gone.
    #[error("ended by itself")]
    Ended,
    /// It was told to stop and did not.
    #[error("did not stop in time")]
    Stuck,
}

impl Unasked {
    /// As a metric label.
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Panicked(_) => "panic",
            Self::Failed(_) => "error",
            Self::Ended => "ended",
            Self::Stuck => "stuck",
        }
    }
}

/// What a task came to.
type Outcome = Result<(), String>;

/// All of them.
pub(super) struct Tasks {
    set: JoinSet<Outcome>,
    running: HashMap<Id, (Task, AbortHandle)>,
    /// Shards as workers start them.
    shards: mpsc::Receiver<JoinHandle<()>>,
    metrics: Arc<Metrics>,
}

impl Tasks {
    /// None yet; shards come through that channel.
    pub(super) fn new(shards: mpsc::Receiver<JoinHandle<()>>, metrics: Arc<Metrics>) -> Self {
        Self { set: JoinSet::new(), running: HashMap::new(), shards, metrics }
    }

    /// Runs a task under supervision.
    pub(super) fn spawn(&mut self, task: Task, run: impl Future<Output = Outcome> + Send + 'static) {
        let handle = self.set.spawn(run);
        self.running.insert(handle.id(), (task, handle));
    }

    /// Completes with the first task that ended unasked.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn fault(&mut self) -> Fault {
        loop {
            tokio::select! {
                Some(shard) = self.shards.recv() => self.spawn(Task::Shard, joined(shard)),
                Some(ended) = self.set.join_next_with_id() => {
                    if let Some(fault) = self.judge(ended, false) {
                        return fault;
                    }
                }
                else => std::future::pending().await,
            }
        }
    }

    /// Waits until all tasks that are told to stop have ended, at most for `patience`; those that have not are dropped.
    /// Returns what ended badly, of these and of others.
    pub(super) async fn stopped(&mut self, told: fn(&Task) -> bool, patience: Duration) -> Vec<Fault> {
        let mut faults = Vec::new();
        let all = async {
            while self.running.values().any(|(task, _)| told(task)) {
                let Some(ended) = self.set.join_next_with_id().await else { break };
                faults.extend(self.judge(ended, true));
            }
        };
        if timeout(patience, all).await.is_err() {
            let late: Vec<_> = self.running.extract_if(|_, (task, _)| told(task)).collect();
            for (_, (task, handle)) in late {
                handle.abort();
                faults.push(self.tell(Fault { task, how: Unasked::Stuck }));
            }
        }
        faults
    }

    /// Forgets a task that has ended, and tells what is wrong with that. `asked` when everything ends.
    fn judge(&mut self, ended: Result<(Id, Outcome), JoinError>, asked: bool) -> Option<Fault> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let (task, _) = self.running.remove(&id)?;
        let how = match ended {
            Ok((_, Ok(()))) if asked || matches!(task, Task::Feed(_)) => return None,
            Ok((_, Ok(()))) => Unasked::Ended,
            Ok((_, Err(why))) => Unasked::Failed(why),
            Err(why) => match why.try_into_panic() {
                Ok(panic) => Unasked::Panicked(panic_message(panic.as_ref())),
                Err(_cancelled) if asked => return None,
                Err(_cancelled) => Unasked::Ended,
            },
        };
        Some(self.tell(Fault { task, how }))
    }

    fn tell(&self, fault: Fault) -> Fault {
        let task = fault.task;
        self.metrics.tasks.count(task.as_str(), fault.how.as_str());
        tracing::error!(task = task.as_str(), "{fault}");
        fault
    }
}

/// A task of another runtime. Its panic goes on here; that its thread has gone ends it.
async fn joined(task: JoinHandle<()>) -> Outcome {
    match task.await.map_err(JoinError::try_into_panic) {
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Ok(()) | Err(Err(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> (Tasks, mpsc::Sender<JoinHandle<()>>) {
        let (sender, shards) = mpsc::channel(1);
        (Tasks::new(shards, Arc::new(Metrics::new())), sender)
    }

    fn metric(tasks: &Tasks, labels: &str) -> bool {
        let text = String::from_utf8(tasks.metrics.render().unwrap()).unwrap();
        text.contains(&format!("tickcast_task_failures_total{{{labels}}} 1"))
    }

    async fn panics() -> Outcome {
        panic!("no more")
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_ends_unasked_is_a_fault_with_its_name() {
        let feed = Task::Feed(Source::new("f").unwrap());
        for (task, label) in
            [(Task::Timekeeper, "timekeeper"), (Task::Saver, "saver"), (Task::Server, "server")]
        {
            let (mut all, _shards) = tasks();
            all.spawn(task, std::future::pending());
            all.spawn(task, panics());
            let fault = all.fault().await;
            assert_eq!(fault.to_string(), format!("the {label} panicked: no more"));
            assert!(metric(&all, &format!("reason=\"panic\",task=\"{label}\"")));
            all.spawn(task, async { Ok(()) });
            assert_eq!(all.fault().await.to_string(), format!("the {label} ended by itself"));
            assert!(metric(&all, &format!("reason=\"ended\",task=\"{label}\"")));
            all.spawn(task, async { Err("the disk is gone".into()) });
            assert_eq!(all.fault().await.to_string(), format!("the {label} failed: the disk is gone"));
            assert!(metric(&all, &format!("reason=\"error\",task=\"{label}\"")));
        }
        // A recording may end.
        let (mut all, _shards) = tasks();
        all.spawn(feed, async { Ok(()) });
        assert!(timeout(Duration::from_secs(60), all.fault()).await.is_err());
        all.spawn(feed, panics());
        assert_eq!(all.fault().await.to_string(), "the feed f panicked: no more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_of_another_thread_that_panics_or_goes_with_its_thread_is_a_fault() {
        let (mut all, shards) = tasks();
        shards.send(tokio::spawn(async { panic!("in the middle") })).await.unwrap();
        assert_eq!(all.fault().await.to_string(), "a worker's shard panicked: in the middle");
        let gone = tokio::spawn(std::future::pending());
        gone.abort();
        shards.send(gone).await.unwrap();
        assert_eq!(all.fault().await.to_string(), "a worker's shard ended by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_at_the_end_is_told_and_keeps_nobody() {
        let (mut all, _shards) = tasks();
        all.spawn(Task::Timekeeper, panics());
        all.spawn(Task::Server, std::future::pending());
        let feed = |name| Task::Feed(Source::new(name).unwrap());
        all.spawn(feed("good"), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        });
        all.spawn(feed("stuck"), std::future::pending());
        let publishes = |task: &Task| matches!(task, Task::Feed(_) | Task::Timekeeper);
        let faults = all.stopped(publishes, Duration::from_secs(5)).await;
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, ["the timekeeper panicked: no more", "the feed stuck did not stop in time"]);
        assert!(all.stopped(publishes, Duration::from_secs(5)).await.is_empty(), "the stuck one was dropped");
    }
}
