//! `[cluster]`: every key from both layers, what does not go together, and what an edge passes over.

use std::{fs, path::PathBuf, time::Duration};

use tickcast::{
    cluster::{ClusterConfig, ClusterServer, ReadFrom, Role},
    config::Flags,
};

use super::{load, load_file, refused, tickcast, toml_of, variable};

const URL: &str = "redis://redis.example.com:6379/0";

/// Key, another value than the default, a bad one.
const KEYS: &[(&str, &str, &str)] = &[
    ("role", "edge", "leader"),
    ("node", "one-1_A", "one.example.com"),
    ("username", "tickcast", ""),
    ("password_file", "secret", "secrets/"),
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
    let ClusterConfig { role, node, server, lease, silence, window, window_bytes, .. } = config;
    let millis = |time: &Duration| time.as_millis().to_string();
    let password = server.password_file.as_ref().and_then(|path| path.file_name()?.to_str());
    vec![
        ("role", role.as_str().to_owned()),
        ("node", node.clone().unwrap_or_default()),
        ("username", server.username.clone().unwrap_or_default()),
        ("password_file", password.unwrap_or_default().to_owned()),
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
    let server = ClusterServer { url: Some(URL.into()), ..ClusterServer::default() };
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
    let text = "password_file = \"secret\"\nca_file = \"/etc/ca.pem\"\ncert_file = \"c\"\nkey_file = \"k\"";
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("etc")).unwrap();
    let path = directory.path().join("etc/tickcast.toml");
    fs::write(&path, file(text).replace("redis://", "rediss://")).unwrap();
    let flags = Flags { config: Some(path.clone()), ..Flags::default() };
    let key = ("TICKCAST_CLUSTER__KEY_FILE", "of-the-variable");
    let server = load(directory.path(), &[key], &flags).unwrap().cluster.unwrap().server;
    let beside = |name: &str| Some(path.with_file_name(name));
    assert_eq!((server.password_file, server.cert_file), (beside("secret"), beside("c")));
    assert_eq!(server.ca_file, Some(PathBuf::from("/etc/ca.pem")));
    assert_eq!(server.key_file, Some(directory.path().join("of-the-variable")));
}

#[test]
fn a_url_has_no_password_and_says_how_to_get_there() {
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
        assert!(errors[0].starts_with("tickcast.toml:3: cluster.url: found "), "{errors:?}");
        assert!(errors[0].contains("without a password"), "{errors:?}");
    }
}

#[test]
fn what_does_not_go_together_is_told() {
    let line = |line: &str| refused(load_file(&file(line)));
    for (text, key, why) in [
        ("sentinels = [\"a:1\"]\nmaster = \"m\"", "4: cluster.sentinels", "one of them says where Redis is"),
        ("master = \"m\"", "4: cluster.master", "there are no cluster.sentinels"),
        ("cert_file = \"c\"", "4: cluster.cert_file", "belong together"),
        ("ca_file = \"c\"", "4: cluster.ca_file", "rediss://"),
        (
            "lease_ms = 6000\nwindow_ms = 5000",
            "5: cluster.window_ms",
            "before a leader is replaced, after 6000 ms",
        ),
        ("[store]\npath = \"p\"", "5: store.path", "leave store.path out"),
    ] {
        let errors = line(text);
        assert!(
            errors.iter().any(|error| error.starts_with(&format!("tickcast.toml:{key}: "))),
            "{errors:?}"
        );
        assert!(errors.iter().any(|error| error.contains(why)), "{errors:?}");
    }
    let errors = refused(load_file("[cluster]\nname = \"x\"\n"));
    assert_eq!(
        errors,
        [
            "tickcast.toml:2: cluster.name: a cluster needs cluster.url, or cluster.sentinels with cluster.master"
        ]
    );
    let errors = refused(load_file("[cluster]\nname = \"x\"\nsentinels = [\"a:26379\", \"b\"]\n"));
    assert!(errors[0].contains("found \"b\", expected a place like"), "{errors:?}");
    assert!(errors[1].contains("cluster.master is its name"), "{errors:?}");
    let text = "[cluster]\nname = \"x\"\nsentinels = [\"a:26379\", \"b:26379\"]\nmaster = \"m\"\n";
    let server = load_file(text).unwrap().cluster.unwrap().server;
    assert_eq!(server.to_string(), "m of a:26379, b:26379");
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
