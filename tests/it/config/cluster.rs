//! `[cluster]`: every key from both layers, what does not go together, and what an edge passes over.

use std::{fs, time::Duration};

use tickcast::{
    cluster::{ClusterConfig, ReadFrom, Role},
    config::Flags,
    redis::ServerDefinition,
};

use super::{load, load_file, refused, tickcast, toml_of, variable};

const URL: &str = "redis://redis.example.com:6379/0";

/// Key, another value than the default, a bad one.
const KEYS: &[(&str, &str, &str)] = &[
    ("role", "edge", "leader"),
    ("node", "one-1_A", "one.example.com"),
    ("lease_ms", "500", "499"),
    ("silence_ms", "60000", "60001"),
    ("window_ms", "5000", "4999"),
    ("window_bytes", "1048576", "1048575"),
    ("pending_bytes", "1048576", "-1"),
    ("found_ms", "0", "600001"),
    ("read_from", "replica", "slave"),
    ("compress", "true", "zstd"),
];

fn all(config: &ClusterConfig) -> Vec<(&'static str, String)> {
    let ClusterConfig { role, node, lease, silence, window, window_bytes, .. } = config;
    let millis = |time: &Duration| time.as_millis().to_string();
    vec![
        ("role", role.as_str().to_owned()),
        ("node", node.clone().unwrap_or_default()),
        ("lease_ms", millis(lease)),
        ("silence_ms", millis(silence)),
        ("window_ms", millis(window)),
        ("window_bytes", window_bytes.to_string()),
        ("pending_bytes", config.pending_bytes.to_string()),
        ("found_ms", millis(&config.found)),
        ("read_from", if config.read_from == ReadFrom::Replica { "replica" } else { "master" }.to_owned()),
        ("compress", config.compress.to_string()),
    ]
}

/// A cluster, and one more line.
fn file(line: &str) -> String {
    format!("[cluster]\nname = \"prod\"\nurl = \"{URL}\"\n{line}\n")
}

fn with(line: &str) -> ClusterConfig {
    load_file(&file(line)).unwrap().cluster.unwrap()
}

#[test]
fn without_the_section_there_is_no_cluster() {
    assert_eq!(load_file("").unwrap().cluster, None);
    let server = ServerDefinition { url: Some(URL.into()), ..ServerDefinition::default() };
    assert_eq!(with(""), ClusterConfig::new("prod".into(), server));
}

#[test]
fn every_key_comes_from_file_and_environment_and_changes_nothing_else() {
    let defaults = all(&with(""));
    let directory = tempfile::tempdir().unwrap();
    for &(key, value, bad) in KEYS {
        let mut expected = defaults.clone();
        let (_, place) = expected.iter_mut().find(|(name, _)| *name == key).unwrap();
        assert_ne!(*place, value, "{key}: the test's value is the default");
        value.clone_into(place);
        let full = format!("cluster.{key}");
        let line = |value| toml_of(&full, value).split_once('\n').unwrap().1.to_owned();
        assert_eq!(all(&with(&line(value))), expected, "{key} in the file");
        let variables = |value| {
            let cluster = [("TICKCAST_CLUSTER__NAME", "prod"), ("TICKCAST_CLUSTER__URL", URL)];
            load(directory.path(), &[cluster[0], cluster[1], (&variable(&full), value)], &Flags::default())
        };
        assert_eq!(all(&variables(value).unwrap().cluster.unwrap()), expected, "{key} as a variable");
        let errors = refused(load_file(&file(&line(bad))));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with(&format!("tickcast.toml:4: {full}: found ")), "{errors:?}");
        let errors = refused(variables(bad));
        assert!(
            errors[0].starts_with(&format!("{}: {full}: found \"{bad}\"", variable(&full))),
            "{errors:?}"
        );
        let errors = refused(load_file(&format!("[cluster]\n{}", line(value))));
        let alone = format!("tickcast.toml:2: {full}: there is no cluster.name, so there is no cluster");
        assert_eq!(errors, [alone]);
    }
}

#[test]
fn files_are_beside_the_one_that_names_them() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("etc")).unwrap();
    let path = directory.path().join("etc/tickcast.toml");
    fs::write(&path, file("username = \"tickcast\"\npassword_file = \"secret\"")).unwrap();
    let flags = Flags { config: Some(path.clone()), ..Flags::default() };
    let errors = refused(load(directory.path(), &[], &flags));
    assert!(errors[0].contains("tickcast.toml:5: cluster.password_file: "), "{errors:?}");
    fs::write(path.with_file_name("secret"), "hush\n").unwrap();
    let server = load(directory.path(), &[], &flags).unwrap().cluster.unwrap().server;
    assert_eq!(server.username.as_deref(), Some("tickcast"));
    assert_eq!(server.password_file, Some(path.with_file_name("secret")));
    fs::write(directory.path().join("of-the-variable"), "hush\n").unwrap();
    let key = ("TICKCAST_CLUSTER__PASSWORD_FILE", "of-the-variable");
    let server = load(directory.path(), &[key], &flags).unwrap().cluster.unwrap().server;
    assert_eq!(server.password_file, Some(directory.path().join("of-the-variable")));
}

