//! What nodes say to each other through Redis: who leads, who lives, who wants what, and images.

use std::{sync::Arc, time::Duration};

use super::{RedisLog, millis};
use crate::{
    cluster::{
        Position,
        log::{
            LogError, term,
            words::{Meta, NodeWord, Note},
        },
    },
    limits::{CLUSTER_NOTES, IMAGE_PIECES, IMAGE_TTL, LOG_ANSWER, LOG_WAIT_MARGIN, MAX_NODES},
    redis::{Value, cmd},
};

/// For a script without arguments.
const NOTHING: &[&str] = &[];

impl RedisLog {
    pub(in super::super) async fn take(
        &mut self,
        node: &str,
        known: u64,
        lease: Duration,
    ) -> Result<Option<u64>, LogError> {
        let (keys, random) = (Arc::clone(&self.keys), term::random());
        let arguments = (node, term::counter(known), millis(lease), term::low_bits(random));
        let counter: Option<u64> =
            self.run("take", |all| &all.take, &[&keys.lease, &keys.term], arguments).await?;
        Ok(counter.map(|counter| term::of(counter, random)))
    }

    pub(in super::super) async fn renew(
        &mut self,
        node: &str,
        term: u64,
        lease: Duration,
    ) -> Result<bool, LogError> {
        let keys = Arc::clone(&self.keys);
        let arguments = (lease_value(node, term), millis(lease));
        let renewed: i64 = self.run("renew", |all| &all.renew, &[&keys.lease], arguments).await?;
        Ok(renewed == 1)
    }

    pub(in super::super) async fn resign(&mut self, node: &str, term: u64) -> Result<(), LogError> {
        let keys = Arc::clone(&self.keys);
        let value = lease_value(node, term);
        let _was_ours: i64 = self.run("resign", |all| &all.resign, &[&keys.lease], value).await?;
        Ok(())
    }

    pub(in super::super) async fn holder(&mut self) -> Result<Option<(String, u64)>, LogError> {
        let mut question = cmd("GET");
        question.arg(&self.keys.lease);
        let value: Option<String> = self.ask("holder", &question, LOG_ANSWER).await?;
        Ok(value.as_deref().and_then(holder))
    }

    pub(in super::super) async fn put_meta(&mut self, meta: &Meta) -> Result<(), LogError> {
        let mut set = cmd("SET");
        set.arg(&self.keys.meta).arg(json("put_meta", meta)?);
        self.ask("put_meta", &set, LOG_ANSWER).await
    }

    pub(in super::super) async fn meta(&mut self) -> Result<Option<Meta>, LogError> {
        let mut question = cmd("GET");
        question.arg(&self.keys.meta);
        let text: Option<Vec<u8>> = self.ask("meta", &question, LOG_ANSWER).await?;
        let read = |text: Vec<u8>| {
            serde_json::from_slice(&text)
                .map_err(|why| LogError::Unreadable { call: "meta", what: why.to_string() })
        };
        text.map(read).transpose()
    }

    pub(in super::super) async fn beat(&mut self, word: &NodeWord, ttl: Duration) -> Result<bool, LogError> {
        let keys = Arc::clone(&self.keys);
        let arguments = (&word.id, json("beat", word)?, millis(ttl), MAX_NODES);
        let all = [&*keys.nodes, &keys.nodes_until];
        let put: i64 = self.run("beat", |all| &all.put, &all, arguments).await?;
        Ok(put == 1)
    }

    /// Words that cannot be read are of a later version, and left out.
    pub(in super::super) async fn nodes(&mut self) -> Result<Vec<NodeWord>, LogError> {
        let keys = Arc::clone(&self.keys);
        let all = [&*keys.nodes, &keys.nodes_until];
        let all: Vec<(String, Vec<u8>)> = self.run("nodes", |all| &all.members, &all, NOTHING).await?;
        let read = |(_, text): &(String, Vec<u8>)| serde_json::from_slice::<NodeWord>(text).ok();
        let mut words: Vec<_> = all.iter().filter_map(read).collect();
        words.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(words)
    }

    pub(in super::super) async fn leave(&mut self, node: &str) -> Result<(), LogError> {
        let keys = Arc::clone(&self.keys);
        let all = [&*keys.nodes, &keys.nodes_until, &keys.wants, &keys.wants_until];
        let _done: i64 = self.run("leave", |all| &all.leave, &all, node).await?;
        Ok(())
    }

