//! Every route in one table, from which the application is made and with which the documents are compared.

use actix_web::{HttpResponse, middleware::Compress, web};

use super::{bars, poll, publish, rest, snapshot, sse, trades, upgrade};

/// Registers routes, and tells which they are.
macro_rules! routes {
    ($register:ident, $table:ident: $($method:ident $path:literal => $handler:path,)*) => {
        const $table: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn $register(config: &mut web::ServiceConfig) {
            $(config.service(
                web::resource($path)
                    .route(web::$method().to($handler))
                    .default_service(web::to(|| async { wrong_method(stringify!($method)) })),
            );)*
        }
    };
}

routes! { register_streams, STREAMS:
    get "/v1/sse" => sse::sse,
}

routes! { register_plain, PLAIN:
    get "/" => rest::page,
    get "/healthz" => rest::healthz,
    get "/readyz" => rest::readyz,
    get "/feedz" => rest::feedz,
    get "/metrics" => rest::metrics,
    get "/v1/symbols" => rest::symbols,
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

/// Adds the routes that need a shard and are written as they go.
pub(super) fn streams(config: &mut web::ServiceConfig) {
    // Any method: the handshake says which one it wants.
    config.route(SOCKET.1, web::route().to(upgrade::upgrade));
    #[cfg(feature = "test-endpoints")]
    config
        .route("/test/echo", web::route().to(super::echo::echo))
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
}

fn wrong_method(right: &str) -> HttpResponse {
    let right = right.to_ascii_uppercase();
    let mut response = rest::refusal(405, 400, &format!("the method here is {right}"));
    if let Ok(value) = right.parse() {
        response.headers_mut().insert(actix_web::http::header::ALLOW, value);
    }
    response
}
