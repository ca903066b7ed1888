//! First values: the present best prices, requested over HTTP where a stream sends changes only.
//!
//! | venue | asked for | because |
//! | --- | --- | --- |
//! | Binance | `GET /api/v3/ticker/bookTicker?symbols=[…]`: weight 4 of 6,000 a minute, however many symbols (rest-api.md of binance-spot-api-docs, read on 2026-11-25) | `bookTicker` is pushed when the best prices change, so a quiet pair has no quote |
//! | Alpaca | `GET /v2/stocks/quotes/latest?symbols=…&feed=…` and `GET /v1beta3/crypto/…/latest/quotes?symbols=…`, with the credentials of the stream: one of 200 requests a minute on the free plan (docs.alpaca.markets, likewise) | a quote is pushed when it changes: there is none outside the hours of the market |
//! | Kraken | nothing | `ticker` begins with a snapshot |
//! | Coinbase | nothing | `ticker` begins with a message about the last trade |
//!
//! An entry that cannot be read is left out and costs the others nothing.

mod alpaca;
mod binance;

use super::{
    ParseError, Text, Venue, field,
    naming::{Naming, Received},
};
use crate::market::{Quote, UnixMicros};

impl Venue {
    /// The address of first values for the venue's own stream at `stream`; `None` if the stream sends them itself, or the venue has
    /// none for it.
    #[must_use]
    pub fn first_values_url(self, stream: &str) -> Option<String> {
        match self {
            Self::Binance => Some("https://api.binance.com/api/v3/ticker/bookTicker".to_owned()),
            Self::Alpaca => alpaca::url(stream),
            Self::Coinbase | Self::Kraken => None,
        }
    }

    /// The request for these symbols, made from the address `url`.
    #[must_use]
    pub fn first_values_of(self, url: &str, symbols: &[&str]) -> String {
        let list = match self {
            Self::Binance => format!("[\"{}\"]", symbols.join("\",\"")),
            Self::Coinbase | Self::Kraken | Self::Alpaca => symbols.join(","),
        };
        let before = if url.contains('?') { '&' } else { '?' };
        format!("{url}{before}symbols={}", encoded(&list))
    }

    /// Whether first values can be asked for at all.
    #[must_use]
    pub const fn has_first_values(self) -> bool {
        matches!(self, Self::Binance | Self::Alpaca)
    }

    /// Reads an answer received at `tr`. Symbols without a name of ours are ignored.
    ///
    /// # Errors
    /// When it is not such an answer, or no entry can be read.
    pub fn first_values(
        self,
        answer: &[u8],
        tr: UnixMicros,
        names: &dyn Naming,
    ) -> Result<Vec<Quote>, ParseError> {
        let at = Received { tr, names };
        let mut read = Read::default();
        match self {
            Self::Binance => binance::read(answer, at, &mut read)?,
            Self::Alpaca => alpaca::read(answer, at, &mut read)?,
            Self::Coinbase | Self::Kraken => {}
        }
        match read.complaint {
            Some(why) if read.quotes.is_empty() => Err(why),
            Some(_) | None => Ok(read.quotes),
        }
    }
}

/// The quotes of an answer.
#[derive(Default)]
struct Read {
    quotes: Vec<Quote>,
    /// The first error of an entry.
    complaint: Option<ParseError>,
}

impl Read {
    fn push(&mut self, quote: Result<Quote, ParseError>) {
        match quote {
            Ok(quote) => self.quotes.push(quote),
            Err(ParseError::Unnamed(_)) => {}
            Err(why) => {
                self.complaint.get_or_insert(why);
            }
        }
    }
}

/// Encodes a text for a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(2 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b',') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
