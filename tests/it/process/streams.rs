//! A stderr or stdout that is closed, gone, or never read stops no work.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tickcast::{
    cli::venue::{MockVenue, Planned, Rules, Script},
    dialect::Venue,
};

use super::{Program, tickcast};
use crate::upstream::{mock, tape};

/// What becomes of a stream of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    /// It was never opened.
    Closed,
    /// A full pipe without a reader.
    Full,
    /// A pipe whose reader is gone.
    Dead,
}

impl Stream {
    const ALL: [Self; 3] = [Self::Closed, Self::Full, Self::Dead];

    /// The stream, and what must live as long as it.
    fn open(self) -> (Stdio, Option<std::io::PipeReader>) {
        let (reader, mut writer) = std::io::pipe().unwrap();
        match self {
            Self::Closed => (Stdio::null(), None),
            Self::Full => {
                writer.write_all(&[b'.'; 65_536]).unwrap();
                (writer.into(), Some(reader))
            }
            Self::Dead => (writer.into(), None),
        }
    }
}

/// The program through a shell that closes that stream.
fn closing(descriptor: u8, folder: &Path, arguments: &[&str]) -> Command {
    let mut shell = Command::new("bash");
    shell.args(["-c", &format!("exec \"$0\" \"$@\" {descriptor}>&-"), env!("CARGO_BIN_EXE_tickcast")]);
    shell.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    shell
}

fn command(stream: Stream, descriptor: u8, folder: &Path, arguments: &[&str]) -> Command {
    if stream == Stream::Closed {
        closing(descriptor, folder, arguments)
    } else {
        tickcast(folder, arguments)
    }
}

/// A venue that restarts in the middle of its tape.
async fn venue(steps: u64) -> MockVenue {
    mock(Script {
        venue: Venue::Binance,
        frames: tape::session(Venue::Binance, &["BTC-USD"], steps),
        faults: vec![Planned::parse("close-1012@60").unwrap()],
        speed: None,
        lose: 0,
        held: true,
        list_faults: Vec::new(),
        rules: Rules::default(),
    })
    .await
}

