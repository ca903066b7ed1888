//! Every route in one table, from which the application is made and with which the documents are compared.

use actix_web::{
    HttpResponse, Resource,
    http::{Method, header},
    middleware::Compress,
    web,
};

use super::{bars, page, poll, publish, refusal::Refusal, rest, snapshot, sse, symbols, trades, upgrade};

/// Methods of what is read, and of what is written.
pub(super) const ALLOW_GET: &str = "GET, HEAD, OPTIONS";
const ALLOW_POST: &str = "POST, OPTIONS";
/// Those of the server as a whole.
pub(super) const ALLOW_ALL: &str = "GET, HEAD, POST, OPTIONS";

/// Registers routes, and tells which they are.
macro_rules! routes {
    ($register:ident, $table:ident: $($method:ident $path:literal => $handler:path,)*) => {
        const $table: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn $register(config: &mut web::ServiceConfig) {
            $(config.service(routes!(@$method web::resource($path), $handler));)*
        }
    };
    // HEAD is GET without the content: what a handler writes is left away behind it.
    (@get $resource:expr, $handler:path) => {
        others($resource.route(web::get().to($handler)).route(web::head().to($handler)), ALLOW_GET)
    };
    (@post $resource:expr, $handler:path) => {
        others($resource.route(web::post().to($handler)), ALLOW_POST)
    };
}

routes! { register_streams, STREAMS:
    get "/v1/sse" => sse::sse,
}

routes! { register_plain, PLAIN:
    get "/" => page::page,
    get "/healthz" => rest::healthz,
    get "/readyz" => rest::readyz,
    get "/feedz" => rest::feedz,
    get "/metrics" => rest::metrics,
    get "/v1/symbols" => symbols::symbols,
    get "/v1/snapshot" => snapshot::snapshot,
    get "/v1/trades/{symbol:.+}" => trades::trades,
    get "/v1/bars/{symbol:.+}" => bars::bars,
    get "/v1/poll" => poll::poll,
    post "/v1/publish" => publish::publish,
    get "/v1/openapi.json" => rest::openapi,
    get "/v1/asyncapi.json" => rest::asyncapi,
}

/// The WebSocket endpoint, which one of the drivers takes.
const SOCKET: (&str, &str) = ("get", "/v1/ws");

/// Method and path of every route.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str)> {
    [&[SOCKET], STREAMS, PLAIN].concat()
}

/// Whether there is a WebSocket at a path.
pub(super) fn is_socket(path: &str) -> bool {
    path == SOCKET.1 || (cfg!(feature = "test-endpoints") && path == ECHO)
}

/// Where test builds send messages back.
pub(super) const ECHO: &str = "/test/echo";

/// Adds the routes that need a shard and are written as they go.
pub(super) fn streams(config: &mut web::ServiceConfig) {
    config.service(routes!(@get web::resource(SOCKET.1), upgrade::upgrade));
    #[cfg(feature = "test-endpoints")]
    config
        .route(ECHO, web::route().to(super::echo::echo))
        .route("/test/fail/{task}", web::post().to(super::drills::fail));
    register_streams(config);
}

/// Adds the routes with whole answers, compressed for clients that ask for it. They take every other path too.
pub(super) fn plain(config: &mut web::ServiceConfig) {
    config.service(
        web::scope("")
            .wrap(Compress::default())
            .configure(register_plain)
            .default_service(web::to(rest::not_found)),
    );
    // What does not even begin with a slash: `*`, and hosts that are to be connected to.
    config.default_service(web::to(rest::not_found));
}

/// Answers the methods of a resource that have no handler.
fn others(resource: Resource, allow: &'static str) -> Resource {
    let options =
        move || async move { HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish() };
    let wrong = move || async move { wrong_method(allow).response() };
    resource.route(web::method(Method::OPTIONS).to(options)).default_service(web::to(wrong))
}

/// The answer to a method that a resource does not have.
pub(super) fn wrong_method(allow: &'static str) -> Refusal {
    let headers: &[_] = match allow {
        ALLOW_GET => &[("allow", ALLOW_GET)],
        ALLOW_POST => &[("allow", ALLOW_POST)],
        _ => &[("allow", ALLOW_ALL)],
    };
    Refusal::new(405, 400, "handshake", format!("the method here is {allow}")).with(headers)
}
