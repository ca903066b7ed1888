//! The log in Redis or Valkey: a stream whose ids are positions, and a few small things beside it.
//!
//! What makes it safe is one rule of Redis: `XADD` refuses an id that is not above the newest. It holds until Redis forgets, and
//! whether it has is looked at on each new connection before anything is written: a process that has forgotten is another one,
//! and the connections of the old one are closed.

mod answer;
mod inbox;
mod nodes;
mod replica;
mod scripts;

use std::{sync::Arc, time::Duration};

use answer::{entries, id_of, stream_info, streams};
use replica::ReplicaReads;
use scripts::Scripts;

use super::{
    LogError,
    keys::Keys,
    words::{Appended, Complaint, LogState, Note, Read, ServerIdentity},
};
use crate::{
    cluster::Position,
    limits::{CLUSTER_CLOCK_OFF, LOG_ANSWER, LOG_READ_BATCHES, LOG_WAIT_MARGIN},
    market::UnixMicros,
    redis::{Cmd, FromRedisValue, Link, LinkError, Script, Server, ToRedisArgs, Value, cmd},
};

/// A node's handle of a log in Redis. A clone is another handle, without a connection yet.
#[derive(Debug)]
pub struct RedisLog {
    server: Arc<Server>,
    keys: Arc<Keys>,
    scripts: Arc<Scripts>,
    /// None before the first call, during a call, and after an error: a call that is dropped half way leaves none.
    held: Option<Held>,
    /// Where it reads batches and notes, if that is not the master.
    replica: Option<ReplicaReads>,
}

impl Clone for RedisLog {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            keys: Arc::clone(&self.keys),
            scripts: Arc::clone(&self.scripts),
            held: None,
            replica: self.replica.as_ref().map(|_| ReplicaReads::default()),
        }
    }
}

/// A connection, and what has been looked at since it was made.
#[derive(Debug)]
struct Held {
    link: Link,
    /// Whether the log ends where the writer believes.
    knows_the_end: bool,
    /// Whether notes can be waited for from where the reader believes to be.
    knows_the_time: bool,
}

impl RedisLog {
    /// The log of that cluster on that server. Connects at the first call.
    #[must_use]
    pub fn new(server: Server, cluster: &str) -> Self {
        Self {
            server: Arc::new(server),
            keys: Arc::new(Keys::new(cluster)),
            scripts: Arc::new(Scripts::new()),
            held: None,
            replica: None,
        }
    }

    /// Batches and notes are read from replicas, while there are any: they have the same order and ids.
    #[must_use]
    pub fn reading_replicas(self) -> Self {
        Self { replica: Some(ReplicaReads::default()), ..self }
    }

    /// Where it is, for people.
    #[must_use]
    pub fn name(&self) -> String {
        self.server.name()
    }

    /// The connection, and a new one if there is none.
    async fn connection(&mut self) -> Result<Held, LogError> {
        if let Some(held) = self.held.take() {
            return Ok(held);
        }
        let link = self.server.connect().await.map_err(|why| LogError::Connect(why.to_string()))?;
        Ok(Held { link, knows_the_end: false, knows_the_time: false })
    }

    /// Keeps the connection unless it failed; after a refusal only when it has to do with what was asked, and not with who
    /// answers: a server that is no master any more stays none.
    fn settle<T>(
        &mut self,
        call: &'static str,
        held: Held,
        answer: Result<T, LinkError>,
    ) -> Result<T, LogError> {
        let is_in_step = match &answer {
            Ok(_) => true,
            Err(LinkError::Refused { code, .. }) => matches!(code.as_str(), "ERR" | "OOM" | "MISCONF"),
            Err(_) => false,
        };
        if is_in_step {
            self.held = Some(held);
        }
        answer.map_err(|why| failed(call, why))
    }

    async fn ask<T: FromRedisValue>(
        &mut self,
        call: &'static str,
        command: &Cmd,
        patience: Duration,
    ) -> Result<T, LogError> {
        let mut held = self.connection().await?;
        let answer = held.link.ask(command, patience).await;
        self.settle(call, held, answer)
    }

    async fn run<T: FromRedisValue>(
        &mut self,
        call: &'static str,
        script: impl Fn(&Scripts) -> &Script,
        keys: &[&str],
        arguments: impl ToRedisArgs,
    ) -> Result<T, LogError> {
        let scripts = Arc::clone(&self.scripts);
        let mut held = self.connection().await?;
        let answer = held.link.script(script(&scripts), keys, arguments, LOG_ANSWER).await;
        self.settle(call, held, answer)
    }

