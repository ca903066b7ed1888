//! Who may ask: names, pages and proxies, without a gateway or a request in hand.
//!
//! The name must be one of the gateway's ([`host`]), a page must be the gateway's own or an allowed one ([`origin`]), and
//! behind trusted proxies the client is not the peer ([`client`]). Pages that are allowed are told so ([`cors`]).

pub(crate) mod client;
pub(crate) mod cors;
pub(crate) mod host;
mod networks;
mod origin;

pub use host::HostPattern;
pub use networks::{Network, Networks};
pub use origin::OriginPattern;

pub(crate) use client::Client;
pub(crate) use host::Authority;
pub(crate) use origin::Origin;
