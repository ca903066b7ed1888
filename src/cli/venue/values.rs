//! First values of the mock venue: the last quote that its tape has played for each symbol, or the first one that it will
//! play.

use std::{collections::BTreeMap, sync::Arc};

use tokio::net::TcpStream;

use super::{
    fault::ValueFault,
    http::{self, Asked},
    peers::PeerState,
    tape::Recorded,
};
use crate::{
    dialect::{Sequence, Venue},
    market::{Quote, Tick},
};

/// The newest quote of each symbol, by the venue's name.
pub(super) type Values = BTreeMap<String, Quote>;

/// What each symbol of a recording begins with.
pub(super) fn first(frames: &[Recorded], shared: &PeerState) -> Values {
    let mut values = Values::new();
    if has_values(shared) {
        for (theirs, quote) in frames.iter().flat_map(|frame| frame.quotes(shared.venue)) {
            values.entry(theirs).or_insert(quote);
        }
    }
    values
}

/// Whether clients can get first values at all.
pub(super) const fn has_values(shared: &PeerState) -> bool {
    shared.venue.has_first_values() || shared.rules.first_quotes
}

/// The frame that a subscription to a symbol's quotes begins with, at a venue that has one.
pub(super) fn opening(shared: &PeerState, theirs: &str) -> Option<String> {
    let venue = shared.venue;
    let quote = shared.values.lock().get(theirs).cloned().filter(|_| shared.rules.first_quotes)?;
    let (quote, sequence) = match venue {
        Venue::Kraken => (Quote { is_snapshot: true, ..quote }, None),
        Venue::Coinbase => (Quote { is_snapshot: false, ..quote }, Some(Sequence::Rising(1))),
        Venue::Binance | Venue::Alpaca => return None,
    };
    venue.frame_of(theirs, &Tick::Quote(quote), sequence)
}

/// Answers one request and closes.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<PeerState>, asked: Asked) {
    // A client that goes away gets nothing.
    let _gone = answer(&mut stream, &shared, &asked).await;
}

async fn answer(stream: &mut TcpStream, shared: &PeerState, asked: &Asked) -> std::io::Result<()> {
    let Some(head) = http::head(stream).await? else { return Ok(()) };
    let names = shared.venue.first_values_asked(&asked.query);
    shared.counts.lock().first_values.push(names.len());
    let fault = shared.value_faults.lock().pop_front();
    if !http::has_headers(&head, shared.venue.credential_headers()) {
        return http::answer(stream, "401 Unauthorized", "", r#"{"message":"unauthorized."}"#).await;
    }
    let found: Option<Vec<(String, Quote)>> = {
        let values = shared.values.lock();
        let of = |name: String| values.get(&name).cloned().map(|quote| (name, quote));
        names.into_iter().map(of).collect()
    };
    match fault {
        None => {}
        Some(ValueFault::TooMany) => {
            return http::answer(stream, "429 Too Many Requests", "retry-after: 1\r\n", "{}").await;
        }
        Some(ValueFault::Garbage) => {
            return http::answer(stream, "200 OK", "", "<html><body>maintenance</body></html>").await;
        }
        Some(ValueFault::Huge) => return http::answer_without_end(stream).await,
        Some(ValueFault::Slow) => return http::stay_silent(stream).await,
        Some(ValueFault::Old) => {
            let before = found.iter().flatten().next().cloned();
            let is_other = |(name, quote): &(String, Quote)| shared.values.lock().get(name) != Some(quote);
            shared.until(|_| before.as_ref().is_none_or(is_other)).await;
        }
    }
    let Some(found) = found else {
        // One unknown symbol spoils the request.
        let words = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
        return http::answer(stream, "400 Bad Request", "", words).await;
    };
    let body = shared.venue.first_values_list(found.iter().map(|(name, quote)| (name.as_str(), quote)));
    http::answer(stream, "200 OK", "", &body).await
}
