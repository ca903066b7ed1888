//! What outlives the real program: a clean stop, a kill, a full disk, and two programs over one file.

use std::{
    fs,
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::util::{Client, PATIENCE};

const CONFIG: &str = r#"
[server]
bind = "127.0.0.1:0"
grace_ms = 0
drain_ms = 0

[store]
path = "kept.redb"
interval_ms = 100

[[feed]]
name = "desk"
kind = "push"
symbols = ["BTC-USD"]
"#;

/// The program in a folder of its own; stopped by its id when the test ends early.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: String,
    _banner: Lines<BufReader<ChildStdout>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tickcast.toml"), CONFIG).unwrap();
    folder
}

impl Program {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tickcast"));
        Self::of(command.current_dir(folder).env_clear().stderr(Stdio::null()))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut banner = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = loop {
            let line = banner.next().expect("it starts").unwrap();
            if let Some((_, url)) = line.split_once("ws://") {
                break url.trim_end_matches("/v1/ws").to_owned();
            }
        };
        Self { child, address, _banner: banner }
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    async fn ended(mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it ends");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").await;
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) async fn metric_reaches(&self, name: &str, value: f64) {
        let deadline = Instant::now() + PATIENCE;
        while self.metric(name).await < value {
            assert!(Instant::now() < deadline, "{name} reaches {value}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Publishes trades of a recorded minute: one each second from there on, and a quote behind them.
    async fn publish(&self, seconds: std::ops::Range<i64>) {
        let mut lines = Vec::new();
        for second in seconds {
            let te = 1_760_000_000_000_000 + second * 1_000_000;
            lines.push(json!({"S": "BTC-USD", "p": format!("{}.50", 100 + second), "s": "0.10", "te": te}));
        }
        lines.push(json!({"S": "BTC-USD", "bp": "99.10", "ap": "99.20"}));
        let body: Vec<String> = lines.iter().map(Value::to_string).collect();
        let client = reqwest::Client::new();
        let url = format!("http://{}/v1/publish?feed=desk", self.address);
        let answer = client.post(url).body(body.join("\n")).send().await.unwrap();
        let text = answer.text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(answer["accepted"], lines.len(), "{text}");
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::connect(&format!("ws://{}/v1/ws", self.address), None).await.unwrap()
    }

    async fn epoch(&self) -> String {
        let (_, text) = self.get("/v1/symbols").await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["epoch"].as_str().unwrap().to_owned()
    }

    /// What a client gets that comes back to a channel with a position, until the newest event.
    async fn since(&self, channel: &str, mode: &str, since: Option<(&str, u64)>) -> (Value, Vec<Value>) {
        let mut client = self.connect().await;
        let mut command =
            json!({"op": "subscribe", "channel": channel, "symbols": ["BTC-USD"], "mode": mode});
        if let Some((epoch, n)) = since {
            command["since"] = json!({"epoch": epoch, "n": {"BTC-USD": n}});
        }
        client.send(command).await;
        let ack = client.expect("subscribed").await;
        client.send(json!({"op": "ping"})).await;
        let mut events = Vec::new();
        loop {
            let message = client.next().await.unwrap();
            if message["T"] == "pong" {
                client.close().await;
                return (ack["ok"][0].clone(), events);
            }
            events.push(message);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_sigterm_charts_and_clients_go_on() {
    let folder = folder();
    let program = Program::start(folder.path());
    let epoch = program.epoch().await;
    program.publish(0..90).await;
    let (_, before) = program.since("bars.1s", "merge", Some((&epoch, 0))).await;
    assert!(before.len() >= 89, "{} bars", before.len());
    let (_, ticker) = program.since("ticker", "merge", None).await;
    program.signal("-TERM");
    assert_eq!(program.ended().await.code(), Some(0));

    let program = Program::start(folder.path());
    assert_eq!(program.epoch().await, epoch);
    let (ok, after) = program.since("bars.1s", "merge", Some((&epoch, 0))).await;
    assert_eq!(ok["recovered"], true);
    let finals =
        |bars: &[Value]| -> Vec<Value> { bars.iter().filter(|bar| bar["final"] == true).cloned().collect() };
    let (had, has) = (finals(&before), finals(&after));
    assert_eq!(has[..had.len()], had, "no final bar has changed");
    let (_, restored) = program.since("ticker", "merge", None).await;
    assert_eq!((&restored[0]["last"], &restored[0]["trades"]), (&ticker[0]["last"], &ticker[0]["trades"]));
    // Old values are not passed off as new ones, and keep their times.
    let (_, status) = program.since("status", "stream", None).await;
    assert_eq!(status[0]["state"], "stale", "{status:?}");
    let (ok, trades) = program.since("trades", "stream", Some((&epoch, 80))).await;
    assert_eq!(ok["recovered"], true);
    let seen: Vec<_> = trades.iter().map(|it| (it["n"].as_u64(), it["te"].as_i64())).collect();
    let expected: Vec<_> =
        (81..).zip(80..90).map(|(n, te)| (Some(n), Some(1_760_000_000_000_000 + te * 1_000_000))).collect();
    assert_eq!(seen, expected);
    program.publish(200..201).await;
    let (_, status) = program.since("status", "stream", None).await;
    assert_eq!(status[0]["state"], "live", "{status:?}");
    let (_, trades) = program.since("trades", "stream", Some((&epoch, 90))).await;
    assert_eq!(trades.iter().map(|it| it["n"].as_u64().unwrap()).collect::<Vec<_>>(), [91]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_the_charts_are_there_and_clients_are_told_a_gap() {
    let folder = folder();
    let program = Program::start(folder.path());
    let epoch = program.epoch().await;
    program.metric_reaches("tickcast_store_saves_total", 1.0).await;
    let saves = program.metric("tickcast_store_saves_total").await;
    program.publish(0..90).await;
    program.metric_reaches("tickcast_store_saves_total", saves + 1.0).await;
    // That save may have begun half way through: the one that has this quote has all trades.
    program.publish(0..0).await;
    program.metric_reaches("tickcast_store_saves_total", saves + 2.0).await;
    program.signal("-KILL");
    assert!(program.ended().await.code().is_none());

    let program = Program::start(folder.path());
    let now = program.epoch().await;
    assert_ne!(now, epoch);
    let (ok, bars) = program.since("bars.1s", "merge", Some((&now, 0))).await;
    assert_eq!(ok["recovered"], true);
    assert!(bars.len() >= 89, "{} bars", bars.len());
    let (ok, told) = program.since("trades", "stream", Some((&epoch, 80))).await;
    assert_eq!(ok["recovered"], false);
    let shown: Vec<_> = told.iter().map(|it| (&it["T"], &it["from"], &it["to"], &it["n"])).collect();
    let (nothing, gap, trade) = (Value::Null, json!("gap"), json!("t"));
    let expected = [
        (&gap, &json!(1), &json!(90), &nothing),
        (&trade, &nothing, &nothing, &json!(90)),
        (&gap, &json!(91), &json!(91), &nothing),
    ];
    assert_eq!(shown, expected, "90 trades, the newest of them, and the loss behind it: {told:?}");
    assert_eq!((&told[0]["why"], &told[2]["why"]), (&json!("not_recoverable"), &json!("upstream_reconnect")));
    assert_eq!(told[1]["p"], "189.50");
    numbers_never_fall(&program, &epoch).await;
}

/// Behind a crash, in every answer that tells numbers: they never fall, and each ends with a value or a loss behind it.
async fn numbers_never_fall(program: &Program, gone: &str) {
    let check = |messages: &[Value], mut stands: u64, what: &str| {
        let mut value = 0;
        for message in messages.iter().filter(|it| it["S"] == "BTC-USD") {
            let n = if message["T"] == "gap" { &message["to"] } else { &message["n"] };
            assert!(n.as_u64().unwrap() >= stands, "{what}: {message} at {stands} in {messages:?}");
            stands = n.as_u64().unwrap();
            value = if message["T"] == "gap" { value } else { stands };
        }
        assert!(value > 0, "{what}: no value in {messages:?}");
    };
    for channel in ["trades", "quotes", "ticker", "bars.1s", "bars.1d"] {
        for mode in ["stream", "merge"] {
            for since in [None, Some((gone, 1)), Some((gone, 88)), Some((gone, 100_000))] {
                let (ok, told) = program.since(channel, mode, since).await;
                check(&told, ok["n"].as_u64().unwrap(), &format!("{channel} {mode} {since:?}"));
            }
        }
        let query = format!("symbols=*&channels={channel}&mode=stream");
        let (_, text) = program.get(&format!("/v1/poll?{query}&wait=0")).await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        check(answer["messages"].as_array().unwrap(), 0, &format!("poll of {channel}"));
        let mut stream = reqwest::get(format!("http://{}/v1/sse?{query}", program.address)).await.unwrap();
        let mut text = String::new();
        while !text.contains("\"n\":") || !text.ends_with("\n\n") {
            text.push_str(std::str::from_utf8(&stream.chunk().await.unwrap().unwrap()).unwrap());
        }
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        check(&serde_json::from_str::<Vec<Value>>(data).unwrap(), 0, &format!("event stream of {channel}"));
    }
    let (_, text) = program.get("/v1/trades/BTC-USD?limit=100").await;
    let page: Value = serde_json::from_str(&text).unwrap();
    check(page["trades"].as_array().unwrap(), 0, "a page of trades");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_stream_goes_on_over_a_restart() {
    let folder = folder();
    let position_of = |text: &str| {
        let answer: Value = serde_json::from_str(text).unwrap();
        (answer["position"].as_str().unwrap().to_owned(), answer["messages"].as_array().unwrap().clone())
    };
    let program = Program::start(folder.path());
    program.publish(0..5).await;
    let (_, text) = program.get("/v1/poll?symbols=*&channels=trades&wait=0").await;
    let (position, _) = position_of(&text);
    program.publish(5..8).await;
    program.signal("-TERM");
    program.ended().await;
    let program = Program::start(folder.path());
    program.publish(8..9).await;
    let (_, text) = program.get(&format!("/v1/poll?symbols=*&channels=trades&wait=0&after={position}")).await;
    let (position, messages) = position_of(&text);
    let numbers: Vec<_> = messages.iter().map(|it| it["n"].as_u64()).collect();
    assert_eq!(numbers, [6, 7, 8, 9].map(Some), "{messages:?}");
    program.signal("-KILL");
    program.ended().await;
    let program = Program::start(folder.path());
    let (_, text) = program.get(&format!("/v1/poll?symbols=*&channels=trades&wait=0&after={position}")).await;
    let (_, messages) = position_of(&text);
    assert_eq!((&messages[0]["T"], &messages[0]["why"]), (&json!("resync"), &json!("other_epoch")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_gateway_on_the_file_does_not_start() {
    let folder = folder();
    let program = Program::start(folder.path());
    let second =
        Command::new(env!("CARGO_BIN_EXE_tickcast")).current_dir(folder.path()).env_clear().output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("kept.redb is in use by another gateway"), "{said}");
    assert!(second.stdout.is_empty(), "it never took a connection");
    program.publish(0..3).await;
    assert_eq!(program.get("/readyz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_is_counted_and_told_and_stops_nothing() {
    let folder = folder();
    let log = folder.path().join("log");
    // No file of this process may grow over 2 MiB: the file system says no, as a full one does.
    let program = Program::of(
        Command::new("bash")
            .args(["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\"", env!("CARGO_BIN_EXE_tickcast")])
            .current_dir(folder.path())
            .env_clear()
            .env("TICKCAST_HISTORY__TRADES_PER_SYMBOL", "100000")
            .stderr(fs::File::create(&log).unwrap()),
    );
    let mut second = 0;
    while program.metric("tickcast_store_failures_total").await < 2.0 {
        program.publish(second..second + 2_000).await;
        second += 2_000;
        assert!(second < 2_000_000, "the file grows");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(program.get(path).await.0, 200, "{path}: it serves on");
    }
    let (_, quotes) = program.since("quotes", "merge", None).await;
    assert_eq!(quotes[0]["bp"], "99.10");
    program.signal("-TERM");
    assert_eq!(program.ended().await.code(), Some(0));
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("not saved, trying again") && said.contains("kept.redb"), "{said}");
    // The last good save is there.
    let program = Program::start(folder.path());
    let (_, trades) = program.since("trades", "stream", None).await;
    let kinds: Vec<_> = trades.iter().map(|it| &it["T"]).collect();
    assert_eq!(kinds, [&json!("t"), &json!("gap")], "the newest that was saved, and what was lost behind it");
}
