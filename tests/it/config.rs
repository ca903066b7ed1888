//! Configuration by tables: every key from every layer, every kind of mistake, and what the errors say.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod around;
mod cluster;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Output},
};

use proptest::prelude::*;
use tickcast::{
    config::{Config, ConfigError, ConfigErrors, Flags, Origin},
    limits,
};

/// Key, a value that differs from the default, a value out of range or malformed.
const KEYS: &[(&str, &str, &str)] = &[
    ("server.bind", "127.0.0.1:9000", "localhost"),
    ("server.workers", "7", "65"),
    ("server.hosts", "ticks.example.com,*.desk.example", "ticks.example.com:8080"),
    ("server.origins", "https://example.com,https://*.example.com,tauri://localhost,null", "example.com"),
    ("server.trusted_proxies", "10.0.0.0/8,127.0.0.1/32", "10.0.0.1/8"),
    ("server.driver", "actix", "uring"),
    ("server.request_timeout_ms", "1500", "999"),
    ("server.body_timeout_ms", "2500", "3600001"),
    ("server.grace_ms", "1", "600001"),
    ("server.drain_ms", "0", "-1"),
    ("limits.connections", "500", "0"),
    ("limits.connections_per_ip", "400", "1000001"),
    ("limits.unproven_per_address", "40", "0"),
    ("limits.accepts_per_second", "200", "-1"),
    ("limits.loopback_counts", "true", "yes"),
    ("limits.symbols_per_session", "300", "0"),
    ("limits.commands_per_second", "20", "0"),
    ("limits.frame_bytes", "2048", "1023"),
    ("session.flush_ms", "25", "1001"),
    ("session.ping_ms", "15000", "9"),
    ("session.pong_timeout_ms", "7000", "0"),
    ("session.heartbeat_ms", "2500", "3600001"),
    ("session.stall_timeout_ms", "8000", "1.5"),
    ("session.stream_bytes", "100000", "16383"),
    ("session.control_messages", "129", "128"),
    ("history.trades_per_symbol", "64", "0"),
    ("history.bars", "10", "0"),
    ("history.intervals", "1m,1d", "2m"),
    ("history.lane_events", "2048", "1024"),
    ("auth.mode", "none", "required"),
    ("log.format", "json", "xml"),
    ("log.level", "debug", "inof"),
];

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn load(directory: &Path, environment: &[(&str, &str)], flags: &Flags) -> Result<Config, ConfigErrors> {
    Config::load(flags, variables(environment), directory)
}

fn load_file(text: &str) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("tickcast.toml"), text).unwrap();
    load(directory.path(), &[], &Flags::default())
}

fn with_variable(name: &str, value: &str) -> Result<Config, ConfigErrors> {
    load(tempfile::tempdir().unwrap().path(), &[(name, value)], &Flags::default())
}

/// The messages, one a mistake.
fn refused(result: Result<Config, ConfigErrors>) -> Vec<String> {
    result.expect_err("must be refused").0.iter().map(ToString::to_string).collect()
}

