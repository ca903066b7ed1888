//! Plain HTTP of the mock venue, on the stream's port: one GET for each connection.

use std::{io::ErrorKind, os::fd::AsFd as _};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, Interest},
    net::TcpStream,
};

/// Longest request line; it may hold a list of symbols.
const LINE: usize = 16 * 1_024;

/// A GET request.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    /// The query, still encoded.
    pub(super) query: String,
}

/// Peeks at the first line and returns the GET in it; `None` for anything else. Takes nothing from the stream.
pub(super) async fn asked(stream: &TcpStream) -> Option<Asked> {
    let mut line = vec![0; LINE];
    let mut seen = 0;
    loop {
        let count = more(stream, &mut line, seen).await?;
        if let Some(end) = line[..count].iter().position(|byte| *byte == b'\n') {
            let first = std::str::from_utf8(&line[..end]).ok()?;
            let target = first.strip_prefix("GET ")?.split(' ').next()?;
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            return Some(Asked { path: path.to_owned(), query: query.to_owned() });
        }
        if count == 0 || count == LINE {
            return None;
        }
        seen = count;
    }
}

/// Waits until more than `seen` bytes can be looked at. Returns how many; `None` when no more will come.
async fn more(stream: &TcpStream, line: &mut [u8], seen: usize) -> Option<usize> {
    // What is only looked at stays readable: to wait for more, the look itself has to say that it would block.
    let looking = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned().ok()?);
    loop {
        let is_over = stream.ready(Interest::READABLE).await.ok()?.is_read_closed();
        let looked = stream.try_io(Interest::READABLE, || {
            let count = looking.peek(line)?;
            if count == seen && !is_over { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
        });
        match looked {
            Ok(count) if count == seen => return None,
            Ok(count) => return Some(count),
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(_gone) => return None,
        }
    }
}

/// Reads the request's head, in lower case; `None` if the client leaves or the head is too long.
pub(super) async fn head(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > 2 * LINE {
            return Ok(None);
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).to_ascii_lowercase()))
}

/// Whether the head has all of these headers.
pub(super) fn has_headers(head: &str, names: Option<[&str; 2]>) -> bool {
    names.is_none_or(|names| names.iter().all(|name| head.contains(&format!("\r\n{name}: "))))
}

/// Answers and closes the connection. `headers` are further headers, each with its line end.
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

/// Answers with blanks until the client leaves.
pub(super) async fn answer_without_end(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n[";
    stream.write_all(head.as_bytes()).await?;
    let blanks = vec![b' '; 1 << 20];
    loop {
        stream.write_all(&blanks).await?;
    }
}

/// Stays silent until the client leaves.
pub(super) async fn stay_silent(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut scratch = [0; 1_024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a client is taken for that writes this, piece by piece, and then goes.
    async fn written(pieces: &[&str]) -> Option<Asked> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let looking = tokio::spawn(async move { asked(&stream).await });
        client.set_nodelay(true).unwrap();
        for piece in pieces {
            client.write_all(piece.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(client);
        looking.await.unwrap()
    }

    #[tokio::test]
    async fn a_request_line_that_comes_in_pieces_is_waited_for() {
        let asked = written(&["GE", "T /list", "?a=b HTTP/1.1\r", "\n"]).await.unwrap();
        assert_eq!((asked.path.as_str(), asked.query.as_str()), ("/list", "a=b"));
        for pieces in [&[][..], &["GET /li"], &["POST / HTTP/1.1\r\n"]] {
            assert!(written(pieces).await.is_none(), "{pieces:?}");
        }
    }
}
