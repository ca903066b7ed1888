//! The way through a proxy: which one it is, whether it lets us through, and what to do when it does not.

use std::net::SocketAddr;

use tickcast::{cli::venue::Rules, dialect::Venue};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use super::{Examined, SYMBOLS, define};

/// A proxy that answers `CONNECT` with this line, and connects if it is a success.
async fn proxy(status: &'static str) -> SocketAddr {
    proxy_but(status, 0).await
}

/// Likewise, but for one port that it refuses.
async fn proxy_but(status: &'static str, refused: u16) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if !matches!(stream.read_buf(&mut head).await, Ok(count) if count > 0) {
                        return;
                    }
                }
                let head = String::from_utf8(head).unwrap();
                let target = head.split(' ').nth(1).unwrap().to_owned();
                let is_refused = target.ends_with(&format!(":{refused}"));
                let status = if is_refused { "403 Forbidden" } else { status };
                stream.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes()).await.unwrap();
                if status.starts_with("200") {
                    let mut venue = TcpStream::connect(target).await.unwrap();
                    let _ended = copy_bidirectional(&mut stream, &mut venue).await;
                }
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_lets_us_through_is_named_and_gone_by() {
    let proxy = proxy("200 Connection established").await;
    let keys = format!("proxy = \"http://{proxy}\"");
    let report = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), &keys).await.report(&[]).await;
    report.outcomes(&[("proxy", "ok"), ("tcp", "ok"), ("handshake", "ok"), ("data", "ok")]);
    let proxies = &report.step("proxy")["measured"]["proxies"];
    assert_eq!(proxies[0], format!("http://{proxy}"), "{}", report.text);
    assert!(report.step("tcp")["what"].as_str().unwrap().contains(&proxy.to_string()), "{}", report.text);
    assert_eq!(report.code, Some(0), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_takes_one_port_and_not_the_other_is_a_warning() {
    let examined = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), "").await;
    let other = 9_443;
    let proxy = proxy_but("200 Connection established", other).await;
    let urls = [format!("ws://127.0.0.1:{other}/"), format!("ws://{}/", examined.mock.address())];
    let urls = [urls[0].as_str(), urls[1].as_str()];
    let keys = format!("proxy = \"http://{proxy}\"");
    define(examined.folder.path(), Venue::Kraken, &urls, &SYMBOLS, &keys);
    let report = examined.report(&[]).await;
    report.outcomes(&[("proxy", "warning"), ("tcp", "ok"), ("handshake", "warning"), ("data", "ok")]);
    assert!(report.step("proxy")["what"].as_str().unwrap().contains("403"), "{}", report.text);
    assert_eq!(report.code, Some(0), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_does_not_let_us_through_is_named_with_what_it_says() {
    for (status, what) in [
        ("407 Proxy Authentication Required", "407"),
        ("403 Forbidden", "403"),
        ("503 Service Unavailable", "503"),
    ] {
        let keys = format!("proxy = \"http://{}\"", proxy(status).await);
        let examined = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), &keys).await;
        let report = examined.report_without_data().await;
        report.fails("proxy", 11, what, "proxy_credentials_file");
        report.outcomes(&[("dns", "ok"), ("tcp", "ok"), ("tls", "skipped"), ("handshake", "skipped")]);
    }
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let keys = format!("proxy = \"http://{dead}\"\nproxy_credentials_file = \"who\"");
    let examined = Examined::new(Venue::Kraken, &SYMBOLS, Rules::default(), &keys).await;
    std::fs::write(examined.folder.path().join("who"), "me:hush").unwrap();
    let report = examined.report_without_data().await;
    report.fails("proxy", 11, &format!("http://{dead}"), "host, port and credentials of the proxy");
    report.outcomes(&[("tcp", "failed"), ("handshake", "skipped")]);
}
