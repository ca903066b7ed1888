//! TLS: a venue whose authority is named is believed, any other is not.

use std::{io::Write as _, sync::Arc};

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tickcast::{
    dialect::Venue,
    feed::{Publisher, supervise},
    market::Source,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{accept_async, tungstenite::Message};
use tokio_util::sync::CancellationToken;

use super::{build, tape};
use crate::util::TestGateway;

/// Answers every connection with one trade, whatever is asked.
async fn venue(listener: TcpListener, acceptor: TlsAcceptor) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that does not trust us goes away here.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let mut socket = accept_async(stream).await.unwrap();
            let _request = socket.next().await;
            socket.send(Message::Text(r#"{"result":null,"id":1}"#.into())).await.unwrap();
            let trade = tape::trade(Venue::Binance, "BTC-USD", tape::FIRST);
            socket.send(Message::Text(trade.into())).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        });
    }
}

/// Answers every request with a list of one product, decompressed only by those who know how.
async fn list(listener: TcpListener, acceptor: TlsAcceptor) {
    let body =
        br#"{"symbols":[{"symbol":"BTCUSD","status":"TRADING","baseAsset":"BTC","quoteAsset":"USD"}]}"#;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(body).unwrap();
    let packed = packed.finish().unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.unwrap() > 0 {}
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", packed.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&packed).await.unwrap();
        stream.flush().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_checked() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(made.cert.der().to_vec())], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(venue(listener, acceptor.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let products = listener.local_addr().unwrap().port();
    tokio::spawn(list(listener, acceptor));
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, made.cert.pem()).unwrap();

    let gateway = TestGateway::start();
    let stop = CancellationToken::new();
    let keys =
        format!("url = \"wss://localhost:{port}/\"\ndemand = \"always\"\nretry_ms = 20\nretry_max_ms = 40");
    let trusting = format!("{keys}\ntls_ca_file = {:?}", authority.display().to_string());
    let named = "symbols = [\"BTC-USD\"]";
    let found = format!("symbols = [\"BTC-*\"]\nproducts_url = \"https://localhost:{products}/list\"");
    for (name, keys) in [
        ("stranger", format!("{keys}\n{named}")),
        ("suspicious", format!("{keys}\n{found}")),
        ("friend", format!("{trusting}\n{found}")),
    ] {
        let hub = gateway.gateway.hub.clone();
        let publisher = Publisher::new(Source::new(name).unwrap(), hub, stop.clone());
        tokio::spawn(supervise(build(Venue::Binance, &keys), publisher));
    }
    gateway.metric_reaches("tickcast_feed_ticks_total{channel=\"trades\",feed=\"friend\"}", 1.0).await;
    gateway.metric_reaches("tickcast_feed_restarts_total{feed=\"stranger\",reason=\"connect\"}", 2.0).await;
    let lists = "tickcast_upstream_product_lists_total{feed=\"suspicious\",outcome=\"connect\"}";
    gateway.metric_reaches(lists, 2.0).await;
    assert!(gateway.metric("tickcast_feed_messages_total{feed=\"stranger\"}") < 1.0);
    stop.cancel();
}
