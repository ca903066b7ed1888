//! What is wrong with every connection, from the first one on: the troubles of a first day, for `tickcast doctor`.

use clap::ValueEnum;
use tokio::net::TcpStream;

use super::http;

/// Seconds that are asked for together with 429.
const RETRY_AFTER: &str = "120";

/// Something that is wrong with every connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Trouble {
    /// Stream and product list answer 451.
    Blocked,
    /// Stream and product list answer 403.
    Forbidden,
    /// Stream and product list answer 429 with a `Retry-After`.
    TooMany,
    /// Connections are taken and not answered.
    Silent,
    /// No client is let in: the credentials are refused, or 403 where there are none.
    LoginRefused,
    /// Nothing comes after the subscription is confirmed.
    Quiet,
}

impl Trouble {
    /// What every request is answered with, if that is the trouble.
    const fn status(self) -> Option<&'static str> {
        match self {
            Self::Blocked => Some("451 Unavailable For Legal Reasons"),
            Self::Forbidden => Some("403 Forbidden"),
            Self::TooMany => Some("429 Too Many Requests"),
            Self::Silent | Self::LoginRefused | Self::Quiet => None,
        }
    }

    /// Whether no request is answered otherwise.
    pub(super) const fn refuses(self) -> bool {
        self.status().is_some()
    }

    /// Answers any request with the status, and closes.
    pub(super) async fn refuse(self, mut stream: TcpStream, date: &str) {
        if !matches!(http::head(&mut stream).await, Ok(Some(_))) {
            return;
        }
        let status = self.status().unwrap_or("200 OK");
        let later =
            if self == Self::TooMany { format!("retry-after: {RETRY_AFTER}\r\n") } else { String::new() };
        // A client that is gone gets nothing.
        let _gone = http::answer(&mut stream, status, &format!("date: {date}\r\n{later}"), "").await;
    }
}
