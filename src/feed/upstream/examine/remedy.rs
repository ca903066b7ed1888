//! What to do about a failure: one sentence, with the key to set.

use super::super::{
    UpstreamPlan,
    broken::{Break, Reason},
};
use crate::dialect::Venue;

pub(super) const NO_CREDENTIALS: &str =
    "set credentials_file, or APCA_API_KEY_ID and APCA_API_SECRET_KEY in the environment";

pub(super) const CLOCK: &str = "let the machine keep its clock by NTP (chrony or systemd-timesyncd): latencies, freshness and bars go by it";

pub(super) const FIRST_URL: &str =
    "put the address that works first in url, so that every start does not try the other one before";

pub(super) const LOOK_UP: &str = "check the name in url and the machine's resolver (/etc/resolv.conf), or set proxy: an HTTP proxy looks names up itself; resolve pins addresses";

pub(super) const REACH: &str = "let connections to that address and port out of the firewall, or set proxy";

pub(super) const ONE_FAMILY: &str = "nothing must be done: the feed takes the other address; to save the time, have the network's routes for that family mended";

pub(super) const NO_TLS: &str = "check scheme and port in url: what answers there does not speak TLS";

pub(super) const UNKNOWN_ISSUER: &str = "if your network opens TLS on the way, name its authority's certificate in tls_ca_file; otherwise do not trust this connection";

pub(super) const WRONG_NAME: &str =
    "check the host in url: what answers there is another server, or something on the way takes its place";

pub(super) const OUT_OF_TIME: &str = "check the machine's clock first, and set it by NTP if it is wrong; otherwise the server's certificate must be renewed there";

pub(super) const CERTIFICATE_ENDS: &str = "nothing is to do here: the server's operator renews it";

pub(super) const NOT_LISTED: &str =
    "take these out of symbols, or give the venue's name of each in names, as the product list writes it";

pub(super) const SLOW: &str = "try again; connect_timeout_ms and answer_timeout_ms allow for a slower way";

/// What to do about a status that is no success; `key` is the one with the address.
pub(super) fn of_status(status: u16, plan: &UpstreamPlan, key: &str) -> String {
    match status {
        401 | 403 if plan.credentials.is_some() => {
            "check that key and secret are those of this venue and account, and not of its paper or sandbox side".into()
        }
        401 if plan.needs_credentials => NO_CREDENTIALS.into(),
        401 | 403 | 451 => elsewhere(plan.venue, key),
        407 => PROXY.into(),
        418 | 429 => "wait for the time that it asks for, and let nothing else at this address ask the venue meanwhile; one gateway is enough for all clients".into(),
        500.. => "wait: the fault is the venue's; its status page tells more".into(),
        _ => format!("check the address in {key}"),
    }
}

/// What to do after a connection was lost, or was not made.
pub(super) fn of_break(broken: &Break, plan: &UpstreamPlan) -> String {
    match broken.reason {
        Reason::Connect => "check url, or set proxy if this network lets nothing out without one".into(),
        Reason::ConnectTimeout => format!("{REACH}; connect_timeout_ms allows for a slower way"),
        Reason::Proxy | Reason::ProxyAuth => PROXY.into(),
        Reason::Auth => of_status(401, plan, "url"),
        Reason::Blocked => of_status(451, plan, "url"),
        Reason::RateLimited if plan.venue == Venue::Alpaca => ONE_CONNECTION.into(),
        Reason::RateLimited => of_status(429, plan, "url"),
        Reason::Closed | Reason::Dropped => {
            "try again: the feed connects again by itself; if it stays so, the venue's status page tells more"
                .into()
        }
        Reason::Silent | Reason::Unanswered | Reason::Stuck => SLOW.into(),
        Reason::Oversize | Reason::Protocol => {
            "check that url is the venue's stream, and that no proxy on the way answers in its place".into()
        }
    }
}

fn elsewhere(venue: Venue, key: &str) -> String {
    let others = venue.elsewhere().map_or(String::new(), |others| format!("; {others}"));
    format!(
        "set {key} to an address that may be used from here, or proxy to one in a place where it may{others}"
    )
}

pub(super) const UNDECIDED: &str = "the venue has refused this for a cause of its own: its words and its status page tell more; try again later";

pub(super) const ONE_CONNECTION: &str = "stop what else is connected with these credentials, such as a running gateway: most plans allow one connection a stream";

pub(super) const QUIET: &str = "nothing must be done if these trade seldom; otherwise compare with the venue's own page, and allow more time by --wait";

pub(super) const PACE: &str =
    "report this with the output of --json: the feed should keep to the venue's limit by itself";

/// What to do when nothing came at all.
pub(super) fn no_data(plan: &UpstreamPlan) -> String {
    match plan.venue {
        Venue::Alpaca => "outside of trading hours nothing comes: try stream = \"test\" with symbols = [\"FAKEPACA\"], or look \
                          again when the market is open"
            .into(),
        Venue::Binance => "this venue may accept names that do not exist: check symbols beside the product list, or allow more \
                           time by --wait"
            .into(),
        Venue::Coinbase | Venue::Kraken => "check that these symbols trade, or allow more time by --wait".into(),
    }
}

pub(super) const NOTHING_FOUND: &str =
    "check the patterns in symbols: the venue's products are found by our names, like BTC-USD";

pub(super) const OTHER_LOOK_UP: &str = "check that name in url or products_url; the feed goes on with the others, and without a list with what it knows";

pub(super) const PROXY: &str = "check host, port and credentials of the proxy (proxy and proxy_credentials_file, or the variable), and that it lets us \
     connect to that port; proxy = \"none\" goes without";

pub(super) const PROXY_VARIABLE: &str = "mend that variable, or set proxy, which goes before it";