fn variable(key: &str) -> String {
    format!("TICKCAST_{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// The value as TOML has it for this key.
fn literal(key: &str, value: &str) -> String {
    match key {
        "server.hosts" | "server.origins" | "server.trusted_proxies" | "history.intervals" => {
            format!("{:?}", value.split(',').collect::<Vec<_>>())
        }
        _ if value.parse::<f64>().is_ok() || value.parse::<bool>().is_ok() => value.to_owned(),
        _ => format!("{value:?}"),
    }
}

fn toml_of(key: &str, value: &str) -> String {
    let (section, name) = key.split_once('.').unwrap();
    format!("[{section}]\n{name} = {}\n", literal(key, value))
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(",")
}

/// What a configuration says of every key, as text.
fn values(config: &Config) -> BTreeMap<&'static str, String> {
    let (server, session, hub) = (&config.server, &config.session, &config.hub);
    let texts = [
        server.bind.to_string(),
        server.workers.to_string(),
        texts(&server.hosts),
        texts(&server.origins),
        texts(server.trusted_proxies.iter()),
        server.driver.as_str().to_owned(),
        server.request_timeout.as_millis().to_string(),
        server.body_timeout.as_millis().to_string(),
        server.grace.as_millis().to_string(),
        server.drain.as_millis().to_string(),
        server.connections.to_string(),
        server.connections_per_ip.to_string(),
        server.unproven_per_address.to_string(),
        server.accepts_per_second.to_string(),
        server.loopback_counts.to_string(),
        session.symbols_per_session.to_string(),
        session.commands_per_second.to_string(),
        session.frame_bytes.to_string(),
        session.flush.as_millis().to_string(),
        session.ping.as_millis().to_string(),
        session.pong_timeout.as_millis().to_string(),
        session.heartbeat.as_millis().to_string(),
        session.stall_timeout.as_millis().to_string(),
        session.stream_bytes.to_string(),
        session.control_messages.to_string(),
        hub.trades_per_symbol.to_string(),
        hub.bars.to_string(),
        hub.intervals.iter().map(|interval| interval.as_str()).collect::<Vec<_>>().join(","),
        hub.lane_events.to_string(),
        format!("{:?}", config.auth).to_lowercase(),
        format!("{:?}", config.log.format).to_lowercase(),
        config.log.level.clone(),
    ];
    KEYS.iter().map(|(key, ..)| *key).zip(texts).collect()
}

fn flags_of(key: &str, value: &str) -> Option<Flags> {
    let value = Some(value.to_owned());
    match key {
        "server.bind" => Some(Flags { bind: value, ..Flags::default() }),
        "server.workers" => Some(Flags { workers: value, ..Flags::default() }),
        "log.format" => Some(Flags { log_format: value, ..Flags::default() }),
        "log.level" => Some(Flags { log_level: value, ..Flags::default() }),
        _ => None,
    }
}

#[test]
fn every_key_comes_from_file_environment_and_flag_and_changes_nothing_else() {
    let defaults = values(&load_file("").unwrap());
    for &(key, value, _) in KEYS {
        let mut expected = defaults.clone();
        expected.insert(key, value.to_owned());
        assert_eq!(values(&load_file(&toml_of(key, value)).unwrap()), expected, "{key} in the file");
        assert_eq!(
            values(&with_variable(&variable(key), value).unwrap()),
            expected,
            "{key} in the environment"
        );
        if let Some(flags) = flags_of(key, value) {
            let directory = tempfile::tempdir().unwrap();
            assert_eq!(values(&load(directory.path(), &[], &flags).unwrap()), expected, "{key} as a flag");
        }
        assert!(key == "auth.mode" || defaults[key] != value, "{key}: the test's value is the default");
    }
}

#[test]
fn a_bad_value_names_place_key_found_and_expected() {
    for &(key, _, bad) in KEYS {
        let errors = refused(load_file(&toml_of(key, bad)));
        assert_eq!(errors.len(), 1, "{key}: {errors:?}");
        assert!(errors[0].starts_with(&format!("tickcast.toml:2: {key}: found ")), "{errors:?}");
        assert!(errors[0].contains(bad) && errors[0].contains(", expected "), "{errors:?}");

        let errors = refused(with_variable(&variable(key), bad));
        assert_eq!(errors.len(), 1, "{key}: {errors:?}");
        assert!(errors[0].starts_with(&format!("{}: {key}: found \"{bad}\"", variable(key))), "{errors:?}");

        let wrong_type = refused(load_file(&toml_of(key, "x").replace("\"x\"", "1979-05-27")));
        assert!(wrong_type[0].contains(key), "{wrong_type:?}");
    }
    let flags = Flags { workers: Some("many".into()), ..Flags::default() };
    assert_eq!(
        refused(load(tempfile::tempdir().unwrap().path(), &[], &flags)),
        ["--workers: server.workers: found \"many\", expected a whole number from 1 to 64"]
    );
}

#[test]
fn the_bounds_themselves_are_allowed() {
    for (key, low, high) in [
        ("server.workers", *limits::WORKERS_RANGE.start(), *limits::WORKERS_RANGE.end()),
        ("session.stream_bytes", *limits::STREAM_BYTES_RANGE.start(), *limits::STREAM_BYTES_RANGE.end()),
        ("history.lane_events", *limits::LANE_EVENTS_RANGE.start(), *limits::LANE_EVENTS_RANGE.end()),
    ] {
        for value in [low, high] {
            load_file(&toml_of(key, &value.to_string())).unwrap();
        }
        for value in [low - 1, high + 1] {
            refused(load_file(&toml_of(key, &value.to_string())));
        }
    }
}

#[test]
fn unknown_keys_are_errors_everywhere() {
    for section in ["server", "limits", "session", "history", "auth", "log"] {
        let errors = refused(load_file(&format!("# a comment\n[{section}]\nnonsense = 1\n")));
        let start = format!("tickcast.toml:3: unknown key \"{section}.nonsense\": known are {section}.");
        assert!(errors.len() == 1 && errors[0].starts_with(&start), "{errors:?}");
    }
    let errors = refused(load_file("[sever]\nbind = \"127.0.0.1:1\"\n"));
    assert!(errors[0].contains("[server] ") && errors[0].starts_with("tickcast.toml:2:"), "{errors:?}");
    let errors = refused(load_file("[log]\n[sever]\n"));
    assert!(
        errors.len() == 1 && errors[0].starts_with("tickcast.toml:2: unknown key \"sever\""),
        "{errors:?}"
    );
    let errors = refused(with_variable("TICKCAST_TICKCAST_SERVER__BIND", "127.0.0.1:1"));
    assert!(errors[0].starts_with("TICKCAST_TICKCAST_SERVER__BIND: unknown variable: "), "{errors:?}");
    for section in ["[server]", "[limits]", "[session]"] {
        assert_eq!(errors[0].matches(section).count(), 1, "each once: {errors:?}");
    }
    let errors = refused(load_file("bind = \"127.0.0.1:1\"\n"));
    assert!(errors[0].starts_with("tickcast.toml:1: unknown key \"bind\""), "{errors:?}");
    let errors = refused(with_variable("TICKCAST_SERVER_BIND", "127.0.0.1:1"));
    assert_eq!(errors, ["TICKCAST_SERVER_BIND: unknown variable: did you mean TICKCAST_SERVER__BIND?"]);
    let errors = refused(load_file("[session]\nping-ms = 3\n"));
    assert_eq!(errors, ["tickcast.toml:2: unknown key \"session.ping-ms\": did you mean session.ping_ms?"]);
}

#[test]
fn later_layers_win() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.toml");
    fs::write(&file, "[server]\nbind = \"127.0.0.1:1\"\nworkers = 3\n[log]\nlevel = \"warn\"\n").unwrap();
    let environment = [
        ("TICKCAST_CONFIG", "other.toml"),
        ("TICKCAST_SERVER__BIND", "127.0.0.1:2"),
        ("TICKCAST_LOG__LEVEL", "error"),
    ];
    let flags = Flags { bind: Some("127.0.0.1:3".into()), ..Flags::default() };
    let config = load(directory.path(), &environment, &flags).unwrap();
    assert_eq!(
        (config.server.bind.port(), config.server.workers, config.log.level.as_str()),
        (3, 3, "error")
    );
    fs::write(directory.path().join("flag.toml"), "[server]\nworkers = 4\n").unwrap();
    let flags = Flags { config: Some("flag.toml".into()), ..Flags::default() };
    assert_eq!(load(directory.path(), &environment, &flags).unwrap().server.workers, 4);
}

