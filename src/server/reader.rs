//! The way in: bytes of one client to commands of its session.

use std::rc::Rc;

use actix_web::dev::Payload;
use futures_util::StreamExt as _;

use super::{
    LocalShard,
    admit::Wishes,
    body::Port,
    inbound::{Inbound, Message},
};
use crate::{
    clock::Instant,
    dialect::native::Encoding,
    drill,
    session::{Admission, CloseReason, Refusal, SessionConfig, SessionKey, Shard, Transport},
};

/// What the messages of a connection are.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    /// Commands in that encoding.
    Commands(Encoding, Wishes),
    /// To be sent back.
    #[cfg(feature = "test-endpoints")]
    Echo,
}

impl Purpose {
    /// Opens a session for it. Returns also the bytes that one message may have.
    pub(super) fn open(
        self,
        shard: &LocalShard,
        config: &SessionConfig,
        transport: Rc<dyn Transport>,
        admission: Result<Admission, Refusal>,
    ) -> (SessionKey, usize) {
        let now = Instant::now();
        match self {
            Self::Commands(encoding, wishes) => {
                let mut shard = shard.borrow_mut();
                let key = shard.open(encoding, transport, admission, now);
                if let Some(flush) = wishes.flush {
                    shard.set_flush(key, flush);
                }
                (key, config.frame_bytes)
            }
            #[cfg(feature = "test-endpoints")]
            Self::Echo => {
                (shard.borrow_mut().open_echo(transport, admission, now), crate::limits::ECHO_BYTES)
            }
        }
    }
}

/// Reads one connection.
pub(super) struct Reader {
    pub(super) shard: LocalShard,
    pub(super) key: SessionKey,
    pub(super) port: Rc<Port>,
    pub(super) purpose: Purpose,
    /// Bytes of one message.
    pub(super) most: usize,
}

impl Reader {
    /// Reads until the connection ends. While too many replies wait for the client, nothing is read: the client's
    /// own socket fills up, and nobody else notices.
    pub(super) async fn run(self, mut payload: Payload) {
        let mut inbound = Inbound::new(self.most);
        let mut understood = true;
        while let Some(Ok(bytes)) = payload.next().await {
            if !understood {
                self.shard.borrow_mut().answered(self.key);
                continue;
            }
            self.shard.borrow_mut().heard(self.key, Instant::now());
            inbound.push(&bytes);
            drop(bytes);
            loop {
                while self.must_pause() {
                    self.port.resumed().await;
                }
                match inbound.next() {
                    Ok(None) => break,
                    Ok(Some(message)) => {
                        handle(&mut self.shard.borrow_mut(), self.key, self.purpose, message)
                    }
                    Err(reason) => {
                        self.shard.borrow_mut().close(self.key, reason, Instant::now());
                        understood = false;
                        break;
                    }
                }
            }
        }
        self.shard.borrow_mut().leave(self.key, Instant::now());
    }

    fn must_pause(&self) -> bool {
        self.shard.borrow_mut().must_pause(self.key)
    }
}

/// One message of a client.
pub(super) fn handle(shard: &mut Shard, key: SessionKey, purpose: Purpose, message: Message) {
    drill::strike("session");
    let now = Instant::now();
    match (message, purpose) {
        (Message::Text(text), Purpose::Commands(Encoding::Json, _)) => shard.command(key, &text, now),
        (Message::Binary(bytes), Purpose::Commands(Encoding::MsgPack, _)) => shard.command(key, &bytes, now),
        (Message::Text(_) | Message::Binary(_), Purpose::Commands(encoding, _)) => {
            shard.close(key, CloseReason::Unsupported(encoding), now);
        }
        #[cfg(feature = "test-endpoints")]
        (Message::Text(text), Purpose::Echo) => shard.echo(key, true, &text),
        #[cfg(feature = "test-endpoints")]
        (Message::Binary(bytes), Purpose::Echo) => shard.echo(key, false, &bytes),
        (Message::Ping(payload), _) => shard.pinged(key, &payload, now),
        (Message::Pong, _) => shard.ponged(key, now),
        (Message::Close(code), _) => shard.close(key, CloseReason::client(code), now),
    }
}
