//! `tickcast healthcheck` asks where `serve` with the same layers listens.

use std::{fs, process::Stdio};

use tempfile::TempDir;

use super::{Program, tickcast};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_check_reads_the_file_the_environment_and_the_flags() {
    let folder = TempDir::new().unwrap();
    let mut serve = tickcast(folder.path(), &["--bind", "127.0.0.2:0", "--feed", "demo"]);
    let program = Program::serving(serve.stderr(Stdio::null()));
    let address = program.address.as_str();
    // Each layer alone leads to that gateway; below it stands something that does not.
    fs::write(folder.path().join("right.toml"), format!("[server]\nbind = \"{address}\"\n")).unwrap();
    fs::write(folder.path().join("wrong.toml"), "[server]\nbind = \"127.0.0.3:1\"\n").unwrap();
    let check = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = tickcast(folder.path(), &[&["healthcheck"], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let bind = "TICKCAST_SERVER__BIND";
    for (arguments, variables) in [
        (&["--config", "right.toml"][..], &[][..]),
        (&[], &[("TICKCAST_CONFIG", "right.toml")]),
        (&[], &[(bind, address)]),
        (&["--config", "wrong.toml"], &[(bind, address)]),
        (&["--bind", address], &[("TICKCAST_CONFIG", "wrong.toml"), (bind, "127.0.0.3:2")]),
        // What the image has, and what platforms put beside it, is no matter of the check.
        (&[], &[(bind, address), ("TICKCAST_AUTH__MODE", "none"), ("TICKCAST_PORT", "tcp://10.0.0.1:80")]),
        (&["--bind", address, "--feed", "gone.toml", "--workers", "many"], &[]),
        (&[&format!("http://{address}/healthz")], &[(bind, "nonsense")]),
    ] {
        let (code, said) = check(arguments, variables);
        assert_eq!((code, said.as_str()), (Some(0), "HTTP/1.1 200 OK\n"), "{arguments:?} {variables:?}");
    }
    let (code, said) = check(&["--config", "wrong.toml"], &[]);
    assert!(code == Some(1) && said.contains("nothing answers at 127.0.0.3:1"), "{said}");
    for (arguments, variables, words) in [
        (&[][..], &[(bind, "nonsense")][..], "TICKCAST_SERVER__BIND: server.bind: found \"nonsense\""),
        (&["--config", "gone.toml"], &[], "gone.toml: cannot be read"),
    ] {
        let (code, said) = check(arguments, variables);
        assert!(code == Some(64) && said.contains(words), "{arguments:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_listens_everywhere_is_asked_on_loopback() {
    for bind in ["0.0.0.0:0", "[::]:0"] {
        if std::net::TcpListener::bind(bind).is_err() {
            eprintln!("SKIPPED: this machine has no {bind}");
            continue;
        }
        let folder = TempDir::new().unwrap();
        let arguments = ["--bind", bind, "--feed", "demo"];
        let mut serve = tickcast(folder.path(), &arguments);
        let program = Program::serving(serve.env("TICKCAST_AUTH__MODE", "none").stderr(Stdio::null()));
        let port = program.address.rsplit(':').next().unwrap();
        let everywhere = bind.replace(":0", "").to_owned() + ":" + port;
        let output = tickcast(folder.path(), &["healthcheck", "--bind", &everywhere]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{everywhere}: {output:?}");
    }
}
