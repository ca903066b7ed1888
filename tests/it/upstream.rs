//! Feeds of venues against a stand-in on loopback that speaks each venue's protocol and fails on command. The data is
//! made up here; what real sessions look like is shown in `captures/upstream.rs`.

mod blocked;
mod demand;
pub(crate) mod discovery;
mod failover;
mod faults;
mod front;
mod limits;
mod proxies;
mod reach;
mod resumed;
mod rotation;
pub(crate) mod tape;
mod tls;
mod values;
mod venues;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde_json::{Value, json};
use tickcast::{
    cli::venue::{MockVenue, Planned, Recorded, Rules, Script},
    dialect::Venue,
    feed::{
        Publisher, supervise,
        upstream::{Credentials, Definition, Secret, Surroundings, Upstream},
    },
    market::Source,
    server::ServerConfig,
    session::SessionConfig,
};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::util::{Client, TestGateway};

pub(crate) fn build(venue: Venue, keys: &str) -> Upstream {
    let credentials = Credentials { key: Secret::new("PK1".into()), secret: Secret::new("hush".into()) };
    let definition: Definition = toml::from_str(keys).unwrap_or_else(|why| panic!("{keys}: {why}"));
    let surroundings = Surroundings { credentials: Some(credentials), ..Surroundings::default() };
    definition.build(venue, Path::new("/"), &surroundings).unwrap_or_else(|why| panic!("{keys}: {why}"))
}

/// A venue, a feed that is connected to it, and a gateway for its ticks.
pub(crate) struct Setup {
    pub(crate) gateway: TestGateway,
    pub(crate) mock: MockVenue,
    stop: CancellationToken,
    feed: Option<JoinHandle<()>>,
}

pub(crate) async fn mock(script: Script) -> MockVenue {
    MockVenue::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), script).unwrap()
}

impl Setup {
    /// The tape is held until [`Setup::play`]. The symbols are ours; `keys` are the feed's besides url and symbols.
    pub(crate) async fn new(
        venue: Venue,
        symbols: &[&str],
        frames: Vec<Recorded>,
        faults: &[&str],
        keys: &str,
    ) -> Self {
        Self::at_speed(venue, symbols, frames, faults, (None, keys)).await
    }

    /// Likewise, with the venue's names as ours.
    pub(crate) async fn named(venue: Venue, symbols: &[&str], frames: Vec<Recorded>) -> Self {
        let names: BTreeMap<_, _> = symbols.iter().map(|name| (*name, *name)).collect();
        let names: Vec<_> = names.iter().map(|(ours, theirs)| format!("{ours:?} = {theirs:?}")).collect();
        Self::with(venue, (&format!("{{ {} }}", names.join(", ")), symbols), frames, &[], (None, "")).await
    }

    /// Likewise, with the frames at their times.
    pub(crate) async fn at_speed(
        venue: Venue,
        symbols: &[&str],
        frames: Vec<Recorded>,
        faults: &[&str],
        played: (Option<f64>, &str),
    ) -> Self {
        Self::with(venue, (&json!(symbols).to_string(), symbols), frames, faults, played).await
    }

    /// Likewise, with a venue that keeps to these rules.
    pub(crate) async fn with_rules(
        venue: Venue,
        symbols: &[&str],
        known: &[&str],
        rules: Rules,
        keys: &str,
    ) -> Self {
        let frames = tape::session(venue, known, 1);
        let script = Script {
            venue,
            frames,
            faults: Vec::new(),
            speed: None,
            lose: 0,
            held: true,
            list_faults: Vec::new(),
            rules,
        };
        Self::playing(script, (&json!(symbols).to_string(), symbols), keys).await
    }

    async fn with(
        venue: Venue,
        (names, symbols): (&str, &[&str]),
        frames: Vec<Recorded>,
        faults: &[&str],
        (speed, keys): (Option<f64>, &str),
    ) -> Self {
        let faults: Vec<_> = faults.iter().map(|fault| Planned::parse(fault).unwrap()).collect();
        let script = Script {
            venue,
            frames,
            faults,
            speed,
            lose: 3,
            held: true,
            list_faults: Vec::new(),
            rules: Rules::default(),
        };
        Self::playing(script, (names, symbols), keys).await
    }

    /// Likewise, with a venue that is the last of several addresses.
    pub(crate) async fn at_addresses(
        venue: Venue,
        symbols: &[&str],
        frames: Vec<Recorded>,
        others: &[&str],
    ) -> Self {
        let script = Script {
            venue,
            frames,
            faults: Vec::new(),
            speed: None,
            lose: 0,
            held: true,
            list_faults: Vec::new(),
            rules: Rules::default(),
        };
        let names = json!(symbols).to_string();
        Self::played(script, (&names, symbols), others, "demand = \"always\"").await
    }

    async fn playing(script: Script, names: (&str, &[&str]), keys: &str) -> Self {
        Self::played(script, names, &[], keys).await
    }

    async fn played(script: Script, (names, symbols): (&str, &[&str]), others: &[&str], keys: &str) -> Self {
        let venue = script.venue;
        let mock = mock(script).await;
        // A client that is late must not be mistaken for a feed that loses.
        let session = SessionConfig { stream_bytes: 1 << 28, ..SessionConfig::default() };
        let gateway = TestGateway::with(ServerConfig::default(), session);
        let own = format!("ws://{}/", mock.address());
        let urls: Vec<_> = others.iter().copied().chain([own.as_str()]).collect();
        let keys = keys.replace("{address}", &mock.address().to_string());
        let keys =
            format!("url = {}\nsymbols = {names}\nretry_ms = 20\nretry_max_ms = 40\n{keys}", json!(urls));
        let feed = build(venue, &keys);
        let stop = CancellationToken::new();
        let hub = Arc::clone(&gateway.gateway.hub);
        let publisher = Publisher::new(Source::new("feed").unwrap(), hub, stop.clone());
        publisher.declare(symbols.iter().map(|name| name.parse().unwrap())).unwrap();
        let feed = Some(tokio::spawn(supervise(feed, publisher)));
        Self { gateway, mock, stop, feed }
    }