#[test]
fn every_mistake_is_told_at_once() {
    let errors =
        refused(load_file("[server]\nworkers = 0\nbind = 8080\n[limits]\nconnections = \"a\"\nx = 1\n"));
    assert_eq!(errors.len(), 4, "{errors:#?}");
    let errors = refused(load_file("[server\nworkers = = 1\n"));
    assert!(errors[0].starts_with("tickcast.toml:1: not TOML: "), "{errors:?}");
}

#[test]
fn other_machines_come_in_only_when_it_is_written_out() {
    for bind in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:0"] {
        let text = toml_of("server.bind", bind);
        let errors = refused(load_file(&text));
        assert!(errors.len() == 1 && errors[0].starts_with("tickcast.toml:2: server.bind: "), "{errors:?}");
        assert!(errors[0].contains("TICKCAST_AUTH__MODE=none"), "{errors:?}");
        load_file(&format!("{text}{}", toml_of("auth.mode", "none"))).unwrap();
    }
    load_file(&toml_of("server.bind", "[::1]:0")).unwrap();
}

#[test]
fn contradictions_are_refused() {
    let errors = refused(load_file("[session]\nping_ms = 1000\npong_timeout_ms = 1000\n"));
    assert!(errors.len() == 1 && errors[0].starts_with("tickcast.toml:2: session.ping_ms: "), "{errors:?}");
    load_file("[session]\nping_ms = 1000\npong_timeout_ms = 1000\nheartbeat_ms = 2000\n").unwrap();
    for (key, start, most) in [
        ("origins", "http://h", limits::MAX_ORIGINS),
        ("hosts", "h", limits::MAX_HOSTS),
        ("trusted_proxies", "fd00::", limits::MAX_TRUSTED_PROXIES),
    ] {
        let many: Vec<_> = (0..=most).map(|i| format!("\"{start}{i}\"")).collect();
        let errors = refused(load_file(&format!("[server]\n{key} = [{}]\n", many.join(","))));
        assert!(errors[0].contains(&format!("expected at most {most}")), "{errors:?}");
    }
}

