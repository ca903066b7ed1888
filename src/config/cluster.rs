//! `[cluster]`: its keys, their ranges, and what does not go together.

use std::path::{Path, PathBuf};

use super::{sections::file, settings::Settings};
use crate::{
    cluster::{ClusterConfig, ClusterServer, ReadFrom, Role},
    limits,
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

fn server(settings: &mut Settings, base: &Path, directory: &Path) -> ClusterServer {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let expected = "a URL like redis://host:6379/0, rediss://host:6380/0 or unix:///run/redis.sock, without a password \
                    (which has a file of its own, cluster.password_file)";
    let url = settings.parsed("cluster.url", expected, |text| is_url(text).then(|| text.to_owned()));
    let sentinel = |text: &str| is_host_and_port(text).then(|| text.to_owned());
    let sentinels = settings.list("cluster.sentinels", "a place like sentinel.example.com:26379", sentinel);
    let mut path = |key| -> Option<PathBuf> { file(settings, key, base, directory) };
    let (password_file, ca_file) = (path("cluster.password_file"), path("cluster.ca_file"));
    let (cert_file, key_file) = (path("cluster.cert_file"), path("cluster.key_file"));
    ClusterServer {
        url,
        sentinels: sentinels.unwrap_or_default(),
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

/// What does not go together.
fn contradictions(settings: &mut Settings, config: &ClusterConfig) {
    let server = &config.server;
    let (has_url, has_sentinels) = (settings.has("cluster.url"), settings.has("cluster.sentinels"));
    let tells = |settings: &mut Settings, key, why: &str| settings.contradicts(&[key], why.to_owned());
    if has_url && has_sentinels {
        tells(settings, "cluster.sentinels", "there is cluster.url already: one of them says where Redis is");
    }
    if !has_url && !has_sentinels {
        tells(
            settings,
            "cluster.name",
            "a cluster needs cluster.url, or cluster.sentinels with cluster.master",
        );
    }
    if has_sentinels && !settings.has("cluster.master") {
        tells(settings, "cluster.sentinels", "Sentinels are asked for a master: cluster.master is its name");
    }
    if settings.has("cluster.master") && !has_sentinels {
        tells(
            settings,
            "cluster.master",
            "only Sentinels know a master by name: there are no cluster.sentinels",
        );
    }
    let most = limits::MAX_SENTINELS;
    if server.sentinels.len() > most {
        let why = format!("found {} sentinels, expected at most {most}", server.sentinels.len());
        settings.contradicts(&["cluster.sentinels"], why);
    }
    if server.cert_file.is_some() != server.key_file.is_some() {
        let why = "cluster.cert_file and cluster.key_file belong together".to_owned();
        settings.contradicts(&["cluster.cert_file", "cluster.key_file"], why);
    }
    let is_plain = server.url.as_deref().is_some_and(|url| !url.starts_with("rediss://"));
    if is_plain && (server.ca_file.is_some() || server.cert_file.is_some()) {
        let why = "certificates are for TLS only, and cluster.url does not begin with rediss://".to_owned();
        settings.contradicts(&["cluster.ca_file", "cluster.cert_file"], why);
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
        tells(settings, "store.path", why);
    }
}

/// Whether it names a server of a kind that we know, and no password: URLs are printed.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    match scheme {
        "redis" | "rediss" => {
            let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
            let is_number = |text: &str| text.is_empty() || text.parse::<u16>().is_ok();
            !place.is_empty() && !place.contains(['@', '?', '#']) && is_number(database)
        }
        "unix" => rest.starts_with('/') && !rest.contains(['@', '?', '#']),
        _ => false,
    }
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
}