fn folder(mock: &MockVenue) -> TempDir {
    let folder = TempDir::new().unwrap();
    let config = format!(
        "[server]\nbind = \"127.0.0.1:0\"\ngrace_ms = 0\ndrain_ms = 0\n[store]\npath = \"kept.redb\"\n\
         [log]\nlevel = \"trace\"\n\
         [[feed]]\nname = \"live\"\nkind = \"binance\"\nurl = \"ws://{}/\"\nsymbols = [\"BTC-USD\"]\n\
         demand = \"always\"\nretry_ms = 20\nretry_max_ms = 40\n",
        mock.address()
    );
    fs::write(folder.path().join("tickcast.toml"), config).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stderr_that_is_closed_full_or_dead_stops_no_feed_no_answer_and_no_last_save() {
    for stream in Stream::ALL {
        let mock = venue(100).await;
        let folder = folder(&mock);
        let (stderr, _held) = stream.open();
        let program = Program::serving(command(stream, 2, folder.path(), &[]).stderr(stderr));
        mock.release(true);
        // The feed comes back after the break, and everything arrives.
        program.metric_reaches("tickcast_feed_ticks_total{channel=\"trades\",feed=\"live\"}", 100).await;
        program.metric_reaches("tickcast_feed_restarts_total{feed=\"live\",reason=\"closed\"}", 1).await;
        assert_eq!(program.get("/readyz").await.0, 200, "{stream:?}");
        if stream != Stream::Closed {
            program.metric_reaches("tickcast_log_lines_dropped_total", 1).await;
        }
        assert_eq!(program.metric("tickcast_panics_total").await, 0, "{stream:?}");
        let mut client = program.connect().await;
        client.send(json!({"op": "ping"})).await;
        client.expect("pong").await;
        let epoch = program.epoch().await;
        program.signal("-TERM");
        client.expect("bye").await;
        drop(client);
        assert_eq!(program.ended().await.code(), Some(0), "{stream:?}");
        let again = Program::serving(tickcast(folder.path(), &[]).stderr(Stdio::null()));
        assert_eq!(again.epoch().await, epoch, "{stream:?}: the last save was there");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stdout_that_is_closed_full_or_dead_keeps_no_gateway_from_serving() {
    for stream in Stream::ALL {
        let folder = TempDir::new().unwrap();
        let log = folder.path().join("log");
        let (stdout, _held) = stream.open();
        let arguments = ["--bind", "127.0.0.1:0", "--feed", "demo", "--log-level", "debug"];
        let mut command = command(stream, 1, folder.path(), &arguments);
        let command = command.env("TICKCAST_SERVER__GRACE_MS", "0").env("TICKCAST_SERVER__DRAIN_MS", "0");
        let program = Program::running(command.stdout(stdout).stderr(fs::File::create(&log).unwrap()));
        super::until(&log, |text| String::from_utf8_lossy(text).contains("descriptors").then_some(())).await;
        let address = listening(program.id()).await;
        let answer = reqwest::get(format!("http://{address}/readyz")).await.unwrap();
        assert_eq!(answer.status(), 200, "{stream:?}");
        program.signal("-TERM");
        assert_eq!(program.ended().await.code(), Some(0), "{stream:?}");
        let said = fs::read_to_string(&log).unwrap();
        assert!(said.trim_end().ends_with("stopped"), "the last line is there: {said}");
    }
}

/// The address at which a process listens, by the kernel's tables.
async fn listening(id: u32) -> String {
    let port = || {
        let sockets: Vec<_> = fs::read_dir(format!("/proc/{id}/fd")).ok()?.flatten().collect();
        let sockets: Vec<_> = sockets.iter().filter_map(|it| fs::read_link(it.path()).ok()).collect();
        let table = fs::read_to_string(format!("/proc/{id}/net/tcp")).ok()?;
        table.lines().skip(1).find_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let ours = format!("socket:[{}]", fields[9]);
            let listens = fields[3] == "0A" && sockets.iter().any(|it| it.to_str() == Some(&ours));
            listens.then(|| u16::from_str_radix(fields[1].rsplit(':').next().unwrap(), 16).unwrap())
        })
    };
    crate::util::eventually("it listens", || port().is_some()).await;
    format!("127.0.0.1:{}", port().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_print_to_a_reader_who_has_gone_end_as_if_he_had_stayed() {
    let gateway = crate::util::TestGateway::start();
    gateway.declare(&["A"]);
    let url = format!("ws://{}/v1/ws", gateway.address);
    let health = format!("http://{}/readyz", gateway.address);
    let folder = TempDir::new().unwrap();
    for arguments in [
        &["check"][..],
        &["watch", "--json", "--url", &url],
        &["bench", "--url", &url, "--connections", "1", "--seconds", "1", "--warmup", "0"],
        &["bench", "--url", &url, "--connections", "1", "--seconds", "1", "--warmup", "0", "--json"],
        &["healthcheck", &health],
        &["simulate", "--seconds", "1", "--format", "native", "--out", "x", "--force"],
        &["--help"],
        &["--version"],
    ] {
        let (stdout, _) = Stream::Dead.open();
        let (stderr, _) = Stream::Dead.open();
        let program = Program::running(tickcast(folder.path(), arguments).stdout(stdout).stderr(stderr));
        assert_eq!(program.ended().await.code(), Some(0), "{arguments:?}");
    }
    // A disk that is full is another matter.
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let program = Program::running(tickcast(folder.path(), &["check"]).stdout(full()).stderr(full()));
    assert_eq!(program.ended().await.code(), Some(1));
    // An error has its exit code whatever becomes of its words.
    for stream in Stream::ALL {
        let (stderr, _held) = stream.open();
        let program = Program::running(tickcast(folder.path(), &["check", "gone.toml"]).stderr(stderr));
        assert_eq!(program.ended().await.code(), Some(64), "{stream:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_stays_connected_over_another_numbering_and_goes_on() {
    let gateway = crate::util::TestGateway::start();
    gateway.publish([crate::util::trade("A", 1, "1.10")]);
    let folder = TempDir::new().unwrap();
    let url = format!("ws://{}/v1/ws", gateway.address);
    let arguments = ["watch", "A", "--channel", "trades", "--json", "--url", &url];
    let mut child = tickcast(folder.path(), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |wanted: &str| {
        let mut kinds = Vec::new();
        loop {
            let message: Value = serde_json::from_str(&lines.next().expect("more").unwrap()).unwrap();
            kinds.push(message["T"].as_str().unwrap().to_owned());
            if kinds.last().is_some_and(|kind| kind == wanted) {
                return kinds.into_iter().filter(|kind| kind != "hb").collect::<Vec<_>>();
            }
        }
    };
    tokio::task::block_in_place(|| {
        assert_eq!(until("t"), ["welcome", "subscribed", "t"]);
        gateway.gateway.hub.renumber("other".into());
        assert_eq!(until("t"), ["resync", "t"]);
        gateway.publish([crate::util::trade("A", 2, "1.20")]);
        assert_eq!(until("t"), ["t"]);
    });
    child.kill().unwrap();
    child.wait().unwrap();
}
