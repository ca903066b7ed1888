//! The way to a venue: the one function by which everything that goes to a venue connects, its stream and its lists.
//!
//! ```text
//!  route ──▶ resolve ──▶ dial ──▶ ask the proxy ──▶ TLS
//!  proxy?     both       RFC 8305   CONNECT or       with the venue
//!             families              SOCKS5
//! ```
//!
//! Every step is written into a [`Journey`], so that an attempt that fails, or is given up for its time, says at what. What
//! is spoken on the connection is no business of this room, nor is when to try again.

mod environment;
mod error;
mod eyeballs;
mod journey;
mod patience;
mod probe;
mod proxy;
mod resolve;
mod socks;
mod tls;
mod tunnel;

pub use environment::Environment;
pub use error::{ConnectError, ProxyError};
pub use journey::{Journey, Stage, Step};
pub(super) use patience::HeldUp;
pub use patience::{Late, within};
pub(super) use probe::{NextHop, knock};
pub(super) use proxy::{Proxy, read_credentials};
pub(super) use resolve::Resolver;
pub(super) use tls::{Tls, Trust};

use std::{fmt::Display, net::SocketAddr, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::MaybeTlsStream;

use self::{eyeballs::race, proxy::ProxyScheme};

/// Who we say we are. Some venues answer only clients that do.
pub(super) const AGENT: &str = concat!("tickcast/", env!("CARGO_PKG_VERSION"));

/// Bytes to a proxy or to a venue itself; TLS where the proxy speaks it.
type Carrier = MaybeTlsStream<TcpStream>;

/// Bytes to a venue, whatever is between.
pub type Stream = MaybeTlsStream<Carrier>;

/// Where something of a venue is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// With its scheme.
    pub(super) url: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_tls: bool,
}

impl Address {
    /// The whole URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The host without the brackets of an IPv6 address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, the scheme's own unless the URL says another.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is this machine by its name alone.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// With brackets where they are needed, as `CONNECT` takes it.
    fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// Whether a host is this machine by its name alone.
pub(super) fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || literal.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// How a feed's connections are made.
#[derive(Debug)]
pub struct Network {
    pub(super) routing: Routing,
    pub(super) resolver: Resolver,
    pub(super) tls: Tls,
}

/// Which proxy is asked.
#[derive(Debug)]
pub(super) enum Routing {
    /// What the feed's `proxy` says.
    Own(Option<Arc<Proxy>>),
    /// Whatever the environment's variables say of an address.
    Environment(Environment),
}

/// The way to one address.
#[derive(Debug)]
pub(super) struct Route<'a> {
    proxy: Option<&'a Proxy>,
    /// Who decided that.
    why: String,
}

impl Routing {
    /// The way to an address.
    ///
    /// # Errors
    /// A variable that says something which cannot be a proxy.
    pub(super) fn of(&self, address: &Address) -> Result<Route<'_>, String> {
        match self {
            Self::Own(Some(proxy)) => Ok(Route { proxy: Some(proxy), why: "the feed's proxy".into() }),
            Self::Own(None) => Ok(Route { proxy: None, why: "proxy = \"none\"".into() }),
            Self::Environment(environment) => {
                environment.route(address).map(|(proxy, why)| Route { proxy, why })
            }
        }
    }
}

impl<'a> Route<'a> {
    /// The proxy's host, if one is asked.
    pub(super) fn proxy_host(&self) -> Option<&'a str> {
        self.proxy.map(|proxy| proxy.host.as_str())
    }
}

/// Connects to an address, over the proxy that is meant for it, with TLS if its scheme says so. Has no deadline of its
/// own: [`within`] sets one, and [`Journey::late`] says what was under way then.
///
/// # Errors
/// Names what failed: the host's name, every address that was tried, the proxy, or TLS.
///
/// # Cancel safety
/// What is half made is dropped.
pub async fn connect(
    network: &Network,
    address: &Address,
    journey: &Journey,
) -> Result<Stream, ConnectError> {
    let step = journey.begin(Stage::Route, format!("which way to {}", address.authority()), false);
    let route = match network.routing.of(address) {
        Ok(route) => route,
        Err(why) => {
            return Err(ConnectError::Proxy(ProxyError::new("of the environment", step.failed(&why))));
        }
    };
    let shown = route.proxy.map_or_else(|| "no proxy".to_owned(), ToString::to_string);
    step.done(format!("{shown} ({})", route.why));
    let carrier = match route.proxy {
        None => {
            let addresses = network.resolver.resolve(address.host(), address.port, journey, false).await?;
            MaybeTlsStream::Plain(dial(address.host(), addresses, journey, false).await?)
        }
        Some(proxy) => over(network, proxy, address, journey).await?,
    };
    if !address.is_tls {
        return Ok(MaybeTlsStream::Plain(carrier));
    }
    let encrypted = encrypt(&network.tls, address.host(), carrier, journey, false).await;
    encrypted.map_err(|why| ConnectError::Tls { host: address.host().into(), why })
}