    pub(super) async fn append(
        &mut self,
        at: Position,
        bytes: &[u8],
        keep: Position,
    ) -> Result<Appended, LogError> {
        let is_known = self.held.as_ref().is_some_and(|held| held.knows_the_end);
        if !is_known && let Some(known) = self.look_at_the_end(at, bytes).await? {
            return Ok(known);
        }
        let mut add = cmd("XADD");
        add.arg(&self.keys.log).arg("NOMKSTREAM");
        if keep > Position::START {
            add.arg("MINID").arg("~").arg(keep.to_string());
        }
        add.arg(at.to_string()).arg("b").arg(bytes);
        match self.ask("append", &add, LOG_ANSWER).await {
            Ok(Value::Nil) => Ok(Appended::Gone),
            Ok(_id) => {
                if let Some(held) = &mut self.held {
                    held.knows_the_end = true;
                }
                Ok(Appended::Written)
            }
            // The words differ over versions; what they say is in the log.
            Err(refused @ LogError::Refused { .. }) if self.held.is_some() => {
                match self.look_at_the_end(at, bytes).await? {
                    Some(known) if known != Appended::Gone => Ok(known),
                    _ => Err(refused),
                }
            }
            Err(why) => Err(why),
        }
    }

    /// What the end of the log says of a batch that is about to be written, unless it may be written.
    async fn look_at_the_end(&mut self, at: Position, bytes: &[u8]) -> Result<Option<Appended>, LogError> {
        let Some((_, newest, _)) = self.stream_info("append").await? else {
            return Ok(Some(Appended::Gone));
        };
        let before = Position { term: at.term, seq: at.seq.wrapping_sub(1) };
        Ok(if newest == at && self.is_there(at, bytes).await? {
            Some(Appended::Written)
        } else if newest >= at {
            Some(Appended::Fenced(newest))
        } else if at.seq > 0 && newest != before {
            Some(Appended::Behind(newest))
        } else {
            None
        })
    }

    /// Whether the log has these bytes at its end, or has been emptied since it had something there.
    async fn is_there(&mut self, at: Position, bytes: &[u8]) -> Result<bool, LogError> {
        let mut question = cmd("XRANGE");
        question.arg(&self.keys.log).arg(at.to_string()).arg(at.to_string());
        let answer: Value = self.ask("append", &question, LOG_ANSWER).await?;
        Ok(entries("append", answer)?.iter().all(|(_, there)| there == bytes))
    }

    pub(super) async fn found(&mut self, at: Position, bytes: &[u8]) -> Result<Appended, LogError> {
        let keys = Arc::clone(&self.keys);
        let made: i64 = self.run("found", |all| &all.found, &[&keys.log], (at.to_string(), bytes)).await?;
        if made == 1 {
            return Ok(Appended::Written);
        }
        Ok(match self.stream_info("found").await? {
            Some((_, newest, _)) if newest == at && self.is_there(at, bytes).await? => Appended::Written,
            Some((_, newest, _)) => Appended::Fenced(newest),
            None => Appended::Gone,
        })
    }

    /// Length, newest id and oldest id of the log; none if there is no log.
    async fn stream_info(
        &mut self,
        call: &'static str,
    ) -> Result<Option<(u64, Position, Option<Position>)>, LogError> {
        let mut question = cmd("XINFO");
        question.arg("STREAM").arg(&self.keys.log);
        match self.ask::<Value>(call, &question, LOG_ANSWER).await {
            Ok(answer) => stream_info(call, answer).map(Some),
            Err(LogError::Refused { text, .. }) if text.contains("no such key") => Ok(None),
            Err(why) => Err(why),
        }
    }

    pub(super) async fn state(&mut self) -> Result<LogState, LogError> {
        let stream = self.stream_info("state").await?;
        let mut held = self.connection().await?;
        let info = held.link.info(LOG_ANSWER).await;
        let info = self.settle("state", held, info)?;
        Ok(LogState {
            newest: stream.map(|(_, newest, _)| newest),
            oldest: stream.and_then(|(.., oldest)| oldest),
            batches: stream.map_or(0, |(length, ..)| length),
            server: ServerIdentity { run_id: info.run_id, replid: info.replid },
        })
    }

