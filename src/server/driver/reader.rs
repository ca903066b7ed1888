//! The way in: bytes of one client to commands of its session.

use std::rc::Rc;

use actix_web::dev::Payload;
use futures_util::StreamExt as _;

use super::{
    body::BodyTransport,
    endpoint::{self, Endpoint},
    inbound::Inbound,
};
use crate::{clock::Instant, server::gateway::LocalShard, session::SessionKey};

/// Reads one connection.
pub(crate) struct Reader {
    pub(crate) shard: LocalShard,
    pub(crate) key: SessionKey,
    pub(crate) transport: Rc<BodyTransport>,
    pub(crate) endpoint: Endpoint,
    /// Bytes of one message.
    pub(crate) most: usize,
}

impl Reader {
    /// Reads until the connection ends. While too many replies wait for the client, nothing is read: the client's
    /// own socket fills up, and no other client notices.
    pub(crate) async fn run(self, mut payload: Payload) {
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
                    self.transport.resumed().await;
                }
                match inbound.next() {
                    Ok(None) => break,
                    Ok(Some(message)) => {
                        endpoint::handle(&mut self.shard.borrow_mut(), self.key, self.endpoint, message)
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
