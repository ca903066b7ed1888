//! `[cluster]`: its keys, their ranges, and what does not go together.

use std::path::{Path, PathBuf};

use super::{sections::file, settings::Settings};
use crate::{
    cluster::{ClusterConfig, ReadFrom, Role},
    limits,
    redis::{Server, ServerDefinition},
};

/// Keys that mean something only with `cluster.name`, in the order in which the first is told.
const OTHERS: &[&str] = &[
    "cluster.url",
    "cluster.sentinels",
    "cluster.master",
    "cluster.role",
    "cluster.node",
    "cluster.username",
    "cluster.password_file",
    "cluster.ca_file",
    "cluster.cert_file",
    "cluster.key_file",
    "cluster.lease_ms",
    "cluster.silence_ms",
    "cluster.window_ms",
    "cluster.window_bytes",
    "cluster.pending_bytes",
    "cluster.found_ms",
    "cluster.read_from",
    "cluster.compress",
];

/// `[cluster]`, when there is one. Relative paths are relative to `base` where the file has them, else to `directory`.
pub(super) fn cluster(settings: &mut Settings, base: &Path, directory: &Path) -> Option<ClusterConfig> {
    let expected = format!("1 to {} letters, digits, - and _", limits::CLUSTER_NAME_CHARS);
    let name = |text: &str| ClusterConfig::is_name(text).then(|| text.to_owned());
    let is_named = settings.has("cluster.name");
    let found = settings.parsed("cluster.name", &expected, name);
    let node = settings.parsed("cluster.node", &expected, name);
    let server = server(settings, base, directory);
    // A name that was refused is told already; the rest is read all the same, so that its mistakes are told with it.
    let mut config = ClusterConfig::new(found.unwrap_or_default(), server);
    config.node = node;
    read_times(settings, &mut config);
    config.role =
        settings.parsed("cluster.role", r#""auto", "feed" or "edge""#, Role::parse).unwrap_or_default();
    config.read_from =
        settings.parsed("cluster.read_from", r#""master" or "replica""#, ReadFrom::parse).unwrap_or_default();
    config.compress = settings.switch("cluster.compress", config.compress);
    if !is_named {
        let why = "there is no cluster.name, so there is no cluster".to_owned();
        settings.contradicts(OTHERS, why);
        return None;
    }
    contradictions(settings, &config);
    Some(config)
}

fn server(settings: &mut Settings, base: &Path, directory: &Path) -> ServerDefinition {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut path = |key| -> Option<PathBuf> { file(settings, key, base, directory) };
    let (password_file, ca_file) = (path("cluster.password_file"), path("cluster.ca_file"));
    let (cert_file, key_file) = (path("cluster.cert_file"), path("cluster.key_file"));
    ServerDefinition {
        url: settings.parsed("cluster.url", "a URL like redis://host:6379/0", some),
        sentinels: settings.list("cluster.sentinels", "a place like host:26379", some).unwrap_or_default(),
        master: settings.parsed("cluster.master", "what the Sentinels call the master", some),
        username: settings.parsed("cluster.username", "the name of an ACL user", some),
        password_file,
        ca_file,
        cert_file,
        key_file,
    }
}

fn read_times(settings: &mut Settings, config: &mut ClusterConfig) {
    config.lease = settings.millis("cluster.lease_ms", &limits::LEASE_MS_RANGE, config.lease);
    config.silence = settings.millis("cluster.silence_ms", &limits::SILENCE_MS_RANGE, config.silence);
    config.window = settings.millis("cluster.window_ms", &limits::WINDOW_MS_RANGE, config.window);
    config.window_bytes =
        settings.integer("cluster.window_bytes", &limits::WINDOW_BYTES_RANGE, config.window_bytes);
    config.pending_bytes =
        settings.integer("cluster.pending_bytes", &limits::PENDING_BYTES_RANGE, config.pending_bytes);
    config.found = settings.millis("cluster.found_ms", &limits::FOUND_MS_RANGE, config.found);
}

/// What does not go together, and what is wrong with the way to Redis.
fn contradictions(settings: &mut Settings, config: &ClusterConfig) {
    let server = &config.server;
    if !settings.has("cluster.url") && !settings.has("cluster.sentinels") {
        let why = "a cluster needs cluster.url, or cluster.sentinels with cluster.master".to_owned();
        settings.contradicts(&["cluster.name"], why);
    } else if (server.url.is_some() || !server.sentinels.is_empty())
        // Paths in it are complete.
        && let Err(mistake) = Server::new(server, Path::new(""))
    {
        let name = mistake.key.split('[').next();
        let full = OTHERS.iter().find(|key| key.strip_prefix("cluster.") == name);
        let full = full.copied().filter(|key| settings.has(key)).unwrap_or("cluster.name");
        let is_told = full.strip_prefix("cluster.") == Some(&mistake.key);
        let why = if is_told { mistake.why } else { format!("cluster.{mistake}") };
        settings.contradicts(&[full], why);
    }
    if config.window <= config.lease {
        let why = format!(
            "a log of {} ms is over before a leader is replaced, after {} ms",
            config.window.as_millis(),
            config.lease.as_millis()
        );
        settings.contradicts(&["cluster.window_ms", "cluster.lease_ms"], why);
    }
    if settings.has("store.path") {
        let why =
            "a gateway of a cluster has its memory in the log and in the other nodes: leave store.path out";
        settings.contradicts(&["store.path"], why.to_owned());
    }
}
