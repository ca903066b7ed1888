//! A small venue that counts its trades, in the words of Binance: what it sent is known, so a gap can be checked.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::broadcast,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Its symbols, as it calls them and as we do.
pub(crate) const SYMBOLS: [(&str, &str); 2] = [("BTCUSD", "BTC-USD"), ("ETHUSD", "ETH-USD")];

#[derive(Debug)]
struct State {
    trades: broadcast::Sender<(usize, String)>,
    next: [AtomicU64; 2],
    is_quiet: AtomicBool,
    connections: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Venue {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _ends: DropGuard,
}

impl Venue {
    /// Starts one that trades each symbol `rate` times a second.
    pub(crate) async fn start(rate: f64) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            trades: broadcast::channel(4_096).0,
            next: [AtomicU64::new(1_000), AtomicU64::new(2_000)],
            is_quiet: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let over = CancellationToken::new();
        let (accepts, trades) = (Arc::clone(&state), Arc::clone(&state));
        let task = async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&accepts)));
            }
        };
        tokio::spawn(over.clone().run_until_cancelled_owned(task));
        tokio::spawn(over.clone().run_until_cancelled_owned(trade(trades, rate)));
        Self { address, state, _ends: over.drop_guard() }
    }

    /// Whether it trades nothing. No trade is missed then, however long the way to it is down.
    pub(crate) fn quiet(&self, is: bool) {
        self.state.is_quiet.store(is, Ordering::SeqCst);
    }

    /// The most connections that there were at once since the last call.
    pub(crate) fn most_connections(&self) -> usize {
        self.state.most.swap(self.state.connections.load(Ordering::SeqCst), Ordering::SeqCst)
    }
}

async fn trade(state: Arc<State>, rate: f64) {
    let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
    loop {
        pace.tick().await;
        if state.is_quiet.load(Ordering::SeqCst) {
            continue;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        for (i, (name, _)) in SYMBOLS.iter().enumerate() {
            let id = state.next[i].fetch_add(1, Ordering::SeqCst);
            let price = format!("{}.{:02}", 100 + id % 7, id % 100);
            let frame = json!({"e": "trade", "E": now, "s": name, "t": id, "p": price, "q": "0.5", "T": now,
                "m": id.is_multiple_of(2), "M": true});
            let _none_listens = state.trades.send((i, frame.to_string()));
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    let now = state.connections.fetch_add(1, Ordering::SeqCst) + 1;
    state.most.fetch_max(now, Ordering::SeqCst);
    let mut trades = state.trades.subscribe();
    let mut wanted = BTreeSet::new();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let request: Value = serde_json::from_str(&text).unwrap_or_default();
                    let begins = request["method"] == "SUBSCRIBE";
                    for stream in request["params"].as_array().into_iter().flatten() {
                        let stream = stream.as_str().unwrap_or_default();
                        let of = SYMBOLS.iter().position(|(name, _)| {
                            stream.strip_suffix("@trade").is_some_and(|it| it.eq_ignore_ascii_case(name))
                        });
                        if let Some(i) = of {
                            if begins { wanted.insert(i) } else { wanted.remove(&i) };
                        }
                    }
                    let answer = json!({"result": null, "id": request["id"]}).to_string();
                    if socket.send(Message::text(answer)).await.is_err() {
                        break;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            trade = trades.recv() => match trade {
                Ok((symbol, frame)) if wanted.contains(&symbol) => {
                    if socket.send(Message::text(frame)).await.is_err() {
                        break;
                    }
                }
                Ok(_) => {}
                Err(_lagged) => break,
            },
        }
    }
    state.connections.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use tokio_tungstenite::connect_async;

    use super::*;

    #[tokio::test]
    async fn it_counts_its_trades_from_the_subscription_on() {
        let venue = Venue::start(500.0).await;
        let (mut socket, _) = connect_async(format!("ws://{}/", venue.address)).await.unwrap();
        let request = json!({"method": "SUBSCRIBE", "params": ["btcusd@trade"], "id": 4});
        socket.send(Message::text(request.to_string())).await.unwrap();
        let mut next = async || -> Value {
            serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap()
        };
        assert_eq!(next().await["id"], 4);
        let first = next().await["t"].as_u64().unwrap();
        for id in first + 1..first + 20 {
            assert_eq!(next().await["t"].as_u64(), Some(id));
        }
        assert_eq!(venue.most_connections(), 1);
    }
}
