//! Sockets, workers and the service on each connection.

use std::{
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_http::HttpService;
use actix_server::{Server, ServerHandle};
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{App, dev::AppConfig, web};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

use super::{Gateway, LocalShard, line::Line, local_shard, rest, upgrade};
use crate::limits::{BACKLOG, NOTSENT_LOWAT, STOP_TIMEOUT, WRITE_BUFFER};

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
    let workers = config.workers;
    let server = Server::build()
        .workers(workers)
        .max_concurrent_connections(most)
        .shutdown_timeout(STOP_TIMEOUT.as_secs())
        .disable_signals()
        .listen("http", listener, move || {
            let request_timeout = gateway.server.request_timeout;
            let gateway = Arc::clone(&gateway);
            let app = move || {
                let shard = local_shard(&gateway);
                if let Err(why) = &shard {
                    tracing::error!("a worker has no shard: {why}");
                }
                App::new()
                    .app_data(web::Data::from(Arc::clone(&gateway)))
                    .configure(move |routes| {
                        if let Ok(shard) = shard {
                            routes.app_data(web::Data::<LocalShard>::new(shard));
                            routes.route("/v1/ws", web::get().to(upgrade::upgrade));
                        }
                        #[cfg(feature = "test-endpoints")]
                        routes.route("/test/echo", web::get().to(super::echo::echo));
                    })
                    .configure(rest::routes)
            };
            let http = HttpService::build()
                .keep_alive(Duration::from_secs(75))
                .client_request_timeout(request_timeout)
                .client_disconnect_timeout(Duration::from_secs(1))
                .h1_write_buffer_size(WRITE_BUFFER)
                .local_addr(address)
                .on_connect_ext(|line: &Line, data: &mut actix_http::Extensions| {
                    data.insert(line.gauge());
                })
                .h1(map_config(app(), |()| AppConfig::default()));
            fn_service(|stream: TcpStream| async move {
                let peer = stream.peer_addr().ok();
                // Without this a small write waits for the acknowledgement of the one before it.
                if let Err(why) = stream.set_nodelay(true) {
                    tracing::debug!("TCP_NODELAY: {why}");
                }
                Ok::<_, Infallible>((Line::new(stream), peer))
            })
            .map_err(|never| match never {})
            .and_then(http)
        })?
        .run();
    Ok(Listening { address, handle: server.handle(), server })
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
