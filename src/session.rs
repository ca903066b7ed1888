//! One client's life, independent of how its bytes travel: commands in, outbox out.
//!
//! A [`Shard`] owns the sessions of one worker thread and everything they subscribed to, single-threaded: fan-out
//! takes no lock and no atomic operation per session. A session never learns where ticks come from, and it knows its
//! driver only as a [`Transport`] that can be woken and cut.

mod address;
mod answer;
mod assemble;
mod bucket;
mod close;
mod config;
mod connection_limits;
mod flush_pacer;
mod followers;
mod framing;
mod grants;
mod intake;
mod job;
mod liveness;
mod local_topics;
mod mailbox;
mod outbox;
mod position;
mod protocol;
mod queue;
mod repeat;
mod scratch;
mod search;
mod sessions;
mod shard;
mod shard_metrics;
mod simulated;
mod state;
mod subs;
mod subscription;
mod symbols;
#[cfg(test)]
pub(crate) mod test_client;
mod transport;
mod units;
mod wire;

pub use address::ClientAddress;
pub use bucket::Bucket;
pub use close::{CloseReason, Excess, Flood, Frame, Text, Violation};
pub use config::SessionConfig;
pub use connection_limits::{Admission, ConnectionLimits, Refusal};
pub use framing::Framing;
pub use grants::{Allow, Grants};
pub use mailbox::{InfoPage, MailError, Mailbox, Mailboxes};
pub use protocol::Protocol;
pub use sessions::SessionKey;
pub use shard::{Outgoing, Shard, run};
pub use simulated::Simulated;
pub use transport::{Transport, WriteMode};
