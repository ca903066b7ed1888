//! Who is asking, and under which name: asked once for every request, before its route and over both drivers.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actix_http::{
    ConnectionType, RequestHead,
    header::{self, HeaderValue},
};
use actix_web::{
    HttpMessage as _, HttpRequest, ResponseError as _,
    body::{BodySize, BoxBody, MessageBody as _},
    dev::{ServiceRequest, ServiceResponse},
    http::{StatusCode, Version},
    middleware::Next,
    web,
};

use super::{
    asking::{Authority, Client, Origin, client, cors, host},
    gateway::Gateway,
    path,
    refusal::Refusal,
};

/// The longest host or origin that an answer or the log repeats, in characters.
const REPEATED: usize = 100;

/// What every request passes first.
#[derive(Debug)]
pub(super) struct Door {
    gateway: Arc<Gateway>,
    /// The listener's port.
    port: u16,
    /// Whether the log has named a host that was refused.
    told: AtomicBool,
}

/// A request that may go on.
#[derive(Debug, Clone)]
pub(super) struct Asking {
    /// Where it comes from.
    pub(super) client: Client,
    /// The page of another origin that may read the answer.
    page: Option<HeaderValue>,
}

impl Asking {
    /// What the door found of a request.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        request.extensions().get::<Self>().cloned().ok_or_else(no_address)
    }

    /// The client's address, as far as it is known.
    pub(super) fn address(request: &HttpRequest) -> Option<IpAddr> {
        Self::of(request).ok().map(|asking| asking.client.ip)
    }
}

fn no_address() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 500, "the connection has no address")
}

impl Door {
    pub(super) const fn new(gateway: Arc<Gateway>, port: u16) -> Self {
        Self { gateway, port, told: AtomicBool::new(false) }
    }

    /// What is behind it.
    pub(super) const fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    /// Whether a request for a path may go on; a refusal is counted.
    pub(super) fn ask(&self, head: &RequestHead, path: &str) -> Result<Asking, Refusal> {
        let peer = head.peer_addr.ok_or_else(no_address)?;
        let client = client::client(peer.ip(), &head.headers, &self.gateway.server.trusted_proxies);
        let judged = self.judge(head, path).map(|page| Asking { client, page });
        judged.inspect_err(|refusal| self.count(refusal, path, client.ip))
    }

    /// Counts a refusal, if it is of a counted reason, as that of a session or of a request. Every refusal comes here: the
    /// application's when its answer leaves, and those of the socket driver.
    pub(super) fn count(&self, refusal: &Refusal, path: &str, client: IpAddr) {
        let Some(reason) = refusal.reason() else { return };
        let metrics = self.gateway.hub.metrics();
        if path::is_session(path) {
            metrics.refuse_session(reason, Some(client));
        } else {
            metrics.refuse_request(reason, Some(client));
        }
    }

    /// The page of another origin that may read the answer.
    fn judge(&self, head: &RequestHead, path: &str) -> Result<Option<HeaderValue>, Refusal> {
        // The request target wins over the header (RFC 9112, section 3.2.2).
        let asked = match head.uri.authority() {
            Some(authority) => authority.as_str(),
            None => match head.headers.get(header::HOST) {
                Some(value) => value.to_str().map_err(|_bytes| unreadable("?"))?,
                None => "",
            },
        };
        let asked = Authority::parse(asked).ok_or_else(|| unreadable(asked))?;
        if !path::is_probe(path) && !host::is_ours(&asked, &self.gateway.server.hosts) {
            return Err(self.foreign(&asked));
        }
        if path::is_api(path) { self.page(head, &asked) } else { Ok(None) }
    }

    fn foreign(&self, asked: &Authority<'_>) -> Refusal {
        let name: String = asked.to_string().chars().take(REPEATED).collect();
        if !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                host = name,
                "a request asked for a name that is not this gateway's and was refused (421), and others will be: if it \
                 is one, add it to server.hosts"
            );
        }
        let msg = format!("Host {name:?} is not a name of this gateway: see server.hosts");
        Refusal::new(StatusCode::MISDIRECTED_REQUEST, 421, msg).counted("host")
    }

    /// The page that asks, if it is another one than the gateway's own and allowed.
    fn page(&self, head: &RequestHead, asked: &Authority<'_>) -> Result<Option<HeaderValue>, Refusal> {
        let mut values = head.headers.get_all(header::ORIGIN);
        let Some(value) = values.next() else { return Ok(None) };
        let text = if values.next().is_none() { value.to_str().unwrap_or("?") } else { "?" };
        let origin = Origin::parse(text);
        if origin.is_some_and(|origin| origin.is_own(asked, self.port)) {
            return Ok(None);
        }
        if self.gateway.server.origins.iter().any(|allowed| allowed.matches(text, origin.as_ref())) {
            return Ok(Some(value.clone()));
        }
        let shown: String = text.chars().take(REPEATED).collect();
        let msg = format!("Origin {shown:?} is not allowed: see server.origins");
        Err(Refusal::new(StatusCode::FORBIDDEN, 416, msg).counted("origin"))
    }
}

fn unreadable(host: &str) -> Refusal {
    let host: String = host.chars().take(REPEATED).collect();
    let msg = format!("Host {host:?} is not a name or address and a port");
    Refusal::new(StatusCode::BAD_REQUEST, 400, msg).counted("host")
}

/// The door as the application's outermost layer: it also makes the path plain, and tells allowed pages that they may
/// read the answer.
pub(super) async fn pass(
    door: web::Data<Door>,
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    path::make_plain(&mut request);
    let path = path::plain(request.path()).into_owned();
    let is_old = request.version() < Version::HTTP_11;
    let preflight = cors::is_preflight(request.head());
    let (page, mut response) = match door.ask(request.head(), &path) {
        Ok(asking) => {
            let (page, ip) = (asking.page.clone(), asking.client.ip);
            request.extensions_mut().insert(asking);
            let response = next.call(request).await?;
            let refusal = response.response().error().and_then(|error| error.as_error::<Refusal>());
            if let Some(refusal) = refusal {
                door.count(refusal, &path, ip);
            }
            (page, response)
        }
        Err(refusal) => (None, request.into_response(refusal.error_response())),
    };
    if path::is_api(&path) {
        cors::tell(response.headers_mut(), page.as_ref(), preflight);
    }
    if is_old {
        // RFC 9112, section 6.1: such a client does not know chunks; the end of the connection is the body's.
        let ends_with_connection = response.response().body().size() == BodySize::Stream;
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        if ends_with_connection {
            head.set_connection_type(ConnectionType::Close);
        }
    }
    Ok(response)
}
