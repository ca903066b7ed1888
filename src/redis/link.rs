//! One bare connection: a question, its answer, a deadline.

use std::time::Duration;

use ::redis::{Cmd, FromRedisValue, Pipeline, ToRedisArgs, Value};
use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::timeout,
};

use super::{LinkError, Script, ServerInfo, frame::Frame};
use crate::limits::{REDIS_BUFFER_BYTES, REDIS_LAST_LOOK};

/// What a link runs over: TCP, TLS or a Unix socket.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// A connection to Redis, logged in. After an error that is not [`LinkError::Refused`] it answers no more.
pub struct Link {
    wire: Box<dyn Wire>,
    buffer: BytesMut,
    frame: Frame,
    /// An answer is due that was not read: what comes next would be taken for the answer to something else.
    out_of_step: bool,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("out_of_step", &self.out_of_step).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(wire: Box<dyn Wire>) -> Self {
        Self { wire, buffer: BytesMut::new(), frame: Frame::default(), out_of_step: false }
    }

    /// Asks, and waits for the answer at most `patience`; of a blocking read that is its time and
    /// [`crate::limits::REDIS_BLOCK_MARGIN`].
    ///
    /// # Cancel safety
    /// A question whose answer was not waited for may have been carried out. The link answers no more then.
    ///
    /// # Errors
    /// Redis refuses it, or the link is lost.
    pub async fn ask<T: FromRedisValue>(&mut self, cmd: &Cmd, patience: Duration) -> Result<T, LinkError> {
        let answer = self.exchange(&cmd.get_packed_command(), 1, patience).await?;
        let value = answer.into_iter().next().unwrap_or_default();
        T::from_redis_value(refused(value)?).map_err(|why| LinkError::Protocol(why.to_string()))
    }

    /// Asks several things at once and gives the answers in order; with [`Pipeline::atomic`], those of the transaction.
    ///
    /// # Cancel safety
    /// As [`Link::ask`].
    ///
    /// # Errors
    /// Redis refuses one of them (the others may have been carried out), or the link is lost.
    pub async fn pipeline(&mut self, asked: &Pipeline, patience: Duration) -> Result<Vec<Value>, LinkError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        // A transaction is answered with OK, a QUEUED for each command, and the answers as one array.
        let due = if asked.is_transaction() { asked.len() + 2 } else { asked.len() };
        let mut answers = self.exchange(&asked.get_packed_pipeline(), due, patience).await?;
        if !asked.is_transaction() {
            return answers.into_iter().map(refused).collect();
        }
        let last = answers.pop().unwrap_or_default();
        for queued in answers {
            refused(queued)?;
        }
        let Value::Array(values) = refused(last)? else {
            return Err(LinkError::Protocol("a transaction was not answered with a list".into()));
        };
        values.into_iter().map(refused).collect()
    }

    /// Runs a script, by its hash; where Redis does not know it, it is loaded first.
    ///
    /// # Cancel safety
    /// As [`Link::ask`].
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub async fn script<T: FromRedisValue>(
        &mut self,
        script: &Script,
        keys: &[&str],
        arguments: impl ToRedisArgs,
        patience: Duration,
    ) -> Result<T, LinkError> {
        let mut call = ::redis::cmd("EVALSHA");
        call.arg(script.hash()).arg(keys.len()).arg(keys).arg(arguments);
        match self.ask(&call, patience).await {
            // It was not carried out, so asking again is safe.
            Err(unknown) if unknown.is_refused("NOSCRIPT") => {
                let mut load = ::redis::cmd("SCRIPT");
                load.arg("LOAD").arg(script.text());
                let _hash: String = self.ask(&load, patience).await?;
                self.ask(&call, patience).await
            }
            answer => answer,
        }
    }

    /// What the server says of itself.
    ///
    /// # Cancel safety
    /// As [`Link::ask`].
    ///
    /// # Errors
    /// As [`Link::ask`].
    pub async fn info(&mut self, patience: Duration) -> Result<ServerInfo, LinkError> {
        let text: String = self.ask(&::redis::cmd("INFO"), patience).await?;
        let time: (i64, i64) = self.ask(&::redis::cmd("TIME"), patience).await?;
        ServerInfo::read(&text, time)
    }

    /// Says something whose answers are read by [`Link::next`]: `SUBSCRIBE`, and the pings of a subscriber.
    ///
    /// # Errors
    /// The link is lost.
    pub async fn send(&mut self, cmd: &Cmd, patience: Duration) -> Result<(), LinkError> {
        self.begin()?;
        let bytes = cmd.get_packed_command();
        timeout(patience, self.write(&bytes)).await.map_err(|_late| LinkError::Timeout(patience))??;
        self.out_of_step = false;
        Ok(())
    }

    /// The next message on a link that subscribed, or nothing when none came within `patience`.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The link is lost, or Redis refuses what was sent.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Value>, LinkError> {
        if self.out_of_step {
            return Err(LinkError::Closed);
        }
        match timeout(patience, self.read()).await {
            Ok(value) => refused(value?).map(Some),
            Err(_late) => match timeout(REDIS_LAST_LOOK, self.read()).await {
                Ok(value) => refused(value?).map(Some),
                Err(_nothing) => Ok(None),
            },
        }
    }

    /// A message that has been read with others already.
    ///
    /// # Errors
    /// It is not understood, or Redis refuses what was sent.
    pub fn next_at_hand(&mut self) -> Result<Option<Value>, LinkError> {
        self.take().and_then(|value| value.map(refused).transpose())
    }

    /// Remembers that an answer is due until it was read.
    fn begin(&mut self) -> Result<(), LinkError> {
        if std::mem::replace(&mut self.out_of_step, true) { Err(LinkError::Closed) } else { Ok(()) }
    }

    async fn exchange(
        &mut self,
        bytes: &[u8],
        due: usize,
        patience: Duration,
    ) -> Result<Vec<Value>, LinkError> {
        self.begin()?;
        let mut answers = Vec::with_capacity(due);
        let asked = timeout(patience, async {
            self.write(bytes).await?;
            self.read_all(due, &mut answers).await
        });
        match asked.await {
            Ok(done) => done?,
            // The process may have stood still, and the answer may be there.
            Err(_late) => match timeout(REDIS_LAST_LOOK, self.read_all(due, &mut answers)).await {
                Ok(done) => done?,
                Err(_nothing) => return Err(LinkError::Timeout(patience)),
            },
        }
        self.out_of_step = false;
        Ok(answers)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.wire.write_all(bytes).await?;
        Ok(self.wire.flush().await?)
    }

    async fn read_all(&mut self, due: usize, answers: &mut Vec<Value>) -> Result<(), LinkError> {
        while answers.len() < due {
            answers.push(self.read().await?);
        }
        Ok(())
    }

    /// The next answer. What has come of it stays in the buffer when the future is dropped.
    async fn read(&mut self) -> Result<Value, LinkError> {
        loop {
            if let Some(value) = self.take()? {
                return Ok(value);
            }
            if self.wire.read_buf(&mut self.buffer).await? == 0 {
                return Err(LinkError::Closed);
            }
        }
    }

    fn take(&mut self) -> Result<Option<Value>, LinkError> {
        let Some(length) = self.frame.whole(&self.buffer)? else {
            return Ok(None);
        };
        let value = ::redis::parse_redis_value(&self.buffer[..length])
            .map_err(|why| LinkError::Protocol(why.to_string()))?;
        self.buffer.advance(length);
        if self.buffer.is_empty() && self.buffer.capacity() > REDIS_BUFFER_BYTES {
            self.buffer = BytesMut::new();
        }
        Ok(Some(value))
    }
}