    /// A client that streams trades, quotes and states of these symbols.
    pub(crate) async fn streaming(&self, symbols: &[&str]) -> Client {
        let mut client = self.gateway.connect().await;
        for channel in ["status", "trades", "quotes"] {
            client
                .send(json!({"op": "subscribe", "channel": channel, "symbols": symbols, "mode": "stream"}))
                .await;
            client.expect("subscribed").await;
        }
        client
    }

    /// Lets the tape play once that number of symbols is subscribed at the venue.
    pub(crate) async fn play(&self, symbols: usize) {
        self.subscribed(symbols).await;
        self.mock.release(true);
    }

    pub(crate) async fn subscribed(&self, symbols: usize) {
        crate::util::eventually("the symbols are subscribed", || self.mock.counts().active.len() == symbols)
            .await;
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        if let Some(feed) = self.feed.take() {
            feed.await.unwrap();
        }
    }
}

/// What a client must never see does not happen: no repeated or old tick, and no missing one without a gap before.
#[derive(Default)]
pub(crate) struct Checked {
    /// Number of the newest event of each (symbol, channel).
    numbers: BTreeMap<(String, String), u64>,
    /// The newest trade id of each symbol.
    pub(crate) ids: BTreeMap<String, u64>,
    /// Step of the newest quote of each symbol.
    steps: BTreeMap<String, u64>,
    /// Whether a gap came since the newest tick.
    gap: BTreeMap<(String, String), bool>,
    /// Trades that did not come.
    pub(crate) missing: Vec<(String, u64)>,
    pub(crate) missing_quotes: u64,
    pub(crate) whys: Vec<String>,
    pub(crate) gaps: u64,
    /// States in their order, of the symbols together.
    pub(crate) states: Vec<(String, String)>,
    pub(crate) trades: u64,
    pub(crate) quotes: u64,
}

impl Checked {
    pub(crate) fn see(&mut self, message: &Value) {
        let symbol = message["S"].as_str().unwrap_or_default().to_owned();
        match message["T"].as_str().unwrap() {
            "t" => {
                self.number(message, &symbol, "trades");
                let id: u64 = message["id"].as_str().unwrap().parse().unwrap();
                assert_eq!(message["p"], tape::price(id), "{message}");
                let gap = self.gap.insert((symbol.clone(), "trades".into()), false).unwrap_or_default();
                if let Some(before) = self.ids.insert(symbol.clone(), id) {
                    assert!(id > before, "repeated or old: {message} after {before}");
                    assert!(id == before + 1 || gap, "a silent hole: {message} after {before}");
                    self.missing.extend((before + 1..id).map(|id| (symbol.clone(), id)));
                }
                self.trades += 1;
            }
            "q" => {
                self.number(message, &symbol, "quotes");
                let step = tape::step(message["bp"].as_str().unwrap());
                let gap = self.gap.insert((symbol.clone(), "quotes".into()), false).unwrap_or_default();
                if let Some(before) = self.steps.insert(symbol, step) {
                    assert!(step > before, "repeated or old: {message} after {before}");
                    assert!(step == before + 1 || gap, "a silent hole: {message} after {before}");
                    self.missing_quotes += step - before - 1;
                }
                self.quotes += 1;
            }
            "gap" => {
                let channel = message["channel"].as_str().unwrap().to_owned();
                let at = self.numbers.entry((symbol.clone(), channel.clone())).or_default();
                assert_eq!(message["from"].as_u64().unwrap(), *at + 1, "{message}");
                *at = message["to"].as_u64().unwrap();
                self.gap.insert((symbol, channel), true);
                self.gaps += 1;
                self.whys.push(message["why"].as_str().unwrap().to_owned());
            }
            "status" => {
                self.states.push((symbol, message["state"].as_str().unwrap().to_owned()));
            }
            _ => {}
        }
    }

    fn number(&mut self, message: &Value, symbol: &str, channel: &str) {
        let n = message["n"].as_u64().unwrap();
        let at = self.numbers.entry((symbol.to_owned(), channel.to_owned())).or_default();
        assert_eq!(n, *at + 1, "numbers rise by one, or a gap comes first: {message}");
        *at = n;
    }

    /// Reads until the last trade and quote of each symbol has come.
    pub(crate) async fn follow(&mut self, client: &mut Client, symbols: &[&str], last: u64) {
        let done = |checked: &Self| {
            symbols.iter().all(|symbol| {
                checked.ids.get(*symbol) == Some(&last) && checked.steps.get(*symbol) == Some(&last)
            })
        };
        let deadline = tokio::time::Instant::now() + crate::util::PATIENCE;
        while !done(self) {
            // Heartbeats come for ever.
            let late = tokio::time::Instant::now() > deadline;
            assert!(!late, "at trades {:?} and quotes {:?} of {last}", self.ids, self.steps);
            let message = client.next().await.unwrap_or_else(|why| {
                panic!("{why}: at trades {:?} and quotes {:?} of {last}", self.ids, self.steps)
            });
            self.see(&message);
        }
    }
}
