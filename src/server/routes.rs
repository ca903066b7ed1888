//! Every route in one table, from which the application is made and with which the documents are compared.

use actix_web::{
    HttpResponse, Resource,
    http::{Method, header},
    middleware::Compress,
    web,
};

use super::{
    driver::actix,
    http::{bars, page, poll, publish, rest, snapshot, sse, symbols, trades},
    path::SOCKET,
    refusal::{ALLOW_GET, ALLOW_POST, wrong_method},
};

/// Registers routes, and tells which they are.
macro_rules! routes {
    ($register:ident, $table:ident: $($method:ident $path:literal => $handler:path,)*) => {
        const $table: &[(&str, &str)] = &[$((stringify!($method), $path)),*];

        fn $register(config: &mut web::ServiceConfig) {
            $(config.service(routes!(@$method web::resource($path), $handler));)*
        }
    };
    // HEAD is GET without the content: actix drops the body.
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

/// Method and path of every route.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str)> {
    [&[("get", SOCKET)], STREAMS, PLAIN].concat()
}

/// Adds the routes that need a shard and are written as they go.
pub(super) fn streams(config: &mut web::ServiceConfig) {
    config.service(routes!(@get web::resource(SOCKET), actix::upgrade));
    #[cfg(feature = "test-endpoints")]
    config
        .route(super::path::ECHO, web::route().to(super::driver::echo::echo))
        .route("/test/fail/{task}", web::post().to(super::http::drills::fail))
        .route("/test/renumber/{epoch}", web::post().to(super::http::drills::renumber));
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
    // Targets without a slash: `*`, and the host of CONNECT.
    config.default_service(web::to(rest::not_found));
}

/// Answers the methods of a resource that have no handler.
fn others(resource: Resource, allow: &'static str) -> Resource {
    let options =
        move || async move { HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish() };
    let wrong = move || async move { Err::<HttpResponse, _>(wrong_method(allow)) };
    resource.route(web::method(Method::OPTIONS).to(options)).default_service(web::to(wrong))
}
