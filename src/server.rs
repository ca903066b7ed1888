//! actix: listeners, routes and the session driver. The only room that knows an HTTP library.

mod config;

pub use config::ServerConfig;