#[test]
fn what_is_wrong_with_the_way_to_redis_is_told_at_its_key() {
    for good in ["redis://r", "redis://10.0.0.1:6379", "rediss://[::1]:6380/3", "unix:///run/redis.sock"] {
        load_file(&file("").replace(URL, good)).unwrap();
    }
    for bad in [
        "redis://:hush@host:6379",
        "rediss://user:hush@host/0",
        "redis://user@host",
        "redis://host/zero",
        "redis://",
        "unix://run",
        "http://host",
        "host:6379",
    ] {
        let errors = refused(load_file(&file("").replace(URL, bad)));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("tickcast.toml:3: cluster.url: "), "{errors:?}");
        assert!(!errors[0].contains("hush"), "{errors:?}");
    }
    for (text, start) in [
        ("username = \"u\"", "4: cluster.username: expected password_file"),
        ("ca_file = \"c\"", "4: cluster.ca_file: "),
        ("cert_file = \"c\"", "4: cluster.cert_file: "),
        ("sentinels = [\"a:1\"]\nmaster = \"m\"", "4: cluster.sentinels: expected either url"),
        ("master = \"m\"", "4: cluster.master: expected either url"),
    ] {
        let errors = refused(load_file(&file(text)));
        assert!(errors.len() == 1 && errors[0].starts_with(&format!("tickcast.toml:{start}")), "{errors:?}");
    }
    let sentinels = |rest: &str| format!("[cluster]\nname = \"x\"\nsentinels = [\"a:26379\", \"b{rest}\n");
    let errors = refused(load_file(&sentinels(":no\"]\nmaster = \"m\"")));
    assert!(
        errors[0].starts_with("tickcast.toml:3: cluster.sentinels: cluster.sentinels[1]: "),
        "{errors:?}"
    );
    let errors = refused(load_file(&sentinels("\"]")));
    assert!(
        errors[0].starts_with("tickcast.toml:2: cluster.name: cluster.master: found nothing"),
        "{errors:?}"
    );
    let server = load_file(&sentinels(":26379\"]\nmaster = \"m\"")).unwrap().cluster.unwrap().server;
    assert_eq!((server.sentinels.len(), server.master.as_deref()), (2, Some("m")));
}

#[test]
fn what_does_not_go_together_is_told() {
    for (text, start) in [
        (
            "lease_ms = 6000\nwindow_ms = 5000",
            "5: cluster.window_ms: a log of 5000 ms is over before a leader is replaced, after 6000 ms",
        ),
        ("[store]\npath = \"p\"", "5: store.path: a gateway of a cluster has its memory in the log"),
    ] {
        let errors = refused(load_file(&file(text)));
        assert!(errors.len() == 1 && errors[0].starts_with(&format!("tickcast.toml:{start}")), "{errors:?}");
    }
    assert_eq!(
        refused(load_file("[cluster]\nname = \"x\"\n")),
        [
            "tickcast.toml:2: cluster.name: a cluster needs cluster.url, or cluster.sentinels with cluster.master"
        ]
    );
}

/// An edge has neither the credentials nor the recordings of those that it shares its file with.
#[test]
fn an_edge_needs_no_feeds_and_passes_over_those_that_it_cannot_build() {
    let feeds = "[[feed]]\nname = \"tape\"\nkind = \"replay\"\nfile = 3\n[[feed]]\nname = \"mine\"\nkind = \"push\"\n";
    assert!(!refused(load_file(&file(feeds))).is_empty(), "others run them");
    for role in ["auto", "feed"] {
        let config = load_file(&file(&format!("role = \"{role}\""))).unwrap();
        assert!(config.is_demonstration && config.feeds.len() == 1, "{role}");
    }
    let config = load_file(&file("role = \"edge\"")).unwrap();
    assert_eq!((config.feeds.len(), config.is_demonstration), (0, false));
    assert_eq!(config.cluster.unwrap().role, Role::Edge);
    let config = load_file(&file(&format!("role = \"edge\"\n{feeds}"))).unwrap();
    let names: Vec<_> = config.feeds.iter().map(|feed| feed.name.as_str()).collect();
    assert_eq!((names, config.is_demonstration), (vec!["mine"], false));
}

#[test]
fn check_tells_of_the_cluster() {
    let text = file("role = \"edge\"");
    let output = tickcast(&[("edge.toml", &text)], &["check", "edge.toml"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(told.contains(&format!("  cluster prod, edge, at {URL}\n")), "{told}");
    assert!(told.contains("  0 feeds\n") && output.status.success(), "{told}");
}
