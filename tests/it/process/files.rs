//! Files that commands write: whole after a signal, readable after a kill, and never in place of another one.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;
use tickcast::{
    cli::venue::{MockVenue, Rules, Script},
    dialect::Venue,
    feed::replay::Frames,
};
use tokio::time::timeout;

use super::{Program, signal, tickcast, until};
use crate::{
    upstream::{mock, tape},
    util::PATIENCE,
};

/// A venue with a tape that is held, and a definition of a feed of it.
async fn venue(folder: &Path) -> MockVenue {
    let mock = mock(Script {
        venue: Venue::Binance,
        frames: tape::session(Venue::Binance, &["BTC-USD"], 50),
        faults: Vec::new(),
        speed: None,
        lose: 0,
        held: true,
        list_faults: Vec::new(),
        rules: Rules::default(),
    })
    .await;
    let definition = format!(
        "[[feed]]\nname = \"live\"\nkind = \"binance\"\nurl = \"ws://{}/\"\nsymbols = [\"BTC-USD\"]\n",
        mock.address()
    );
    fs::write(folder.join("live.toml"), definition).unwrap();
    mock
}

fn record(folder: &Path, out: &str, more: &[&str]) -> Command {
    let arguments = [&["record", "--feed", "live.toml", "--out", out], more].concat();
    let mut command = tickcast(folder, &arguments);
    command.stdout(Stdio::null()).stderr(fs::File::create(folder.join("log")).unwrap());
    command
}

/// What can be read of a file, and whether it is whole.
fn unpacked(path: &Path, bytes: &[u8]) -> (String, bool) {
    let mut plain = Vec::new();
    let read = match path.extension().unwrap().to_str().unwrap() {
        "gz" => flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain),
        "zst" => zstd::Decoder::new(bytes).unwrap().read_to_end(&mut plain),
        _ => (&mut &*bytes).read_to_end(&mut plain),
    };
    (String::from_utf8(plain).unwrap(), read.is_ok())
}

/// The number of whole lines that can be read.
fn lines(path: &Path) -> usize {
    unpacked(path, &fs::read(path).unwrap()).0.matches('\n').count()
}

