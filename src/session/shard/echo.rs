//! Sessions that send back what they get, for conformance suites: frames, pace and closes are those of every other
//! session; only commands and the welcome are missing.

use std::rc::Rc;

use super::Shard;
use crate::{
    clock::Instant,
    dialect::Encoding,
    session::SessionKey,
    session::{Admission, CloseReason, Framing, Refusal, Transport, outbox::Wire},
};

impl Shard {
    /// Opens a session without a welcome.
    pub fn open_echo(
        &mut self,
        transport: Rc<dyn Transport>,
        admission: Result<Admission, Refusal>,
        now: Instant,
    ) -> SessionKey {
        let refused = admission.as_ref().err().copied();
        let key = self.enter(Framing::WebSocket(Encoding::Json.into()), transport, admission.ok(), now);
        if let Some(limit) = refused {
            self.close(key, CloseReason::ConnectionLimit(limit), now);
        }
        key
    }

    /// Sends a message back as it came, behind the pongs that wait.
    pub fn echo(&mut self, key: SessionKey, text: bool, message: &[u8]) {
        let Some(session) = self.get(key) else { return };
        if session.closing.is_some() {
            return;
        }
        session.outbox.cold().wire.push_back(Wire::Echo { text, payload: message.into() });
        self.touch(key.index);
        self.wake_dirty();
    }
}
