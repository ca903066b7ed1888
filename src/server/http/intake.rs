//! Bodies of requests while they are read: how much of them the gateway holds, of all clients and of each.
//!
//! A body is counted by the memory that is kept for it, which is asked for before it is taken. The counted stream
//! watches the time that a body takes.

use std::{collections::HashMap, net::IpAddr, rc::Rc, sync::Arc};

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
    web,
};
use futures_util::StreamExt as _;
use parking_lot::Mutex;

use crate::{
    limits::{BODIES_BYTES, BODIES_BYTES_PER_ADDRESS, PUBLISH_BYTES},
    metrics::ConnectionMetrics,
    server::{driver::stream::ConnState, refusal::Refusal},
    session::ClientAddress,
};

/// Bytes of all bodies that are being read, over all workers.
#[derive(Debug)]
pub(crate) struct Intake {
    most: usize,
    most_per_address: usize,
    held: Mutex<Held>,
    metrics: ConnectionMetrics,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    /// Of each client; those without any are not in it.
    by_address: HashMap<ClientAddress, usize>,
}

/// The part of one body; given back when dropped.
#[derive(Debug)]
struct Share<'a> {
    intake: &'a Intake,
    address: ClientAddress,
    bytes: usize,
}

/// Why the gateway does not read a body to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedBody {
    /// The gateway holds as much of bodies as it may.
    Full,
    /// It holds as much of the client's address as it may.
    Address,
    /// It has more bytes than any may.
    Large,
    /// It took too long.
    Late,
}

impl RefusedBody {
    /// The name as a metric label.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "bodies",
            Self::Address => "bodies_per_ip",
            Self::Large => "body_size",
            Self::Late => "body_timeout",
        }
    }
}

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum Unread {
    /// For a reason of the gateway's.
    Refused(RefusedBody),
    /// The client broke it off, or its chunks are none.
    Broken(String),
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        let (status, code, msg) = match &unread {
            Unread::Broken(why) => (StatusCode::BAD_REQUEST, 400, format!("the body broke off: {why}")),
            Unread::Refused(RefusedBody::Late) => {
                let msg = "the body took too long: see server.body_timeout_ms";
                (StatusCode::REQUEST_TIMEOUT, 400, msg.to_owned())
            }
            Unread::Refused(RefusedBody::Large) => {
                let msg = format!("the body has more than {PUBLISH_BYTES} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, 413, msg)
            }
            Unread::Refused(RefusedBody::Full | RefusedBody::Address) => {
                let msg = "too many bodies are under way: nothing was published, try again";
                (StatusCode::SERVICE_UNAVAILABLE, 503, msg.to_owned())
            }
        };
        let refusal = Self::new(status, code, msg);
        match unread {
            Unread::Refused(reason) => refusal.counted(reason.as_str()),
            Unread::Broken(_) => refusal,
        }
    }
}

impl Intake {
    pub(crate) fn new(metrics: ConnectionMetrics) -> Arc<Self> {
        Self::with(BODIES_BYTES, BODIES_BYTES_PER_ADDRESS, metrics)
    }

    fn with(most: usize, most_per_address: usize, metrics: ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, held: Mutex::default(), metrics })
    }

    /// Reads a body of at most [`PUBLISH_BYTES`].
    ///
    /// # Errors
    /// Why it was not read to its end.
    pub(crate) async fn read(
        &self,
        request: &HttpRequest,
        client: Option<IpAddr>,
        body: web::Payload,
    ) -> Result<Vec<u8>, Unread> {
        let Some(client) = client else { return Err(Unread::Broken("the client is gone".into())) };
        let is_late = |unread: &Unread| {
            let conn = request.conn_data::<Rc<ConnState>>();
            matches!(unread, Unread::Broken(_)) && conn.is_some_and(|conn| conn.body_is_late())
        };
        let read = self.collect(declared(request), client, body).await;
        read.map_err(|unread| if is_late(&unread) { Unread::Refused(RefusedBody::Late) } else { unread })
    }

    async fn collect(
        &self,
        declared: Option<usize>,
        client: IpAddr,
        mut body: web::Payload,
    ) -> Result<Vec<u8>, Unread> {
        if declared.is_some_and(|bytes| bytes > PUBLISH_BYTES) {
            return Err(Unread::Refused(RefusedBody::Large));
        }
        let mut share = Share { intake: self, address: ClientAddress::of(client), bytes: 0 };
        let mut read = Vec::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|why| Unread::Broken(why.to_string()))?;
            let needed = read.len() + chunk.len();
            if needed > PUBLISH_BYTES {
                return Err(Unread::Refused(RefusedBody::Large));
            }
            if needed > share.bytes {
                // Twice as much each time, so that a body is copied twice on average; and never more than it can have.
                let room = needed.next_power_of_two().min(declared.unwrap_or(PUBLISH_BYTES).max(needed));
                share.grow(room).map_err(Unread::Refused)?;
                read.reserve_exact(room - read.len());
            }
            read.extend_from_slice(&chunk);
        }
        Ok(read)
    }
}

/// How many bytes the request says that its body has.
fn declared(request: &HttpRequest) -> Option<usize> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

impl Share<'_> {
    /// Grows the share to `bytes` in all.
    fn grow(&mut self, bytes: usize) -> Result<(), RefusedBody> {
        let more = bytes.saturating_sub(self.bytes);
        let mut held = self.intake.held.lock();
        if held.total + more > self.intake.most {
            return Err(RefusedBody::Full);
        }
        let here = held.by_address.entry(self.address).or_default();
        if *here + more > self.intake.most_per_address {
            if *here == 0 {
                held.by_address.remove(&self.address);
            }
            return Err(RefusedBody::Address);
        }
        *here += more;
        held.total += more;
        self.bytes += more;
        self.intake.metrics.bodies(held.total);
        Ok(())
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let mut held = self.intake.held.lock();
        held.total -= self.bytes;
        if let Some(here) = held.by_address.get_mut(&self.address) {
            *here -= self.bytes;
            if *here == 0 {
                held.by_address.remove(&self.address);
            }
        }
        self.intake.metrics.bodies(held.total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;

    #[test]
    fn bodies_have_a_limit_for_all_and_a_share_for_each_and_give_it_back() {
        let intake = Intake::with(100, 40, Metrics::new().connections);
        let share = |last: u8| Share {
            intake: &intake,
            address: ClientAddress::of([192, 0, 2, last].into()),
            bytes: 0,
        };
        let (mut a, mut again, mut b, mut c) = (share(1), share(1), share(2), share(3));
        assert_eq!(a.grow(30), Ok(()));
        assert_eq!(again.grow(11), Err(RefusedBody::Address));
        assert_eq!(again.grow(10), Ok(()));
        assert_eq!(b.grow(40), Ok(()), "another address is unharmed");
        assert_eq!(c.grow(21), Err(RefusedBody::Full));
        assert_eq!(c.grow(20), Ok(()));
        assert_eq!(intake.held.lock().total, 100);
        drop((a, b));
        assert_eq!(c.grow(40), Ok(()));
        drop((again, c));
        let held = intake.held.lock();
        assert_eq!((held.total, held.by_address.len()), (0, 0));
    }
}