/// The first of a host's addresses that answers.
async fn dial(
    host: &str,
    addresses: Vec<SocketAddr>,
    journey: &Journey,
    is_proxy: bool,
) -> Result<TcpStream, ConnectError> {
    let reached = race(addresses, |address| async move {
        let step = journey.begin(Stage::Dial, format!("connect to {address}"), is_proxy);
        match open(address).await {
            Ok(stream) => {
                step.done("connected".into());
                Ok(stream)
            }
            Err(why) => Err(step.failed(&why)),
        }
    });
    reached.await.map_err(|tried| ConnectError::Unreachable { host: host.into(), tried: listed(&tried) })
}

async fn open(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What was tried, and why each failed; one reason of all is said once.
fn listed(tried: &[(SocketAddr, String)]) -> String {
    let is_same = tried.len() > 1 && tried.iter().all(|(_, why)| *why == tried[0].1);
    if is_same {
        let addresses: Vec<_> = tried.iter().map(|(address, _)| address.to_string()).collect();
        return format!("{}: {}", addresses.join(", "), tried[0].1);
    }
    let each: Vec<_> = tried.iter().map(|(address, why)| format!("{address}: {why}")).collect();
    each.join("; ")
}

/// Asks a proxy for a connection.
async fn over(
    network: &Network,
    proxy: &Proxy,
    address: &Address,
    journey: &Journey,
) -> Result<Carrier, ConnectError> {
    match proxy.scheme {
        ProxyScheme::Http | ProxyScheme::Https => {
            let carrier = to_proxy(network, proxy, journey).await?;
            let ask = |step: &str| journey.begin(Stage::Proxy, format!("ask {proxy} for {step}"), true);
            let step = ask(&address.authority());
            step.end(tunnel::ask(carrier, proxy, &address.authority()).await).map_err(ConnectError::Proxy)
        }
        ProxyScheme::Socks5h => {
            let carrier = to_proxy(network, proxy, journey).await?;
            let step = journey.begin(Stage::Proxy, format!("ask {proxy} for {}", address.authority()), true);
            let target = socks::Target::of(address.host(), address.port);
            step.end(socks::ask(carrier, proxy, &target).await).map_err(ConnectError::Proxy)
        }
        ProxyScheme::Socks5 => {
            let addresses = network.resolver.resolve(address.host(), address.port, journey, false).await?;
            let asked = race(addresses, |target| async move {
                let carrier = to_proxy(network, proxy, journey).await.map_err(ProxyError::from_connect)?;
                let step = journey.begin(Stage::Proxy, format!("ask {proxy} for {target}"), true);
                step.end(socks::ask(carrier, proxy, &socks::Target::Address(target)).await)
            });
            asked.await.map_err(|tried| ConnectError::Proxy(ProxyError::of_all(proxy, tried)))
        }
    }
}

/// A connection to the proxy itself.
async fn to_proxy(network: &Network, proxy: &Proxy, journey: &Journey) -> Result<Carrier, ConnectError> {
    let failed = |why: &dyn Display| ConnectError::Proxy(ProxyError::unreachable(proxy, why));
    let addresses = network.resolver.resolve(&proxy.host, proxy.port, journey, true).await;
    let addresses = addresses.map_err(|why| failed(&why))?;
    let stream = dial(&proxy.host, addresses, journey, true).await.map_err(|why| failed(&why))?;
    if proxy.scheme != ProxyScheme::Https {
        return Ok(MaybeTlsStream::Plain(stream));
    }
    let encrypted = encrypt(&network.tls, &proxy.host, stream, journey, true).await;
    encrypted.map_err(|why| failed(&format!("TLS: {why}")))
}

async fn encrypt<S>(
    tls: &Tls,
    host: &str,
    stream: S,
    journey: &Journey,
    is_proxy: bool,
) -> Result<MaybeTlsStream<S>, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let step = journey.begin(Stage::Tls, format!("TLS with {host}"), is_proxy);
    let name = match ServerName::try_from(host.to_owned()) {
        Ok(name) => name,
        Err(why) => return Err(step.failed(&why)),
    };
    match TlsConnector::from(Arc::clone(&tls.0)).connect(name, stream).await {
        Ok(stream) => {
            let version = stream.get_ref().1.protocol_version();
            step.done(version.map_or_else(String::new, |version| format!("{version:?}")));
            Ok(MaybeTlsStream::Rustls(stream))
        }
        Err(why) => Err(step.failed(&why)),
    }
}
