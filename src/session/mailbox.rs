//! The way into a shard from other threads: end a session, change what it may have, look at one or at all. Answers come
//! back by a oneshot.
//!
//! A shard opens one letter a turn, between bursts, so that fan-out waits for no letter and no letter for long.

use parking_lot::RwLock;
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use super::{CloseReason, Grants};
use crate::{
    dialect::talk::{Info, List},
    limits::SHARD_MAILBOX,
};

/// Why a letter had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Too many letters wait.
    #[error("the shard has {SHARD_MAILBOX} requests waiting: try again")]
    Full,
    /// The shard has ended.
    #[error("the shard has ended")]
    Gone,
}

/// Some sessions of a shard.
#[derive(Debug, Clone, Default)]
pub struct InfoPage {
    /// How each is doing.
    pub sessions: Vec<Info>,
    /// Where the next page begins, if there is one.
    pub next: Option<usize>,
}

/// What a shard is asked.
#[derive(Debug)]
pub(super) enum Letter {
    Evict { session: u64, reason: CloseReason, answer: oneshot::Sender<bool> },
    GrantsChanged { session: u64, grants: Grants, answer: oneshot::Sender<bool> },
    Info { session: u64, answer: oneshot::Sender<Option<Info>> },
    Infos { from: usize, answer: oneshot::Sender<InfoPage> },
    List { session: u64, from: usize, answer: oneshot::Sender<Option<List>> },
}

/// One shard's mailbox.
#[derive(Debug, Clone)]
pub struct Mailbox(mpsc::Sender<Letter>);

/// The letters of a shard, for the shard.
pub(super) type Letters = mpsc::Receiver<Letter>;

impl Mailbox {
    pub(super) fn new() -> (Self, Letters) {
        let (sender, letters) = mpsc::channel(SHARD_MAILBOX);
        (Self(sender), letters)
    }

    async fn ask<T>(&self, letter: impl FnOnce(oneshot::Sender<T>) -> Letter) -> Result<T, MailError> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(letter(answer)).map_err(|why| match why {
            TrySendError::Full(_) => MailError::Full,
            TrySendError::Closed(_) => MailError::Gone,
        })?;
        answered.await.map_err(|_gone| MailError::Gone)
    }

    /// Ends a session, named by the number of its [admission](super::Admission::serial). Returns whether it was here.
    ///
    /// # Errors
    /// When the shard cannot be asked.
    pub async fn evict(&self, session: u64, reason: CloseReason) -> Result<bool, MailError> {
        self.ask(|answer| Letter::Evict { session, reason, answer }).await
    }

    /// Gives a session other grants. Subscriptions that they do not allow end, and the client is told; a pattern brings what
    /// they allow in addition when the client subscribes to it again. Completes when nothing is left that they do not allow,
    /// or newer ones have come. Returns whether the session was here.
    ///
    /// # Errors
    /// When the shard cannot be asked.
    pub async fn grants_changed(&self, session: u64, grants: Grants) -> Result<bool, MailError> {
        self.ask(|answer| Letter::GrantsChanged { session, grants, answer }).await
    }

    /// How a session is doing, if it is here.
    ///
    /// # Errors
    /// When the shard cannot be asked.
    pub async fn info(&self, session: u64) -> Result<Option<Info>, MailError> {
        self.ask(|answer| Letter::Info { session, answer }).await
    }

    /// How the sessions from a place on are doing, at most [`INSPECT_PAGE`](crate::limits::INSPECT_PAGE) of them. Sessions
    /// that come or go between two pages may be missed.
    ///
    /// # Errors
    /// When the shard cannot be asked.
    pub async fn infos(&self, from: usize) -> Result<InfoPage, MailError> {
        self.ask(|answer| Letter::Infos { from, answer }).await
    }

    /// What a session is subscribed to, if it is here: at most [`INSPECT_PAGE`](crate::limits::INSPECT_PAGE) subscriptions,
    /// without the first `from`.
    ///
    /// # Errors
    /// When the shard cannot be asked.
    pub async fn list(&self, session: u64, from: usize) -> Result<Option<List>, MailError> {
        self.ask(|answer| Letter::List { session, from, answer }).await
    }
}

/// The mailboxes of all shards of a gateway.
#[derive(Debug, Default)]
pub struct Mailboxes(RwLock<Vec<Mailbox>>);

impl Mailboxes {
    /// Adds one; those of shards that have ended go.
    pub fn register(&self, mailbox: Mailbox) {
        let mut all = self.0.write();
        all.retain(|old| !old.0.is_closed());
        all.push(mailbox);
    }

    /// Every shard's.
    #[must_use]
    pub fn all(&self) -> Vec<Mailbox> {
        self.0.read().clone()
    }

    /// The first answer that there is, of whatever shard.
    async fn first<T>(
        &self,
        ask: impl AsyncFn(Mailbox) -> Result<Option<T>, MailError>,
    ) -> Result<Option<T>, MailError> {
        let mut result = Ok(None);
        for mailbox in self.all() {
            match ask(mailbox).await {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(why) => result = Err(why),
            }
        }
        result
    }

    /// Ends a session on whatever shard it is. Returns whether there was one.
    ///
    /// # Errors
    /// When a shard cannot be asked and no other has the session.
    pub async fn evict(&self, session: u64, reason: CloseReason) -> Result<bool, MailError> {
        let evicted = self.first(async |it| Ok(it.evict(session, reason).await?.then_some(()))).await?;
        Ok(evicted.is_some())
    }

    /// Gives a session other grants, as [`Mailbox::grants_changed`], on whatever shard it is. Those of a user are given to
    /// each of the user's sessions.
    ///
    /// # Errors
    /// When a shard cannot be asked and no other has the session.
    pub async fn grants_changed(&self, session: u64, grants: &Grants) -> Result<bool, MailError> {
        let changed = self
            .first(async |it| Ok(it.grants_changed(session, grants.clone()).await?.then_some(())))
            .await?;
        Ok(changed.is_some())
    }

    /// How a session is doing, on whatever shard it is.
    ///
    /// # Errors
    /// When a shard cannot be asked and no other has the session.
    pub async fn info(&self, session: u64) -> Result<Option<Info>, MailError> {
        self.first(async |it| it.info(session).await).await
    }

    /// What a session is subscribed to, as [`Mailbox::list`], on whatever shard it is.
    ///
    /// # Errors
    /// When a shard cannot be asked and no other has the session.
    pub async fn list(&self, session: u64, from: usize) -> Result<Option<List>, MailError> {
        self.first(async |it| it.list(session, from).await).await
    }
}