/// An error of Redis as an error.
fn refused(value: Value) -> Result<Value, LinkError> {
    let Value::ServerError(error) = value else { return Ok(value) };
    let text = error.details().unwrap_or_default().to_owned();
    Err(LinkError::Refused { code: error.code().to_owned(), text })
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn pair() -> (Link, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1024 * 1024);
        (Link::new(Box::new(ours)), theirs)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_read_in_pieces_and_a_refusal_leaves_the_link_in_step() {
        let (mut link, mut redis) = pair();
        redis.write_all(b"*2\r\n$1\r\na\r\n$1\r\nb\r\n-ERR no\r\n:7\r").await.unwrap();
        let get = ::redis::cmd("GET");
        assert_eq!(link.ask::<Vec<String>>(&get, PATIENCE).await.unwrap(), ["a", "b"]);
        let no = link.ask::<i64>(&get, PATIENCE).await.unwrap_err();
        assert!(no.is_refused("ERR"), "{no}");
        redis.write_all(b"\n").await.unwrap();
        assert_eq!(link.ask::<i64>(&get, PATIENCE).await.unwrap(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_is_never_taken_for_the_next_one() {
        let (mut link, mut redis) = pair();
        let get = ::redis::cmd("GET");
        assert_eq!(link.ask::<i64>(&get, PATIENCE).await.unwrap_err(), LinkError::Timeout(PATIENCE));
        redis.write_all(b":1\r\n:2\r\n").await.unwrap();
        assert_eq!(link.ask::<i64>(&get, PATIENCE).await.unwrap_err(), LinkError::Closed);
        let (mut link, mut redis) = pair();
        {
            let asked = link.ask::<i64>(&get, PATIENCE);
            tokio::select! {
                biased;
                _answer = asked => panic!("there is none"),
                () = std::future::ready(()) => {}
            }
        }
        redis.write_all(b":1\r\n").await.unwrap();
        assert_eq!(link.ask::<i64>(&get, PATIENCE).await.unwrap_err(), LinkError::Closed, "dropped half way");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_deadline_cuts_in_two_is_read_on() {
        let (mut link, mut redis) = pair();
        redis.write_all(b"*2\r\n$1\r\na\r\n").await.unwrap();
        assert_eq!(link.next(PATIENCE).await.unwrap(), None);
        redis.write_all(b"$1\r\nb\r\n:1\r\n").await.unwrap();
        let whole = Value::Array(vec![Value::BulkString(b"a".into()), Value::BulkString(b"b".into())]);
        assert_eq!(link.next(PATIENCE).await.unwrap(), Some(whole));
        assert_eq!(link.next_at_hand().unwrap(), Some(Value::Int(1)));
        assert_eq!(link.next_at_hand().unwrap(), None);
        drop(redis);
        assert_eq!(link.next(PATIENCE).await.unwrap_err(), LinkError::Closed);
    }
}
