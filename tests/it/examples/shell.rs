//! Shell lines of the documents, carried out against a gateway of the test's own.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use clap::Parser as _;
use serde_json::Value;

use super::blocks::{self, Example};
use crate::{
    program::Program,
    util::{Client, TestGateway, trade},
};

/// What is not carried out: how the command starts, and why. The rest of its line is checked as far as it goes.
const NOT_RUN: &[(&str, &str)] = &[
    ("make test", "this test is a part of it"),
    ("cargo run --release -- --feed feeds/kraken.toml", "a live venue; its definition is checked instead"),
    ("tickcast doctor --feed feeds/binance.toml", "a live venue; its definition is checked instead"),
    ("tickcast bench", "a measurement of ten seconds with 1,000 clients; its command line is read"),
];

/// A command, and the lines below it that are its input or its output.
struct Step {
    example: Example,
    /// Without comment and prompt.
    command: String,
    below: Vec<String>,
}

fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for example in super::named("sh") {
        let has_prompts = example.text.lines().any(|line| line.starts_with("$ "));
        for line in example.text.lines() {
            let command = if has_prompts { line.strip_prefix("$ ") } else { Some(line) };
            match command {
                Some(command) => {
                    let command = command.split(" # ").next().unwrap_or_default().trim();
                    let command = command.trim_end_matches('&').trim().to_owned();
                    steps.push(Step { example: example.clone(), command, below: Vec::new() });
                }
                None => steps.last_mut().expect("a prompt comes first").below.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Words as a shell makes them of quotes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (c, quote) {
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "a quote is not closed: {command}");
    words.extend(word);
    words
}

/// The arguments of the program, if the command runs it.
fn arguments(command: &str) -> Option<Vec<String>> {
    let words = words(command);
    let rest = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["cargo", "run", "--release"] | ["tickcast"] => 0,
        ["cargo", "run", "--release", "--", ..] => words.len() - 4,
        ["tickcast", ..] => words.len() - 1,
        _ => return None,
    };
    Some(words[words.len() - rest..].to_vec())
}

fn program(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickcast"));
    command.args(arguments).current_dir(folder).env_clear().stderr(Stdio::null());
    command
}

/// A child that is killed by its id.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Runs the program until it has said one line.
fn first_line(mut command: Command) -> String {
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}

/// Carries out a command of the program itself.
fn run_program(step: &Step, gateway: &Program) {
    let Step { example, command, .. } = step;
    let arguments = arguments(command).unwrap();
    let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let folder = super::folder();
    match arguments.first() {
        Some(&("check" | "simulate")) => {
            let done = program(&arguments, folder.path()).stdout(Stdio::null()).status().unwrap();
            assert!(done.success(), "{example}: {command}: {done}");
            if let Some(at) = arguments.iter().position(|argument| *argument == "--out") {
                let size = folder.path().join(arguments[at + 1]).metadata().unwrap().len();
                assert!(size > 1_000, "{example}: {command} wrote {size} bytes");
            }
        }
        Some(&"watch") => {
            let url = format!("ws://{}/v1/ws", gateway.address);
            arguments.extend(["--url", &url]);
            let line = first_line(program(&arguments, folder.path()));
            let message: Value =
                serde_json::from_str(&line).unwrap_or_else(|why| panic!("{command}: {why}: {line}"));
            assert!(message["T"].is_string(), "{example}: {line}");
        }
        Some(&"venue") => {
            let port = arguments.iter().position(|argument| *argument == "--port").unwrap() + 1;
            arguments[port] = "0";
            let line = first_line(program(&arguments, folder.path()));
            assert!(line.contains("127.0.0.1:"), "{example}: {line}");
        }
        None => drop(Program::start_in(folder.path(), &[], &[])),
        Some(flag) if flag.starts_with("--") => drop(Program::start_in(folder.path(), &arguments, &[])),
        Some(other) => panic!("{example}: no rule of this test runs {other:?}: {command}"),
    }
}

/// What can be said about a command without running it.
fn check_only(step: &Step) {
    let Step { example, command, .. } = step;
    if let Some(target) = command.strip_prefix("make ") {
        let makefile = std::fs::read_to_string(super::root().join("Makefile")).unwrap();
        assert!(makefile.contains(&format!("\n{target}: ")), "{example}: no {target:?} in the Makefile");
        return;
    }
    let arguments = arguments(command).unwrap_or_else(|| panic!("{example}: {command}"));
    let arguments: Vec<_> = arguments.iter().map(|word| word.replace("$!", "1")).collect();
    let line = std::iter::once("tickcast").chain(arguments.iter().map(String::as_str));
    let parsed = tickcast::cli::Cli::try_parse_from(line);
    assert!(parsed.is_ok(), "{example}: {command}: {}", parsed.unwrap_err());
    if let Some(at) = arguments.iter().position(|argument| argument == "--feed") {
        let definition = arguments[at + 1].as_str();
        let folder = super::folder();
        let done = program(&["check", definition], folder.path()).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "{example}: {definition} is not right");
    }
}

