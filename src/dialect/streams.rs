//! The streams of a venue that has several, by name.

use super::Venue;

/// A stream: its name, and its address.
type Stream = (&'static str, &'static str);

/// Read in Alpaca's documentation ("Real-time Stock Data", "Real-time Crypto Data") on 2026-11-25. feeds/README.md says what each
/// carries.
const ALPACA: &[Stream] = &[
    ("iex", "wss://stream.data.alpaca.markets/v2/iex"),
    ("sip", "wss://stream.data.alpaca.markets/v2/sip"),
    ("delayed_sip", "wss://stream.data.alpaca.markets/v2/delayed_sip"),
    ("boats", "wss://stream.data.alpaca.markets/v1beta1/boats"),
    ("overnight", "wss://stream.data.alpaca.markets/v1beta1/overnight"),
    ("test", "wss://stream.data.alpaca.markets/v2/test"),
    ("crypto/us", "wss://stream.data.alpaca.markets/v1beta3/crypto/us"),
    ("crypto/us-1", "wss://stream.data.alpaca.markets/v1beta3/crypto/us-1"),
    ("crypto/eu-1", "wss://stream.data.alpaca.markets/v1beta3/crypto/eu-1"),
];

impl Venue {
    /// The names of its streams; none at a venue that has one only.
    pub fn streams(self) -> impl Iterator<Item = &'static str> {
        self.named_streams().iter().map(|(name, _)| *name)
    }

    /// The address of the stream of that name.
    #[must_use]
    pub fn stream_url(self, name: &str) -> Option<&'static str> {
        self.named_streams().iter().find(|(known, _)| *known == name).map(|(_, url)| *url)
    }

    const fn named_streams(self) -> &'static [Stream] {
        match self {
            Self::Alpaca => ALPACA,
            Self::Binance | Self::Coinbase | Self::Kraken => &[],
        }
    }
}
