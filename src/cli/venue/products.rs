//! The product list of the stand-in: what its recording has, in the venue's own format and at the venue's own path, on
//! the port of the stream.

use std::sync::Arc;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::peers::{ListFault, PeerState};
use crate::dialect::Venue;

/// Longest line that a request may begin with.
const LINE: usize = 1_024;

/// Whether the client's first line asks for the list; nothing is taken from the stream.
pub(super) async fn is_asked(stream: &TcpStream, venue: Venue) -> bool {
    let mut line = [0; LINE];
    let mut seen = 0;
    loop {
        let Ok(count) = stream.peek(&mut line).await else { return false };
        if let Some(end) = line[..count].iter().position(|byte| *byte == b'\n') {
            let first = std::str::from_utf8(&line[..end]).unwrap_or_default();
            let asked = first.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next());
            return asked == Some(venue.products_path());
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
    // A client that goes away gets nothing.
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
        None => ("200 OK", listed(shared)),
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

fn listed(shared: &PeerState) -> String {
    let products = shared.products();
    shared.venue.product_list(products.iter().map(|(name, trades)| (name.as_str(), *trades)))
}