#[test]
fn a_missing_file_names_who_asked_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let missing = ("TICKCAST_CONFIG", "gone.toml");
    let errors = refused(load(directory.path(), &[missing], &Flags::default()));
    assert!(errors[0].starts_with("gone.toml: cannot be read: "), "{errors:?}");
    assert!(errors[0].ends_with("(named by TICKCAST_CONFIG)"), "{errors:?}");
    let flags = Flags { feeds: vec!["dmeo".into()], ..Flags::default() };
    let errors = refused(load(directory.path(), &[], &flags));
    assert!(errors[0].contains("\"demo\" is the only one") && errors[0].contains("--feed"), "{errors:?}");
}

#[test]
fn a_file_that_is_too_long_is_not_read() {
    let directory = tempfile::tempdir().unwrap();
    let file = fs::File::create(directory.path().join("tickcast.toml")).unwrap();
    file.set_len(limits::MAX_CONFIG_BYTES + 1).unwrap();
    let errors = load(directory.path(), &[], &Flags::default()).expect_err("too long");
    assert!(matches!(errors.0[0], ConfigError::Unreadable { .. }), "{errors}");
}

#[test]
fn many_mistakes_are_cut_short() {
    let mut text = String::from("[server]\n");
    for i in 0..=limits::MAX_REPORTED_ERRORS + 1 {
        text.push_str(&format!("x{i} = 1\n"));
    }
    let errors = load_file(&text).expect_err("unknown keys");
    assert!(errors.to_string().ends_with("\nand 2 more"), "{errors}");
}

#[test]
fn the_demonstration_runs_when_nothing_else_does() {
    let config = load_file("").unwrap();
    assert!(!config.feeds.is_empty());
}

#[test]
fn feed_tables_name_their_mistakes() {
    for (text, start) in [
        ("[[feed]]\nkind = \"simulator\"\n", "tickcast.toml:1: feed[0].name: found nothing, expected a name"),
        ("[[feed]]\nname = \"a b\"\n", "tickcast.toml:2: feed[0].name: found \"a b\", expected"),
        (
            "[[feed]]\nname = \"a\"\nkind = \"dice\"\n",
            "tickcast.toml:3: feed[0].kind: found \"dice\", expected",
        ),
        ("[feed]\nname = \"a\"\n", "tickcast.toml:1: feed: found [feed], expected [[feed]] tables"),
        (
            "[[feed]]\nname = \"a\"\nkind = \"replay\"\nnonsense = 3\n",
            "tickcast.toml:4: feed[0].nonsense: unknown",
        ),
    ] {
        let errors = refused(load_file(text));
        assert!(errors.len() == 1 && errors[0].starts_with(start), "{errors:?}\n{start}");
    }
}

#[test]
fn feed_names_are_unique_over_all_files() {
    let directory = tempfile::tempdir().unwrap();
    let one = "# one\n[[feed]]\nname = \"a\"\nkind = \"dice\"\n";
    fs::write(directory.path().join("one.toml"), one).unwrap();
    fs::write(directory.path().join("two.toml"), one).unwrap();
    let flags = Flags { feeds: vec!["one.toml".into(), "two.toml".into()], ..Flags::default() };
    let errors = refused(load(directory.path(), &[], &flags));
    assert_eq!(
        errors[1],
        "two.toml:3: feed[0].name: \"a\" is the name of another feed already, at one.toml:3"
    );
}

#[test]
fn a_definition_has_feeds_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let flags = Flags { feeds: vec!["f.toml".into()], ..Flags::default() };
    for (text, expected) in [
        (
            "[server]\nworkers = 1\n",
            "f.toml:1: unknown key \"server\": a feed definition has [[feed]] tables only",
        ),
        ("", "f.toml:1: feed: there is no [[feed]] table"),
    ] {
        fs::write(directory.path().join("f.toml"), text).unwrap();
        assert_eq!(refused(load(directory.path(), &[], &flags)), [expected]);
    }
}

