//! Sockets, workers and the service on each connection.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_http::{HttpServiceBuilder, Request, Response};
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
    Driver, Gateway, LocalShard, answer,
    asking::{self, Door},
    budget::{self, Budget},
    line::{Line, LineTimes},
    local_shard, routes, socket,
};
use crate::{
    limits::{BACKLOG, DISCONNECT_TIMEOUT, KEEP_ALIVE, NOTSENT_LOWAT, STOP_TIMEOUT, WRITE_BUFFER},
    metrics::ConnectionMetrics,
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
    // Room beside the sessions for scrapes, probes and refusals, over all workers.
    let most = config.connections.div_ceil(config.workers) + config.connections;
    let builder = Server::build()
        .workers(config.workers)
        .max_concurrent_connections(most)
        .shutdown_timeout(STOP_TIMEOUT.as_secs())
        .disable_signals();
    let times = LineTimes {
        head: config.request_timeout,
        body: config.body_timeout,
        stall: gateway.session.stall_timeout,
    };
    let metrics = gateway.hub.metrics().connections.clone();
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
                answer::watched(map_config(application(Arc::clone(&door)), |()| AppConfig::default()));
            let http = connection(address).upgrade(upgrade).h1(application);
            let (times, metrics) = (times.clone(), metrics.clone());
            fn_service(move |stream| accept(stream, times.clone(), metrics.clone()))
                .map_err(|never: Infallible| match never {})
                .and_then(http)
        })?,
        Driver::Actix => builder.listen("http", listener, move || {
            let application =
                answer::watched(map_config(application(Arc::clone(&door)), |()| AppConfig::default()));
            let http = connection(address).h1(application);
            let (times, metrics) = (times.clone(), metrics.clone());
            fn_service(move |stream| accept(stream, times.clone(), metrics.clone()))
                .map_err(|never: Infallible| match never {})
                .and_then(http)
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

async fn accept(
    stream: TcpStream,
    times: LineTimes,
    metrics: ConnectionMetrics,
) -> Result<(Line, Option<SocketAddr>), Infallible> {
    let peer = stream.peer_addr().ok();
    // Without this a small write waits for the acknowledgement of the one before it.
    if let Err(why) = stream.set_nodelay(true) {
        tracing::debug!("TCP_NODELAY: {why}");
    }
    Ok((Line::new(stream, times, metrics), peer))
}

/// How every connection is treated.
fn connection<S>(address: SocketAddr) -> HttpServiceBuilder<Line, S>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: std::fmt::Debug,
    <S::Service as Service<Request>>::Future: 'static,
{
    HttpServiceBuilder::default()
        .keep_alive(KEEP_ALIVE)
        // The line watches over every head, and by an exact clock.
        .client_request_timeout(Duration::ZERO)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .h1_write_buffer_size(WRITE_BUFFER)
        .local_addr(address)
        .on_connect_ext(|line: &Line, data: &mut actix_http::Extensions| {
            data.insert(line.gauge());
        })
}

/// The routes of one worker.
fn application(
    door: Arc<Door>,
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
        .configure(move |config| {
            if let Some(shard) = shard {
                config.app_data(web::Data::<LocalShard>::new(shard));
                config.configure(routes::streams);
            }
        })
        .configure(routes::plain)
        .wrap(from_fn(budget::pay))
        .wrap(from_fn(asking::pass))
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
