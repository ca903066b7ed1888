//! The inbox: a stream of pushed ticks, which the node that leads takes into the log.

use std::{sync::Arc, time::Duration};

use super::{RedisLog, answer::streams, id_of, millis};
use crate::{
    cluster::{
        InboxId, Position,
        log::{LogError, words::Pushed},
    },
    limits::{INBOX_BYTES, INBOX_KEY_TTL, INBOX_READ_ENTRIES, LOG_WAIT_MARGIN},
    redis::{Value, cmd},
};

impl RedisLog {
    pub(in super::super) async fn open_inbox(&mut self, after: InboxId) -> Result<(), LogError> {
        let keys = Arc::clone(&self.keys);
        let all = [&*keys.inbox, &keys.inbox_size];
        let _done: i64 = self.run("open_inbox", |all| &all.open_inbox, &all, after.to_string()).await?;
        Ok(())
    }

    pub(in super::super) async fn push_inbox(
        &mut self,
        bytes: &[u8],
        key: Option<&str>,
    ) -> Result<Pushed, LogError> {
        let keys = Arc::clone(&self.keys);
        let pushed = keys.pushed(key.unwrap_or_default());
        let all = [&*keys.inbox, &keys.inbox_size, &pushed];
        let ttl = key.map_or_else(String::new, |_| millis(INBOX_KEY_TTL).to_string());
        let arguments = (bytes, INBOX_BYTES, ttl);
        let answer: Value = self.run("push_inbox", |all| &all.push, &all, arguments).await?;
        if answer == Value::Int(0) {
            return Ok(Pushed::Closed);
        }
        if answer == Value::Int(1) {
            return Ok(Pushed::Full);
        }
        let bad = || LogError::Unreadable { call: "push_inbox", what: "an id".into() };
        let at = id_of(&answer).ok_or_else(bad)?;
        Ok(Pushed::Waiting(InboxId(at.term, at.seq)))
    }

    pub(in super::super) async fn read_inbox(
        &mut self,
        after: InboxId,
        block: Duration,
    ) -> Result<Vec<(InboxId, Vec<u8>)>, LogError> {
        let mut question = cmd("XREAD");
        question.arg("COUNT").arg(INBOX_READ_ENTRIES).arg("BLOCK").arg(millis(block));
        question.arg("STREAMS").arg(&self.keys.inbox).arg(after.to_string());
        let answer = self.ask("read_inbox", &question, block.saturating_add(LOG_WAIT_MARGIN)).await?;
        let entries = streams("read_inbox", answer)?.into_iter().flat_map(|(_, entries)| entries);
        let named = |(at, bytes): (Position, Vec<u8>)| (InboxId(at.term, at.seq), bytes);
        Ok(entries.map(named).collect())
    }

    pub(in super::super) async fn trim_inbox(&mut self, through: InboxId) -> Result<(), LogError> {
        let keys = Arc::clone(&self.keys);
        let next = InboxId(through.0, through.1.saturating_add(1));
        let all = [&*keys.inbox, &keys.inbox_size];
        let arguments = (through.to_string(), next.to_string());
        let _gone: i64 = self.run("trim_inbox", |all| &all.trim_inbox, &all, arguments).await?;
        Ok(())
    }
}