#[test]
fn named_feeds_replace_those_of_the_file_and_are_found_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("etc");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("c.toml"), "feeds = [\"one.toml\"]\n[[feed]]\nname = \"in\"\nkind = \"dice\"\n")
        .unwrap();
    fs::write(inner.join("one.toml"), "[[feed]]\nname = \"one\"\nkind = \"dice\"\n").unwrap();
    let config = Some("etc/c.toml".into());
    let errors = refused(load(directory.path(), &[], &Flags { config: config.clone(), ..Flags::default() }));
    let places: Vec<_> = errors.iter().map(|error| error.split(' ').next().unwrap()).collect();
    assert_eq!(places, ["etc/c.toml:4:", "one.toml:3:"], "both, each beside the file that names it");
    let flags = Flags { config, feeds: vec!["demo".into()], ..Flags::default() };
    load(directory.path(), &[("TICKCAST_FEEDS", "gone.toml")], &flags).unwrap();
    let errors = refused(load(directory.path(), &[("TICKCAST_FEEDS", "gone.toml, demo")], &Flags::default()));
    assert!(errors.len() == 1 && errors[0].contains("(named by TICKCAST_FEEDS)"), "{errors:?}");
}

#[test]
fn origins_of_errors_can_be_matched() {
    let errors = with_variable("TICKCAST_SERVER__WORKERS", "0").expect_err("zero workers");
    let ConfigError::Invalid { origin, .. } = &errors.0[0] else { panic!("{errors}") };
    assert_eq!(*origin, Origin::Variable("TICKCAST_SERVER__WORKERS".into()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_number_is_taken_when_it_is_in_range_and_only_then(number in prop_oneof![-5_i64..3_000_000, any::<i64>()]) {
        for (key, range) in [
            ("limits.frame_bytes", &limits::FRAME_BYTES_RANGE),
            ("limits.connections", &limits::CONNECTIONS_RANGE),
            ("session.stream_bytes", &limits::STREAM_BYTES_RANGE),
        ] {
            let inside = usize::try_from(number).is_ok_and(|number| range.contains(&number));
            let loaded = with_variable(&variable(key), &number.to_string());
            prop_assert_eq!(loaded.is_ok(), inside, "{} = {}", key, number);
        }
    }

    #[test]
    fn no_text_can_do_more_than_be_refused(text in "(\\PC|\n|\\[|\\]|=|\"|\\.|feed|server|bind){0,60}") {
        if let Err(errors) = load_file(&text) {
            prop_assert!(!errors.0.is_empty());
            prop_assert!(errors.to_string().starts_with("tickcast.toml:"), "{}", errors);
        }
    }
}

/// Runs the program in an empty directory of its own with these files.
fn tickcast(files: &[(&str, &str)], arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickcast"));
    command.args(arguments).current_dir(directory.path()).env_clear().output().unwrap()
}

#[test]
fn exit_codes_tell_mistakes_from_success() {
    let bad = [
        ("tickcast.toml", "[server]\nworkers = 0\n"),
        ("f.toml", "[[feed]]\nname = \"a\"\nkind = \"dice\"\n"),
    ];
    for (files, arguments, code, out, err) in [
        (&[][..], &["check"][..], 0, "configuration: ok\n", ""),
        (&[], &["--version"], 0, "tickcast ", ""),
        (&bad, &["check"], 64, "", "tickcast.toml:2: server.workers: found 0"),
        (
            &bad,
            &["check", "f.toml"],
            64,
            "",
            "f.toml:3: feed[0].kind: found \"dice\", expected \"simulator\"",
        ),
        (&bad, &[], 64, "", "tickcast.toml:2: server.workers"),
        (&[], &["check", "gone.toml"], 64, "", "gone.toml: cannot be read: "),
        (&[], &["--wrong"], 64, "", "error: unexpected argument '--wrong'"),
        (&[], &["--workers", "many"], 64, "", "--workers: server.workers: found \"many\""),
    ] {
        let output = tickcast(files, arguments);
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{stdout}\n{stderr}");
        assert!(stdout.starts_with(out) && stderr.starts_with(err), "{arguments:?}\n{stdout}\n{stderr}");
    }
}
