//! What is around a gateway: a platform that injects variables, and a health check that reads the same layers.

use super::*;

#[test]
fn what_a_container_platform_injects_is_not_ours() {
    let injected = [
        ("TICKCAST_SERVICE_HOST", "10.0.0.1"),
        ("TICKCAST_PORT", "tcp://10.0.0.1:8080"),
        ("TICKCAST_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("TICKCAST_METRICS_PORT", "tcp://10.0.0.2:9090"),
        ("TICKCAST_METRICS_SERVICE_PORT_SCRAPE", "9090"),
        ("TICKCAST_NAME", "/web/tickcast"),
        ("TICKCAST_ENV_RUST_LOG", "debug"),
        ("PATH", "/bin"),
    ];
    load(tempfile::tempdir().unwrap().path(), &injected, &Flags::default()).unwrap();
    // The same names with values that no platform gives are somebody's mistake.
    for (name, value) in
        [("TICKCAST_PORT", "8080"), ("TICKCAST_METRICS_PORT", "9090"), ("TICKCAST_ENV_A", "b")]
    {
        let errors = refused(with_variable(name, value));
        assert!(errors[0].starts_with(&format!("{name}: unknown variable: ")), "{errors:?}");
    }
}

#[test]
fn a_health_check_finds_where_a_gateway_with_the_same_layers_listens() {
    let directory = tempfile::tempdir().unwrap();
    let file = "[server]\nbind = \"127.0.0.1:1\"\n[[feed]]\nname = \"a\"\nkind = \"push\"\n";
    fs::write(directory.path().join("other.toml"), file).unwrap();
    let variable = ("TICKCAST_SERVER__BIND", "[::1]:2");
    let flag = || Flags { bind: Some("127.0.0.3:3".into()), ..Flags::default() };
    let with_file = |flags: Flags| Flags { config: Some("other.toml".into()), ..flags };
    for (environment, flags) in [
        (&[][..], Flags::default()),
        (&[("TICKCAST_CONFIG", "other.toml")], Flags::default()),
        (&[], with_file(Flags::default())),
        (&[variable], Flags::default()),
        (&[variable], with_file(Flags::default())),
        (&[variable], with_file(flag())),
        (&[("TICKCAST_CONFIG", "other.toml"), variable], flag()),
    ] {
        let whole = load(directory.path(), environment, &flags).unwrap().server.bind;
        let alone = Config::load_bind(&flags, variables(environment), directory.path()).unwrap();
        assert_eq!(alone, whole, "{environment:?} {flags:?}");
    }
}