async fn websocat(step: &Step, address: &str) {
    let Step { example, command, below } = step;
    let words = words(command);
    let url = words[1].replace("127.0.0.1:8080", address);
    let mut client = Client::connect(&url, None).await.unwrap();
    client.expect("welcome").await;
    for line in below {
        client.send(serde_json::from_str(line).unwrap()).await;
        let subscribed = client.expect("subscribed").await;
        assert_eq!(subscribed["err"], serde_json::json!([]), "{example}: {line}");
        client.expect("q").await;
    }
}

/// Runs `curl` itself. What it prints is what the document shows.
fn curl(step: &Step, address: &str) {
    let Step { example, command, below } = step;
    let words: Vec<_> = words(command).iter().map(|word| word.replace("127.0.0.1:8080", address)).collect();
    let done =
        Command::new("curl").args(["--silent", "--show-error", "--noproxy", "*"]).args(&words[1..]).output();
    let done = done.expect("curl is there: scripts/deps brings it");
    assert!(done.status.success(), "{example}: {done:?}");
    let value = |text: &str| {
        serde_json::from_str::<Value>(text).unwrap_or_else(|why| panic!("{example}: {why}: {text}"))
    };
    let printed = value(&String::from_utf8_lossy(&done.stdout));
    assert_eq!(printed, value(&below.join("\n")), "{example}: {command}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shell_lines_of_the_documents_run_as_they_stand() {
    let demo = Program::start(&["--feed", "demo"], &[]);
    let desk = TestGateway::with_push(tickcast::server::Driver::Socket, &[("desk", false)]);
    let mut passed_over: Vec<_> = NOT_RUN.iter().map(|(start, _)| *start).collect();
    for step in steps() {
        if let Some((start, _)) = NOT_RUN.iter().find(|(start, _)| step.command.starts_with(start)) {
            check_only(&step);
            passed_over.retain(|other| other != start);
        } else if arguments(&step.command).is_some() {
            run_program(&step, &demo);
        } else if step.command.starts_with("websocat ") {
            websocat(&step, &demo.address).await;
        } else if step.command.starts_with("curl ") {
            curl(&step, &desk.address.to_string());
        } else {
            panic!("{}: no rule of this test runs {:?}", step.example, step.command);
        }
    }
    assert!(passed_over.is_empty(), "no document has these any more: {passed_over:?}");
}

/// `GET /v1/…` within lines: what a request may look like.
#[test]
fn requests_of_the_documents_are_answered() {
    let gateway =
        TestGateway::with_push(tickcast::server::Driver::Socket, &[("NAME", false), ("desk", false)]);
    gateway.publish([trade("BTC-USD", 1, "67210.10")]);
    let mut count = 0;
    for example in blocks::inline() {
        let Some((method, path)) =
            example.text.split_once(' ').filter(|(method, _)| matches!(*method, "GET" | "POST"))
        else {
            continue;
        };
        // Requests of others, such as a venue's.
        let is_ours = path == "/"
            || ["/v1/", "/healthz", "/readyz", "/feedz", "/metrics"]
                .iter()
                .any(|start| path.starts_with(start));
        if !is_ours {
            continue;
        }
        let path = path
            .replace("{symbol}", "BTC-USD")
            .replace("POSITION", "")
            .replace("before=N", "before=9")
            .replacen("=US", "=1", 1)
            .replace("=US", "=2")
            .replace("wait=25", "wait=0");
        let status = gateway.status(method, &path);
        let expected = if path.starts_with("/v1/ws") { 426 } else { 200 };
        assert_eq!(status, expected, "{example}: {method} {path}");
        count += 1;
    }
    assert!(count > 10, "the requests are not found any more");
}
