//! Channels and patterns that are listened to. Redis delivers a message at most once and to those only who listen at that
//! moment: what was said between two connections is lost, and nothing tells how much it was.

use redis::{Cmd, Value};
use tokio::task::yield_now;

use super::Reading;
use crate::{
    feed::{End, Publisher},
    limits::{REDIS_BLOCK, REDIS_BURST_MESSAGES, REDIS_CONNECT_TIMEOUT},
    market::LossWhy,
    redis::{Link, LinkError},
};

/// What is listened to.
#[derive(Debug)]
pub(super) struct Channels {
    channels: Vec<String>,
    patterns: Vec<String>,
    /// Whether it was listened to before: what was said since is lost.
    was_subscribed: bool,
}

/// What a server says to a listener.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Message(Vec<u8>),
    Subscribed,
    Pong,
}

impl Channels {
    pub(super) const fn new(channels: Vec<String>, patterns: Vec<String>) -> Self {
        Self { channels, patterns, was_subscribed: false }
    }

    /// Nothing was heard for the hub of the next run.
    pub(super) const fn begin_anew(&mut self) {
        self.was_subscribed = false;
    }

    /// Listens until the link is lost or the feed is told to stop.
    pub(super) async fn run(
        &mut self,
        mut link: Link,
        out: &Publisher,
        reading: &mut Reading<'_>,
    ) -> Result<End, LinkError> {
        if self.was_subscribed {
            reading.metrics.hole("reconnect");
            reading.intake.interrupt(out, LossWhy::Reconnect);
        }
        let mut due = self.channels.len() + self.patterns.len();
        for (word, names) in [("SUBSCRIBE", &self.channels), ("PSUBSCRIBE", &self.patterns)] {
            if !names.is_empty() {
                link.send(redis::cmd(word).arg(names), REDIS_CONNECT_TIMEOUT).await?;
            }
        }
        // Set before the first is confirmed: from then on messages may be lost.
        self.was_subscribed = true;
        let mut is_asked = false;
        loop {
            let next = tokio::select! {
                biased;
                () = out.cancelled() => return Ok(End::Cancelled),
                next = link.next(REDIS_BLOCK) => next?,
            };
            let Some(first) = next else {
                if is_asked || due > 0 {
                    return Err(LinkError::Timeout(REDIS_BLOCK));
                }
                // A way that a firewall has dropped looks like silence.
                link.send(&ping(), REDIS_BLOCK).await?;
                is_asked = true;
                continue;
            };
            is_asked = false;
            let mut next = Some(first);
            let mut burst = 0;
            while let Some(value) = next.take() {
                match said(value)? {
                    Said::Message(bytes) => {
                        reading.payload.read(out, &bytes, out.clock().now(), &mut reading.ticks);
                    }
                    Said::Subscribed => {
                        due = due.saturating_sub(1);
                        if due == 0 {
                            out.connected();
                        }
                    }
                    Said::Pong => {}
                }
                burst += 1;
                if burst < REDIS_BURST_MESSAGES {
                    next = link.next_at_hand()?;
                }
            }
            reading.publish(out, false);
            yield_now().await;
        }
    }
}

fn ping() -> Cmd {
    redis::cmd("PING")
}

/// Reads what a listener is told. An error of Redis is told by the link.
fn said(value: Value) -> Result<Said, LinkError> {
    let unknown = || LinkError::Protocol("a listener was told what no listener is told".into());
    // The answer to a ping before the first subscription.
    if matches!(&value, Value::SimpleString(word) if word == "PONG") {
        return Ok(Said::Pong);
    }
    let Value::Array(mut parts) = value else { return Err(unknown()) };
    let Some(Value::BulkString(word)) = parts.first().cloned() else { return Err(unknown()) };
    match (word.as_slice(), parts.len(), parts.pop()) {
        (b"message", 3, Some(Value::BulkString(bytes)))
        | (b"pmessage", 4, Some(Value::BulkString(bytes))) => Ok(Said::Message(bytes)),
        (b"subscribe" | b"psubscribe", 3, _) => Ok(Said::Subscribed),
        (b"pong", ..) => Ok(Said::Pong),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_is_told() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let read = |parts: &[&str]| said(Value::Array(parts.iter().map(|text| bulk(text)).collect()));
        assert_eq!(read(&["message", "c", "x"]), Ok(Said::Message(b"x".into())));
        assert_eq!(read(&["pmessage", "c*", "c", ""]), Ok(Said::Message(Vec::new())));
        assert_eq!(read(&["pong", ""]), Ok(Said::Pong));
        assert_eq!(said(Value::SimpleString("PONG".into())), Ok(Said::Pong));
        let subscribed = Value::Array(vec![bulk("subscribe"), bulk("c"), Value::Int(1)]);
        assert_eq!(said(subscribed), Ok(Said::Subscribed));
        for bad in [&["message", "c"][..], &["unsubscribe", "c", "0"], &["other"], &[]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert!(said(Value::Int(1)).is_err() && said(Value::Array(vec![Value::Int(1)])).is_err());
    }
}