    pub(in super::super) async fn want(
        &mut self,
        node: &str,
        bitmap: &[u8],
        ttl: Duration,
    ) -> Result<bool, LogError> {
        let keys = Arc::clone(&self.keys);
        let arguments = (node, bitmap, millis(ttl), MAX_NODES);
        let all = [&*keys.wants, &keys.wants_until];
        let put: i64 = self.run("want", |all| &all.put, &all, arguments).await?;
        Ok(put == 1)
    }

    pub(in super::super) async fn wants(&mut self) -> Result<Vec<(String, Vec<u8>)>, LogError> {
        let keys = Arc::clone(&self.keys);
        let all = [&*keys.wants, &keys.wants_until];
        let mut all: Vec<(String, Vec<u8>)> = self.run("wants", |all| &all.members, &all, NOTHING).await?;
        all.sort();
        Ok(all)
    }

    pub(in super::super) async fn note(&mut self, note: &Note) -> Result<(), LogError> {
        let mut add = cmd("XADD");
        add.arg(&self.keys.notes).arg("MAXLEN").arg("~").arg(CLUSTER_NOTES).arg("*");
        add.arg("b").arg(json("note", note)?);
        let _id: Value = self.ask("note", &add, LOG_ANSWER).await?;
        Ok(())
    }

    /// What is noted in the rest of this millisecond may come although it was there before, and no reader misses it.
    pub(in super::super) async fn notes_now(&mut self) -> Result<Position, LogError> {
        let (seconds, micros): (u64, u64) = self.ask("notes_now", &cmd("TIME"), LOG_ANSWER).await?;
        let millis = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
        Ok(Position { term: millis.saturating_sub(1), seq: u64::MAX })
    }

    pub(in super::super) async fn claim(&mut self, id: &str, node: &str) -> Result<bool, LogError> {
        let mut set = cmd("SET");
        set.arg(self.keys.claim(id)).arg(node).arg("NX").arg("PX").arg(millis(IMAGE_TTL));
        let set: Value = self.ask("claim", &set, LOG_ANSWER).await?;
        Ok(set != Value::Nil)
    }

    pub(in super::super) async fn put_piece(&mut self, id: &str, bytes: &[u8]) -> Result<bool, LogError> {
        let key = self.keys.image(id);
        let arguments = (bytes, IMAGE_PIECES, millis(IMAGE_TTL));
        let put: i64 = self.run("put_piece", |all| &all.put_piece, &[&key], arguments).await?;
        Ok(put == 1)
    }

    pub(in super::super) async fn take_piece(
        &mut self,
        id: &str,
        wait: Duration,
    ) -> Result<Option<Vec<u8>>, LogError> {
        let mut pop = cmd("BLPOP");
        let wait = wait.max(Duration::from_millis(1));
        pop.arg(self.keys.image(id)).arg(format!("{}.{:03}", wait.as_secs(), wait.subsec_millis()));
        let patience = wait.saturating_add(LOG_WAIT_MARGIN);
        let popped: Option<(Vec<u8>, Vec<u8>)> = self.ask("take_piece", &pop, patience).await?;
        Ok(popped.map(|(_key, piece)| piece))
    }

    pub(in super::super) async fn pieces(&mut self, id: &str) -> Result<usize, LogError> {
        let mut question = cmd("LLEN");
        question.arg(self.keys.image(id));
        self.ask("pieces", &question, LOG_ANSWER).await
    }
}

fn json(call: &'static str, document: &impl serde::Serialize) -> Result<Vec<u8>, LogError> {
    serde_json::to_vec(document).map_err(|why| LogError::Unreadable { call, what: why.to_string() })
}

/// What stands in the lease of that node in that term.
fn lease_value(node: &str, of: u64) -> String {
    format!("{}:{}:{node}", term::counter(of), term::low_bits(of))
}

/// Who holds a lease, and in which term; none where somebody else has written something else.
fn holder(value: &str) -> Option<(String, u64)> {
    let (counter, rest) = value.split_once(':')?;
    let (random, node) = rest.split_once(':')?;
    Some((node.to_owned(), term::of(counter.parse().ok()?, random.parse().ok()?)))
}
