//! What the messages of a WebSocket are: commands of a session, or, in test builds, to be sent back.

use std::rc::Rc;

use super::{connect::ConnectOptions, inbound::Message};
use crate::{
    clock::Instant,
    dialect::Encoding,
    drill,
    server::gateway::LocalShard,
    session::{Admission, CloseReason, Refusal, SessionConfig, SessionKey, Shard, Transport},
};

/// What the messages of a connection are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Endpoint {
    /// Commands in that encoding.
    Commands(Encoding, ConnectOptions),
    /// To be sent back.
    #[cfg(feature = "test-endpoints")]
    Echo,
}

impl Endpoint {
    /// Opens a session for it. Returns also the bytes that one message may have.
    pub(crate) fn open(
        self,
        shard: &LocalShard,
        config: &SessionConfig,
        transport: Rc<dyn Transport>,
        admission: Result<Admission, Refusal>,
    ) -> (SessionKey, usize) {
        let now = Instant::now();
        match self {
            Self::Commands(encoding, options) => {
                let mut shard = shard.borrow_mut();
                let key = shard.open(encoding, transport, admission, now);
                if options.resync {
                    shard.tell_resyncs(key);
                }
                if let Some(flush) = options.flush {
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

/// One message of a client.
pub(crate) fn handle(shard: &mut Shard, key: SessionKey, endpoint: Endpoint, message: Message) {
    drill::strike("session");
    let now = Instant::now();
    match (message, endpoint) {
        (Message::Text(text), Endpoint::Commands(Encoding::Json, _)) => shard.command(key, &text, now),
        (Message::Binary(bytes), Endpoint::Commands(Encoding::MsgPack, _)) => shard.command(key, &bytes, now),
        (Message::Text(_) | Message::Binary(_), Endpoint::Commands(encoding, _)) => {
            shard.close(key, CloseReason::Unsupported(encoding), now);
        }
        #[cfg(feature = "test-endpoints")]
        (Message::Text(text), Endpoint::Echo) => shard.echo(key, true, &text),
        #[cfg(feature = "test-endpoints")]
        (Message::Binary(bytes), Endpoint::Echo) => shard.echo(key, false, &bytes),
        (Message::Ping(payload), _) => shard.pinged(key, &payload, now),
        (Message::Pong, _) => shard.ponged(key, now),
        (Message::Close(code), _) => shard.close(key, CloseReason::client(code), now),
    }
}