/// Waits until all frames of the tape are in the file.
async fn flushed(path: &Path) {
    // Two a step, and what the venue says to the subscription.
    until(path, |bytes| (unpacked(path, bytes).0.matches('\n').count() >= 100).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_a_signal_ends_is_whole_and_one_that_is_killed_is_there() {
    let names = ["a.ns.zst", "b.ns.gz", "c.ns", "d.ns.zst"];
    for (name, signal) in names.into_iter().zip(["-TERM", "-HUP", "-INT", "-KILL"]) {
        let folder = TempDir::new().unwrap();
        let mock = venue(folder.path()).await;
        let program = Program::running(&mut record(folder.path(), name, &[]));
        mock.release(true);
        let path = folder.path().join(name);
        // Before any signal: what came is in the file after a moment.
        flushed(&path).await;
        program.signal(signal);
        let status = program.ended().await;
        assert_eq!(status.code(), if signal == "-KILL" { None } else { Some(0) }, "{name}");
        let (_, whole) = unpacked(&path, &fs::read(&path).unwrap());
        assert_eq!(whole, signal != "-KILL", "{name}: ended");
        // A reader of ours gets every frame of either.
        let mut frames = Frames::open(&path).unwrap();
        let count = std::iter::from_fn(|| frames.advance().unwrap()).count();
        assert_eq!(count, lines(&path), "{name}");
        assert_eq!(frames.broke_off(), !whole, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_process_1_too_a_signal_ends_a_recording() {
    let able = Command::new("unshare").args(["--pid", "--fork", "true"]).stderr(Stdio::null()).status();
    if !able.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there can be no process 1 here");
        return;
    }
    for name in ["-TERM", "-HUP", "-INT"] {
        let folder = TempDir::new().unwrap();
        let mock = venue(folder.path()).await;
        let mut command = Command::new("/usr/bin/env");
        command.args(["--default-signal=HUP", "unshare"]);
        command.args(["--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_tickcast"), "record"]);
        command.args(["--feed", "live.toml", "--out", "x.ns.zst"]).current_dir(folder.path());
        let program = Program::running(command.stdout(Stdio::null()).stderr(Stdio::null()));
        mock.release(true);
        let path = folder.path().join("x.ns.zst");
        flushed(&path).await;
        let children = format!("/proc/{0}/task/{0}/children", program.id());
        let first = fs::read_to_string(children).unwrap();
        signal(first.trim().parse().unwrap(), name);
        assert_eq!(program.ended().await.code(), Some(0), "{name}");
        assert!(unpacked(&path, &fs::read(&path).unwrap()).1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_name_does_not_empty_yesterdays_recording() {
    let folder = TempDir::new().unwrap();
    let _stand = venue(folder.path()).await;
    let simulate: &[&str] = &["simulate", "--seconds", "1", "--format", "native", "--out", "x.zst"];
    let path = folder.path().join("x.zst");
    fs::write(&path, "yesterday's").unwrap();
    let mut commands = [record(folder.path(), "x.zst", &[]), tickcast(folder.path(), simulate)];
    for command in &mut commands {
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("x.zst: it exists already") && said.contains("--force"), "{said}");
        assert_eq!(fs::read(&path).unwrap(), b"yesterday's");
    }
    let output = tickcast(folder.path(), &[simulate, &["--force"]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(lines(&path) > 10);
    let forced = record(folder.path(), "x.zst", &["--seconds", "1", "--force"]).status().unwrap();
    assert_eq!(forced.code(), Some(0));
    assert!(lines(&path) <= 1, "the tape is held: an answer is all that can come");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_what_writes_with_an_error() {
    let folder = TempDir::new().unwrap();
    let mock = venue(folder.path()).await;
    mock.release(true);
    let simulate: &[&str] = &["simulate", "--seconds", "1", "--format", "native", "--out", "/dev/full"];
    let mut commands = [record(folder.path(), "/dev/full", &[]), tickcast(folder.path(), simulate)];
    for command in &mut commands {
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("/dev/full") && said.contains("No space left"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulation_that_a_signal_ends_is_a_whole_file_and_says_so() {
    for (name, with) in [("-TERM", "x.ndjson.gz"), ("-INT", "x.ndjson.zst"), ("-HUP", "x.ndjson")] {
        let folder = TempDir::new().unwrap();
        let arguments = ["simulate", "--seconds", "86400", "--format", "native", "--out", with];
        let mut command = tickcast(folder.path(), &arguments);
        let program = Program::running(command.stdout(Stdio::null()).stderr(Stdio::null()));
        let path: PathBuf = folder.path().join(with);
        until(&path, |bytes| (!bytes.is_empty()).then_some(())).await;
        program.signal(name);
        assert_eq!(program.ended().await.code(), Some(130), "{name}");
        let (text, whole) = unpacked(&path, &fs::read(&path).unwrap());
        assert!(whole && text.ends_with("}\n"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_terminal_goes_ends_in_order_unless_it_was_to_stay() {
    let folder = TempDir::new().unwrap();
    let arguments = ["--bind", "127.0.0.1:0", "--feed", "demo"];
    let mut command = tickcast(folder.path(), &arguments);
    let program = Program::serving(command.env("TICKCAST_SERVER__GRACE_MS", "0").stderr(Stdio::null()));
    let mut client = program.connect().await;
    program.signal("-HUP");
    // Events keep coming, so that the end of the connection alone is no deadline.
    let goodbye = timeout(PATIENCE, client.ended()).await;
    assert_eq!(
        goodbye,
        Ok(Some(4201)),
        "the gateway went on after SIGHUP, as if it had been ignored at its start"
    );
    drop(client);
    assert_eq!(program.ended().await.code(), Some(0));
    let mut nohup = Command::new("bash");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tickcast")]).args(arguments);
    let program = Program::serving(nohup.current_dir(folder.path()).env_clear().stderr(Stdio::null()));
    program.signal("-HUP");
    for _ in 0..20 {
        assert_eq!(program.get("/readyz").await.0, 200, "as nohup wants it");
    }
    program.signal("-TERM");
    assert_eq!(program.ended().await.code(), Some(0));
}
