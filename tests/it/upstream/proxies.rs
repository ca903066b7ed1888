//! Feeds behind a proxy: everything that goes to the venue goes through it, and each way in which it can fail is named.

mod proxy;

use std::{ffi::OsString, path::Path, sync::atomic::Ordering, time::Duration};

use tickcast::{
    dialect::Venue,
    feed::{
        Publisher, supervise,
        upstream::{
            Definition, Surroundings, Upstream,
            network::{Environment, Journey, connect, within},
        },
    },
    market::Source,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::proxy::{Kind, Manner, TestProxy};
use super::front::{Front, HOST};
use crate::util::{TestGateway, eventually};

fn feed(keys: &str, variables: &[(&str, String)]) -> Upstream {
    let variables: Vec<(OsString, OsString)> =
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let surroundings = Surroundings { credentials: None, proxies: Environment::read(&variables) };
    let definition: Definition = toml::from_str(keys).unwrap_or_else(|why| panic!("{keys}: {why}"));
    definition.build(Venue::Binance, Path::new("/"), &surroundings).unwrap()
}

/// A gateway with that feed, and what stops it.
struct Run {
    gateway: TestGateway,
    stop: CancellationToken,
}

impl Run {
    fn start(feed: Upstream) -> Self {
        let (gateway, stop) = (TestGateway::start(), CancellationToken::new());
        let hub = gateway.gateway.hub.clone();
        let publisher = Publisher::new(Source::new("feed").unwrap(), hub, stop.clone());
        tokio::spawn(supervise(feed, publisher));
        Self { gateway, stop }
    }

    /// The stream, a list and first values have come.
    async fn has_everything(&self, front: &Front) {
        eventually("the symbol is subscribed", || front.mock.counts().active.len() == 1).await;
        for what in ["product_lists", "first_values"] {
            let name = format!("tickcast_upstream_{what}_total{{feed=\"feed\",outcome=\"ok\"}}");
            self.gateway.metric_reaches(&name, 1.0).await;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_list_and_first_quotes_go_through_every_kind_of_proxy() {
    let known = Manner::Guarded("me", "hu:sh@");
    for (scheme, kind, manner) in [
        ("http", Kind::Http, Manner::Open),
        ("http", Kind::Http, known.clone()),
        ("https", Kind::Http, known.clone()),
        ("socks5", Kind::Socks5, Manner::Open),
        ("socks5", Kind::Socks5, known.clone()),
        ("socks5h", Kind::Socks5, Manner::Open),
        ("socks5h", Kind::Socks5, known.clone()),
    ] {
        let front = Front::start().await;
        let tls = (scheme == "https").then(|| front.acceptor.clone());
        let proxy = TestProxy::start(kind, manner.clone(), tls).await;
        let mut keys = front.keys(HOST) + &format!("proxy = \"{scheme}://{}\"\n", proxy.address);
        if matches!(manner, Manner::Guarded(..)) {
            let file = front.file("known", "me:hu:sh@\n").display().to_string();
            keys += &format!("proxy_credentials_file = {file:?}\n");
        }
        // Nothing but a proxy that is sent addresses needs to know the name here.
        let asked_for = if scheme == "socks5" {
            keys += &format!("resolve = {{ \"{HOST}\" = [\"127.0.0.1\"] }}\n");
            format!("127.0.0.1:{}", front.port)
        } else {
            format!("{HOST}:{}", front.port)
        };
        let run = Run::start(feed(&keys, &[]));
        run.has_everything(&front).await;
        let asked = proxy.asked();
        assert!(
            asked.len() >= 3 && asked.iter().all(|one| *one == asked_for),
            "{scheme} {manner:?}: {asked:?}"
        );
        assert_eq!(
            front.came.load(Ordering::Relaxed),
            asked.len(),
            "{scheme} {manner:?}: none came directly"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_says_what_goes_through_a_proxy_and_what_does_not() {
    for (no_proxy, more, goes_through) in [
        ("", "", true),
        ("other.test, 10.0.0.0/8", "", true),
        ("venue.test:1", "", true),
        ("venue.test", "", false),
        (".test", "", false),
        ("*", "", false),
        ("", "proxy = \"none\"\n", false),
    ] {
        let front = Front::start().await;
        let proxy = TestProxy::start(Kind::Http, Manner::Guarded("me", "hush"), None).await;
        let variables = [
            ("HTTPS_PROXY", format!("http://me:hush@{}", proxy.address)),
            ("ALL_PROXY", "socks5://127.0.0.1:1".to_owned()),
            ("no_proxy", no_proxy.to_owned()),
        ];
        let keys = front.keys(HOST) + &format!("resolve = {{ \"{HOST}\" = [\"127.0.0.1\"] }}\n{more}");
        let run = Run::start(feed(&keys, &variables));
        run.has_everything(&front).await;
        let (asked, came) = (proxy.asked().len(), front.came.load(Ordering::Relaxed));
        assert_eq!(asked, if goes_through { came } else { 0 }, "{no_proxy:?} {more:?}");
    }
    // This machine is reached directly, whatever the environment says, but not whatever the feed says.
    let front = Front::start().await;
    let proxy = TestProxy::start(Kind::Http, Manner::Open, None).await;
    let variables = [("ALL_PROXY", format!("http://{}", proxy.address))];
    let run = Run::start(feed(&front.keys("127.0.0.1"), &variables));
    run.has_everything(&front).await;
    assert_eq!(proxy.asked(), [""; 0]);
    drop(run);
    let keys = front.keys("127.0.0.1") + &format!("proxy = \"http://{}\"\n", proxy.address);
    let run = Run::start(feed(&keys, &[]));
    run.has_everything(&front).await;
    assert!(proxy.asked().len() >= 3);
}

/// A proxy that fails, and what is said of it.
struct Failure {
    scheme: &'static str,
    kind: Kind,
    manner: Manner,
    reason: &'static str,
    words: &'static str,
}

const fn http(manner: Manner, reason: &'static str, words: &'static str) -> Failure {
    Failure { scheme: "http", kind: Kind::Http, manner, reason, words }
}

const fn socks(manner: Manner, reason: &'static str, words: &'static str) -> Failure {
    Failure { scheme: "socks5h", kind: Kind::Socks5, manner, reason, words }
}

fn failures() -> Vec<Failure> {
    let says = |answer: &str| Manner::Says(answer.as_bytes().to_vec());
    let long = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; 1 << 20]].concat();
    vec![
        http(Manner::Guarded("you", "secret"), "proxy_auth", "does not accept the credentials (HTTP 407"),
        socks(
            Manner::Guarded("you", "secret"),
            "proxy_auth",
            "does not accept the credentials (SOCKS5 status 1",
        ),
        http(says("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"), "proxy", "its rules do not allow"),
        http(says("HTTP/1.1 502 Bad Gateway\r\n\r\n"), "proxy", "it cannot reach the venue either"),
        http(says("220 smtp ready\r\n"), "proxy", "does not answer in HTTP"),
        http(Manner::Says(long), "proxy", "bytes before anything else"),
        http(Manner::Closing, "proxy", "ends the connection without an answer"),
        http(Manner::Silent, "proxy", "not done within 300 ms"),
        socks(says("\u{5}\u{0}\u{5}\u{2}\u{0}\u{1}"), "proxy", "its rules do not allow"),
        socks(says("HTTP/1.1 400 Bad Request\r\n\r\n"), "proxy", "does not answer in SOCKS5"),
        socks(Manner::Closing, "proxy", "ends the connection in the middle"),
        socks(Manner::Silent, "proxy", "not done within 300 ms"),
        Failure {
            scheme: "https",
            kind: Kind::Http,
            // In the clear, where TLS was meant.
            manner: says("HTTP/1.1 400 Bad Request\r\n\r\n"),
            reason: "proxy",
            words: "cannot be used: TLS",
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_of_a_proxy_is_named_and_counted_under_its_class() {
    for Failure { scheme, kind, manner, reason, words } in failures() {
        let front = Front::start().await;
        let proxy = TestProxy::start(kind, manner.clone(), None).await;
        fails(&front, &format!("{scheme}://{}", proxy.address), reason, words).await;
        assert_eq!(front.came.load(Ordering::Relaxed), 0, "{words}: nothing goes by another way");
    }
    let front = Front::start().await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = format!("cannot be used: 127.0.0.1 cannot be reached: {dead}: Connection refused");
    fails(&front, &format!("http://{dead}"), "proxy", &refused).await;
}

async fn fails(front: &Front, url: &str, reason: &str, words: &str) {
    let file = front.file("known", "me:hush\n").display().to_string();
    let keys = front.keys(HOST)
        + &format!(
            "proxy = \"{url}\"\nproxy_credentials_file = {file:?}\nconnect_timeout_ms = 300\n\
             products_timeout_ms = 300\n"
        );
    let one = feed(&keys, &[]);
    let (journey, patience) = (Journey::default(), Duration::from_millis(300));
    let address = &one.addresses()[0];
    let why = match within(patience, connect(one.network(), address, &journey)).await {
        Ok(done) => done.map(drop).unwrap_err(),
        Err(_late) => journey.late(patience),
    };
    let shown = format!("{why} {why:?} {:?}", journey.steps());
    assert!(why.to_string().contains(words) && why.to_string().contains(url), "{words}: {why}");
    assert!(!shown.contains("hush"), "{shown}");
    let run = Run::start(one);
    let restarts = format!("tickcast_feed_restarts_total{{feed=\"feed\",reason=\"{reason}\"}}");
    run.gateway.metric_reaches(&restarts, 1.0).await;
    let lists = "tickcast_upstream_product_lists_total{feed=\"feed\",outcome=\"proxy\"}";
    run.gateway.metric_reaches(lists, 1.0).await;
}
