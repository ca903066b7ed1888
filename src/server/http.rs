//! Plain HTTP: what is asked and answered without a WebSocket, event streams and polls among it.

pub(crate) mod bars;
pub(crate) mod budget;
#[cfg(feature = "test-endpoints")]
pub(crate) mod drills;
pub(crate) mod fresh;
pub(crate) mod history;
pub(crate) mod intake;
pub(crate) mod page;
pub(crate) mod poll;
pub(crate) mod publish;
pub(crate) mod query;
pub(crate) mod rest;
pub(crate) mod snapshot;
pub(crate) mod source;
pub(crate) mod sse;
pub(crate) mod symbols;
pub(crate) mod trades;
