//! What the stand-in speaks of HTTP beside WebSocket's handshake, on the port of the stream: one GET a connection.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Longest line that a request may begin with: a list of symbols is in it.
const LINE: usize = 16 * 1_024;

/// A request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    /// What follows the path, as it was written.
    pub(super) query: String,
}

/// The GET that a client's first line is; nothing is taken from the stream. `None` when it is something else.
pub(super) async fn asked(stream: &TcpStream) -> Option<Asked> {
    let mut line = vec![0; LINE];
    let mut seen = 0;
    loop {
        let count = stream.peek(&mut line).await.ok()?;
        if let Some(end) = line[..count].iter().position(|byte| *byte == b'\n') {
            let first = std::str::from_utf8(&line[..end]).ok()?;
            let target = first.strip_prefix("GET ")?.split(' ').next()?;
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            return Some(Asked { path: path.to_owned(), query: query.to_owned() });
        }
        if count == 0 || count == LINE {
            return None;
        }
        if count == seen {
            // The rest of the line is on its way.
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        seen = count;
    }
}

/// Takes a request's head. Returns it in small letters; `None` when the client goes away or says too much.
pub(super) async fn head(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > 2 * LINE {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).to_ascii_lowercase()))
}

/// Whether a head has the headers of these names.
pub(super) fn has_headers(head: &str, names: Option<[&str; 2]>) -> bool {
    names.is_none_or(|names| names.iter().all(|name| head.contains(&format!("\r\n{name}: "))))
}

/// Answers and ends the connection; `headers` are more of them, each with its line end.
pub(super) async fn answer(
    stream: &mut TcpStream,
    status: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// Says nothing until the client goes away.
pub(super) async fn stay_silent(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut scratch = [0; 1_024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}
