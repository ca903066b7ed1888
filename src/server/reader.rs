//! The way in: bytes of one client to commands of its session.

use std::rc::Rc;

use actix_web::dev::Payload;
use futures_util::StreamExt as _;

use super::{
    LocalShard,
    body::Port,
    inbound::{Inbound, Message},
};
use crate::{
    clock::Instant,
    dialect::native::Encoding,
    session::{CloseReason, SessionKey, Shard},
};

/// Reads one connection.
pub(super) struct Reader {
    pub(super) shard: LocalShard,
    pub(super) key: SessionKey,
    pub(super) port: Rc<Port>,
    pub(super) encoding: Encoding,
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
                        handle(&mut self.shard.borrow_mut(), self.key, self.encoding, message)
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
pub(super) fn handle(shard: &mut Shard, key: SessionKey, encoding: Encoding, message: Message) {
    let now = Instant::now();
    match (message, encoding) {
        (Message::Text(text), Encoding::Json) => shard.command(key, &text, now),
        (Message::Binary(bytes), Encoding::MsgPack) => shard.command(key, &bytes, now),
        (Message::Text(_), Encoding::MsgPack) | (Message::Binary(_), Encoding::Json) => {
            shard.close(key, CloseReason::Unsupported, now);
        }
        (Message::Ping(payload), _) => shard.pinged(key, &payload, now),
        (Message::Pong, _) => shard.ponged(key, now),
        (Message::Close(code), _) => shard.close(key, CloseReason::client(code), now),
    }
}
