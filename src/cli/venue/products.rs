//! The mock venue's product list: the recording's symbols, in the venue's format, at the venue's path, on the stream's
//! port.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::{
    http,
    peers::{ListFault, PeerState},
};

/// Answers one request and closes.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<PeerState>, fault: Option<ListFault>) {
    // A client that goes away gets nothing.
    let _gone = answer(&mut stream, &shared, fault).await;
}

async fn answer(stream: &mut TcpStream, shared: &PeerState, fault: Option<ListFault>) -> std::io::Result<()> {
    let Some(head) = http::head(stream).await? else { return Ok(()) };
    let let_in = http::has_headers(&head, shared.venue.credential_headers());
    let (status, body) = match fault {
        None if !let_in => ("401 Unauthorized", r#"{"message":"unauthorized."}"#.to_owned()),
        None => ("200 OK", listed(shared)),
        Some(ListFault::Unavailable) => ("503 Service Unavailable", "try again later".to_owned()),
        Some(ListFault::Garbage) => ("200 OK", "<html><body>maintenance</body></html>".to_owned()),
        Some(ListFault::Huge) => return http::answer_without_end(stream).await,
        Some(ListFault::Slow) => return http::stay_silent(stream).await,
    };
    let date = format!("date: {}\r\n", shared.rules.date());
    http::answer(stream, status, &date, &body).await
}

fn listed(shared: &PeerState) -> String {
    let products = shared.products();
    shared.venue.product_list(products.iter().map(|(name, trades)| (name.as_str(), *trades)))
}
