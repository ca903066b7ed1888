//! The product list of the stand-in: what its recording has, in the venue's own format and at the venue's own path, on
//! the port of the stream.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::peers::{ListFault, PeerState, Products};
use crate::dialect::Venue;

/// Longest line that a request may begin with.
const LINE: usize = 1_024;

/// Quote assets that Binance's symbols end with. They do not say where the base ends; this is a guess.
const QUOTES: [&str; 14] =
    ["FDUSD", "USDT", "USDC", "TUSD", "BUSD", "BIDR", "USD", "BTC", "ETH", "BNB", "EUR", "GBP", "TRY", "BRL"];

/// Where the venue has its list.
pub(super) const fn path(venue: Venue) -> &'static str {
    match venue {
        Venue::Binance => "/api/v3/exchangeInfo",
        Venue::Coinbase => "/products",
        Venue::Kraken => "/0/public/AssetPairs",
        Venue::Alpaca => "/v2/assets",
    }
}

/// Whether the client's first line asks for the list; nothing is taken from the stream.
pub(super) async fn is_asked(stream: &TcpStream, venue: Venue) -> bool {
    let mut line = [0; LINE];
    let mut seen = 0;
    loop {
        let Ok(count) = stream.peek(&mut line).await else { return false };
        if let Some(end) = line[..count].iter().position(|byte| *byte == b'\n') {
            let first = std::str::from_utf8(&line[..end]).unwrap_or_default();
            let asked = first.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next());
            return asked == Some(path(venue));
        }
        if count == 0 || count == LINE {
            return false;
        }
        if count == seen {
            // The rest of the line is on its way.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        seen = count;
    }
}

/// Answers one request and closes.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<PeerState>, fault: Option<ListFault>) {
    // Whoever goes away gets nothing.
    let _gone = answer(&mut stream, &shared, fault).await;
}

async fn answer(stream: &mut TcpStream, shared: &PeerState, fault: Option<ListFault>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > 16 * LINE {
            return Ok(());
        }
    }
    let head_text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let let_in = shared
        .venue
        .credential_headers()
        .is_none_or(|names| names.iter().all(|name| head_text.contains(&format!("\r\n{name}: "))));
    let (status, body) = match fault {
        None if !let_in => ("401 Unauthorized", r#"{"message":"unauthorized."}"#.to_owned()),
        None => ("200 OK", list(shared.venue, &shared.products())),
        Some(ListFault::Unavailable) => ("503 Service Unavailable", "try again later".to_owned()),
        Some(ListFault::Garbage) => ("200 OK", "<html><body>maintenance</body></html>".to_owned()),
        Some(ListFault::Huge) => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n[";
            stream.write_all(head.as_bytes()).await?;
            let blanks = vec![b' '; 1 << 20];
            loop {
                stream.write_all(&blanks).await?;
            }
        }
        Some(ListFault::Slow) => {
            while stream.read_buf(&mut head).await? > 0 {
                head.clear();
            }
            return Ok(());
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The list in the venue's format, with the fields that matter.
fn list(venue: Venue, products: &Products) -> String {
    let entries = products.iter().map(|(name, trades)| match venue {
        Venue::Binance => binance(name, *trades),
        Venue::Coinbase => coinbase(name, *trades),
        Venue::Kraken => kraken(name, *trades),
        Venue::Alpaca => alpaca(name, *trades),
    });
    match venue {
        Venue::Binance => json!({"timezone": "UTC", "symbols": entries.collect::<Vec<_>>()}).to_string(),
        Venue::Coinbase | Venue::Alpaca => Value::Array(entries.collect()).to_string(),
        Venue::Kraken => {
            let named = products.keys().map(|name| name.replace('/', "")).zip(entries);
            json!({"error": [], "result": named.collect::<serde_json::Map<_, _>>()}).to_string()
        }
    }
}

fn binance(name: &str, trades: bool) -> Value {
    let ends = QUOTES.iter().find(|quote| name.len() > quote.len() && name.ends_with(**quote));
    let (base, quote) = name.split_at(name.len() - ends.map_or(0, |quote| quote.len()));
    json!({"symbol": name, "status": if trades { "TRADING" } else { "BREAK" }, "baseAsset": base, "quoteAsset": quote,
        "filters": [{"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.01000000", "stepSize": "0.01000000"}]})
}

fn coinbase(name: &str, trades: bool) -> Value {
    json!({"id": name, "quote_increment": "0.01", "base_increment": "0.01", "status": "online",
        "trading_disabled": !trades, "cancel_only": false})
}

fn kraken(name: &str, trades: bool) -> Value {
    let older = |asset: &str| match asset {
        "BTC" => "XBT".to_owned(),
        "DOGE" => "XDG".to_owned(),
        other => other.to_owned(),
    };
    let pair: Vec<_> = name.split('/').map(older).collect();
    json!({"wsname": pair.join("/"), "altname": pair.concat(), "tick_size": "0.01", "lot_decimals": 2,
        "status": if trades { "online" } else { "cancel_only" }})
}

fn alpaca(name: &str, trades: bool) -> Value {
    let class = if name.contains('/') { "crypto" } else { "us_equity" };
    json!({"symbol": name, "class": class, "status": if trades { "active" } else { "inactive" }, "tradable": true,
        "price_increment": "0.01", "min_trade_increment": "0.01"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_reading_side_finds_what_is_offered() {
        for venue in Venue::ALL {
            let names = ["BTC-USD", "DOGE-USD", "ETH-BTC"];
            let offered: Products =
                names.iter().map(|ours| (venue.symbol(ours), *ours != "ETH-BTC")).collect();
            let read = venue.products(list(venue, &offered).as_bytes()).unwrap();
            let mut found: Vec<_> =
                read.products.iter().map(|product| product.ours.unwrap().to_string()).collect();
            found.sort_unstable();
            assert_eq!((found.as_slice(), read.skipped), (&names.map(str::to_owned)[..], 0), "{venue:?}");
            for product in &read.products {
                assert!(offered.contains_key(&product.theirs), "{venue:?} {product:?}");
                let trades = product.listing == crate::dialect::Listing::Trades;
                assert_eq!(trades, product.ours.unwrap().as_str() != "ETH-BTC", "{venue:?} {product:?}");
                assert_eq!(product.increments.tick.unwrap().to_string().trim_end_matches('0'), "0.01");
            }
        }
    }
}