    pub(super) async fn read(
        &mut self,
        after: Position,
        mut notes_after: Position,
        block: Duration,
    ) -> Result<Read, LogError> {
        let is_known = self.held.as_ref().is_some_and(|held| held.knows_the_time);
        if !is_known {
            // Ids of notes are times. A Redis that came back with an earlier clock would never get to where we wait.
            let now = self.notes_now().await?;
            if notes_after.term > now.term.saturating_add(1) {
                notes_after = now;
            }
            if let Some(held) = &mut self.held {
                held.knows_the_time = true;
            }
        }
        let question = question_of(&self.keys, after, notes_after, block);
        let patience = block.saturating_add(LOG_WAIT_MARGIN);
        if let Some(replica) = &mut self.replica
            && let Some(answer) = replica.ask(&self.server, &question, patience).await
        {
            let read = self.sort(answer)?;
            if !read.batches.is_empty() || !read.notes.is_empty() {
                return Ok(read);
            }
            // A replica that lags, or follows another master, is as silent as a log at its end.
            let at_once = question_of(&self.keys, after, notes_after, Duration::ZERO);
            let read = self.read_master(&at_once, LOG_ANSWER).await?;
            if let (None, Some(replica)) = (&read.silent, &mut self.replica) {
                replica.change();
            }
            return Ok(read);
        }
        self.read_master(&question, patience).await
    }

    async fn read_master(&mut self, question: &Cmd, patience: Duration) -> Result<Read, LogError> {
        let answer = self.ask("read", question, patience).await?;
        let mut read = self.sort(answer)?;
        if read.batches.is_empty() && read.notes.is_empty() {
            read.silent = Some(self.state().await?);
        }
        Ok(read)
    }

    /// Batches and notes of an answer.
    fn sort(&self, answer: Value) -> Result<Read, LogError> {
        let mut read = Read::default();
        for (name, entries) in streams("read", answer)? {
            if name == self.keys.log.as_bytes() {
                read.batches = entries;
            } else {
                let note = |bytes: Vec<u8>| serde_json::from_slice(&bytes).unwrap_or(Note::Unknown);
                read.notes = entries.into_iter().map(|(at, bytes)| (at, note(bytes))).collect();
            }
        }
        Ok(read)
    }

    pub(super) async fn check_server(&mut self, now: UnixMicros) -> Result<Vec<Complaint>, LogError> {
        let mut held = self.connection().await?;
        let info = held.link.info(LOG_ANSWER).await;
        let info = self.settle("check_server", held, info)?;
        let mut complaints = Vec::new();
        if info.redis_version < (6, 2, 0) {
            complaints.push(Complaint::Version(info.version));
        }
        if info.role != "master" {
            complaints.push(Complaint::Role(info.role));
        }
        if info.policy.starts_with("allkeys") {
            complaints.push(Complaint::Policy(info.policy));
        }
        let off = Duration::from_micros(info.time.saturating_sub(now.0).unsigned_abs());
        if off > CLUSTER_CLOCK_OFF {
            complaints.push(Complaint::Clock(off));
        }
        Ok(complaints)
    }
}

/// What asks for batches and notes.
fn question_of(keys: &Keys, after: Position, notes_after: Position, block: Duration) -> Cmd {
    let mut question = cmd("XREAD");
    question.arg("COUNT").arg(LOG_READ_BATCHES).arg("BLOCK").arg(millis(block)).arg("STREAMS");
    question.arg(&keys.log).arg(&keys.notes).arg(after.to_string()).arg(notes_after.to_string());
    question
}

fn failed(call: &'static str, why: LinkError) -> LogError {
    match why {
        LinkError::Timeout(_) => LogError::Timeout { call },
        LinkError::Refused { code, text } => LogError::Refused { call, code, text },
        LinkError::Closed | LinkError::Broken(_) => LogError::Closed { call, why: why.to_string() },
        LinkError::Protocol(what) | LinkError::Oversize(what) => LogError::Unreadable { call, what },
        LinkError::Connect { .. }
        | LinkError::ConnectTimeout { .. }
        | LinkError::Tls { .. }
        | LinkError::Password(_)
        | LinkError::NoMaster(_) => LogError::Connect(why.to_string()),
    }
}

/// At least one, since zero is for ever where Redis waits.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
