//! Sockets, workers and the service on each connection.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_http::{HttpServiceBuilder, Request, Response, error::DispatchError};
use actix_server::{Server, ServerHandle};
use actix_service::{Service, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App,
    body::BoxBody,
    dev::{AppConfig, ServiceRequest, ServiceResponse},
    middleware::from_fn,
    web,
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use super::{
    config::Driver,
    door::{self, Door},
    driver::{
        answer, socket,
        stream::{CountedStream, StreamTimes},
    },
    gateway::{Gateway, LocalShard, local_shard},
    http::{
        budget::{self, Budget},
        intake::Intake,
    },
    routes,
    slots::{SlotLimits, Slots},
};
use crate::{
    clock::Instant,
    limits::{
        BACKLOG, DISCONNECT_TIMEOUT, KEEP_ALIVE, NOTSENT_LOWAT, PLAIN_CONNECTIONS, SPARE_DESCRIPTORS,
        STOP_TIMEOUT, WRITE_BUFFER,
    },
};

/// A server that accepts connections.
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// Completes when the server has stopped.
    pub server: Server,
    /// Stops it.
    pub handle: ServerHandle,
}

/// Binds the address and starts the workers. Must be called on a tokio runtime.
///
/// # Errors
/// When the address cannot be bound or a worker cannot be started.
pub fn listen(gateway: Arc<Gateway>) -> io::Result<Listening> {
    let config = &gateway.server;
    let listener = bind(config.bind)?;
    let address = listener.local_addr()?;
    let slots = slots(&gateway);
    let intake = Intake::new(gateway.hub.metrics().connections.clone());
    let builder = Server::build()
        .workers(config.workers)
        // Places are given and taken in one place, by address. This would stop accepting, and probes with it: it is
        // beyond all that can get a place.
        .max_concurrent_connections(config.connections + 2 * PLAIN_CONNECTIONS)
        .shutdown_timeout(STOP_TIMEOUT.as_secs())
        .disable_signals();
    let times = StreamTimes {
        head: config.request_timeout,
        body: config.body_timeout,
        stall: gateway.session.stall_timeout,
    };
    // The drivers differ in who takes an upgrade: a service of its own, or the application.
    let driver = config.driver;
    let door = Arc::new(Door::new(gateway, address.port()));
    let server = match driver {
        Driver::Socket => builder.listen("http", listener, move || {
            let gateway = door.gateway();
            let shared = Arc::clone(&door);
            let shard = shard(gateway);
            let upgrade = fn_service(move |(request, framed)| {
                let upgrade = socket::upgrade(request, framed, Arc::clone(&shared), shard.clone());
                async move {
                    if let Err(why) = upgrade.await {
                        tracing::debug!("a client left during its upgrade: {why}");
                    }
                    Ok::<_, actix_http::Error>(())
                }
            });
            let application =
                answer::watched(map_config(application(Arc::clone(&door), Arc::clone(&intake)), |()| {
                    AppConfig::default()
                }));
            let http = connection(address).upgrade(upgrade).h1(application);
            let (slots, times) = (Arc::clone(&slots), times.clone());
            fn_service(move |stream| accept(stream, Arc::clone(&slots), times.clone())).and_then(http)
        })?,
        Driver::Actix => builder.listen("http", listener, move || {
            let application =
                answer::watched(map_config(application(Arc::clone(&door), Arc::clone(&intake)), |()| {
                    AppConfig::default()
                }));
            let http = connection(address).h1(application);
            let (slots, times) = (Arc::clone(&slots), times.clone());
            fn_service(move |stream| accept(stream, Arc::clone(&slots), times.clone())).and_then(http)
        })?,
    };
    let server = server.run();
    Ok(Listening { address, handle: server.handle(), server })
}

/// The shard of this worker, if it has one.
fn shard(gateway: &Gateway) -> Option<LocalShard> {
    match local_shard(gateway) {
        Ok(shard) => Some(shard),
        Err(why) => {
            tracing::error!("a worker has no shard: {why}");
            None
        }
    }
}

/// The places for connections that the configuration and the system allow.
fn slots(gateway: &Gateway) -> Arc<Slots> {
    let config = &gateway.server;
    let descriptors = rlimit::Resource::NOFILE.get().map_or(u64::MAX, |(soft, _hard)| soft);
    let descriptors = usize::try_from(descriptors).unwrap_or(usize::MAX);
    let limits = SlotLimits {
        plain: PLAIN_CONNECTIONS,
        total: (config.connections + PLAIN_CONNECTIONS).min(descriptors.saturating_sub(SPARE_DESCRIPTORS)),
        per_address: config.connections_per_ip,
        unproven: config.unproven_per_address,
        rate: Some(config.accepts_per_second).filter(|rate| *rate > 0),
        loopback_counts: config.loopback_counts,
    };
    let proxies = config.trusted_proxies.clone();
    Slots::new(limits, move |ip| proxies.contains(ip), Arc::clone(gateway.hub.metrics()))
}

async fn accept(
    stream: TcpStream,
    slots: Arc<Slots>,
    times: StreamTimes,
) -> Result<(CountedStream, Option<SocketAddr>), DispatchError> {
    // A client that is gone already has none.
    let peer = stream.peer_addr().map_err(DispatchError::Io)?;
    let slot = slots.take(peer.ip(), Instant::now());
    let slot = slot.map_err(|_refused| DispatchError::Io(io::ErrorKind::ConnectionRefused.into()))?;
    // Without this a small write waits for the acknowledgement of the one before it.
    if let Err(why) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY: {why}");
    }
    Ok((CountedStream::new(stream, slot, times, slots.metrics().connections.clone()), Some(peer)))
}

/// How every connection is treated.
fn connection<S>(address: SocketAddr) -> HttpServiceBuilder<CountedStream, S>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: std::fmt::Debug,
    <S::Service as Service<Request>>::Future: 'static,
{
    HttpServiceBuilder::default()
        .keep_alive(KEEP_ALIVE)
        // The counted stream watches over every head, and by an exact clock.
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .h1_write_buffer_size(WRITE_BUFFER)
        .local_addr(address)
        .on_connect_ext(|stream: &CountedStream, data: &mut actix_http::Extensions| {
            data.insert(stream.state());
        })
}

/// The routes of one worker.
fn application(
    door: Arc<Door>,
    intake: Arc<Intake>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let shard = shard(door.gateway());
    App::new()
        .app_data(web::Data::from(Arc::clone(door.gateway())))
        .app_data(web::Data::from(door))
        .app_data(web::Data::new(Budget::default()))
        .app_data(web::Data::from(intake))
        .configure(move |config| {
            if let Some(shard) = shard {
                config.app_data(web::Data::<LocalShard>::new(shard));
                config.configure(routes::streams);
            }
        })
        .configure(routes::plain)
        .wrap(from_fn(budget::pay))
        .wrap(from_fn(door::pass))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // Inherited by every connection: a small kernel queue keeps what a slow client gets fresh.
    socket.set_tcp_notsent_lowat(NOTSENT_LOWAT)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
