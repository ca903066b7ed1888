//! A venue's product list, read into our names, states and steps.
//!
//! An entry that cannot be read is counted and skipped. The whole list is refused if it is not a list, is empty, or has more
//! entries than [`MAX_PRODUCTS`].
//!
//! | venue | list | our name |
//! | --- | --- | --- |
//! | Binance | `exchangeInfo` | `baseAsset-quoteAsset`, and what the symbol has behind both (`_260327` of a dated future) |
//! | Coinbase Exchange | `products` | the product's id |
//! | Kraken | `AssetPairs` | the name of WebSocket v2 in capital letters ([`Venue::our_symbol`]): `BTC/USD` is `BTC-USD`, `AAPLx/USD` is `AAPLX-USD` |
//! | Alpaca | `assets` | the symbol; of crypto `BTC/USD` is `BTC-USD` |

mod alpaca;
mod binance;
mod coinbase;
mod entries;
mod kraken;

use super::{ParseError, Text, Utf16, Venue, field, without_mark};
use crate::{
    limits::MAX_PRODUCTS,
    market::{Increments, Price, Size, Symbol},
};

/// One instrument of a venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The venue's name, as its messages write it: any characters.
    pub theirs: String,
    /// Our name. `None` if the venue's name gives none; then only a definition can.
    pub ours: Option<Symbol>,
    /// Whether it trades.
    pub listing: Listing,
    /// Its steps.
    pub increments: Increments,
}

/// Whether a product trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// It trades, perhaps with restrictions on orders.
    Trades,
    /// It does not trade now. Holds the venue's word for it, cut to [`crate::limits::MAX_VENUE_WORDS`].
    Halted(String),
    /// It never trades again. Most venues leave such products out instead.
    Delisted,
}

/// A venue's products.
#[derive(Debug, Default)]
pub struct ProductList {
    /// Those that could be read, in the venue's order.
    pub products: Vec<Product>,
    /// How many could not be read.
    pub skipped: usize,
    /// The first of those errors.
    pub complaint: Option<ParseError>,
}

/// Why a whole product list was refused.
#[derive(Debug, thiserror::Error)]
pub enum ProductListError {
    /// Not JSON, or of another shape.
    #[error(transparent)]
    Shape(#[from] ParseError),
    /// The venue says that something is wrong, in its own words.
    #[error("the venue says {0:?}")]
    Refused(String),
    /// Not UTF-8.
    #[error(transparent)]
    Encoding(#[from] Utf16),
    /// It is empty, which cannot be right.
    #[error("there is no product in it")]
    Empty,
}

impl From<serde_json::Error> for ProductListError {
    fn from(why: serde_json::Error) -> Self {
        Self::Shape(ParseError::Shape(why))
    }
}

impl ProductList {
    fn push(&mut self, product: Result<Product, ParseError>) {
        match product {
            Ok(product) => self.products.push(product),
            Err(why) => {
                self.skipped += 1;
                self.complaint.get_or_insert(why);
            }
        }
    }
}

impl Venue {
    /// Reads the venue's product list.
    ///
    /// # Errors
    /// When it is none, or has nothing that could be read.
    pub fn products(self, list: &[u8]) -> Result<ProductList, ProductListError> {
        let mut read = ProductList::default();
        let list = without_mark(list)?;
        match self {
            Self::Binance => binance::read(list, &mut read)?,
            Self::Coinbase => coinbase::read(list, &mut read)?,
            Self::Kraken => kraken::read(list, &mut read)?,
            Self::Alpaca => alpaca::read(list, &mut read)?,
        }
        if read.products.is_empty() {
            return Err(read.complaint.map_or(ProductListError::Empty, ProductListError::Shape));
        }
        Ok(read)
    }

    /// The address of the venue's product list. `stream`, the address of its WebSocket, tells Alpaca's stocks from crypto.
    /// Alpaca's list needs credentials; those of a live account need another host (`api.alpaca.markets`).
    #[must_use]
    pub fn products_url(self, stream: &str) -> &'static str {
        match self {
            // Without this, permissions would be most of the answer.
            Self::Binance => {
                "https://api.binance.com/api/v3/exchangeInfo?permissions=SPOT&showPermissionSets=false"
            }
            Self::Coinbase => "https://api.exchange.coinbase.com/products",
            Self::Kraken => "https://api.kraken.com/0/public/AssetPairs?assetVersion=1",
            Self::Alpaca if stream.contains("/crypto/") => {
                "https://paper-api.alpaca.markets/v2/assets?status=active&asset_class=crypto"
            }
            Self::Alpaca => "https://paper-api.alpaca.markets/v2/assets?status=active&asset_class=us_equity",
        }
    }

    /// The headers for key and secret, if the venue's product list needs them.
    #[must_use]
    pub const fn credential_headers(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Alpaca => Some(["apca-api-key-id", "apca-api-secret-key"]),
            Self::Binance | Self::Coinbase | Self::Kraken => None,
        }
    }
}

/// A step of prices. Some venues write "none" as zero.
fn tick(field: &'static str, text: Option<&str>) -> Result<Option<Price>, ParseError> {
    let tick = text.map(|text| field::price(field, text)).transpose()?;
    Ok(tick.filter(|tick| tick.decimal() > rust_decimal::Decimal::ZERO))
}

/// A step of sizes; likewise.
fn lot(field: &'static str, text: Option<&str>) -> Result<Option<Size>, ParseError> {
    let lot = text.map(|text| field::size(field, text)).transpose()?;
    Ok(lot.filter(|lot| !lot.decimal().is_zero()))
}

/// The venue's name, unless it is empty or too long.
fn theirs(text: &str) -> Result<String, ParseError> {
    Venue::check_symbol(text).map_err(|why| ParseError::Symbol { text: field::shown(text), why })?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
