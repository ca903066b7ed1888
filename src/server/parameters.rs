//! Parameters of a request's address. What is wrong is told with the parameter's name.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use serde::{Deserialize, de::DeserializeOwned};

use super::refusal::Refusal;
use crate::limits::MAX_SYMBOL_LEN;

/// Longest message about a query, in characters.
const REPEATED: usize = 300;

/// The parameters of a request, or the answer that says what is wrong with them.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest for Parameters<T> {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _body: &mut Payload) -> Self::Future {
        ready(read(request.query_string()).map(Self))
    }
}

/// The parameters of what has none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoParameters {}

/// Reads a query. `_` passes everywhere: it makes an address another one, so that no cache answers.
///
/// # Errors
/// A parameter that is unknown or repeated, by its name.
pub(super) fn read<T: DeserializeOwned>(query: &str) -> Result<T, Refusal> {
    let is_ours = |pair: &&str| !matches!(pair.split('=').next(), Some("_" | "%5F" | "%5f"));
    let ours: Vec<_> = query.split('&').filter(is_ours).collect();
    web::Query::from_query(&ours.join("&")).map(web::Query::into_inner).map_err(|why| {
        let why = why.to_string();
        let why =
            why.strip_prefix("Query deserialize error: ").unwrap_or(&why).replacen("field", "parameter", 1);
        Refusal::parameter(why.chars().take(REPEATED).collect::<String>())
    })
}

/// The beginning of a name, as an answer repeats it.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MAX_SYMBOL_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_parameters_are_named_and_a_cache_buster_passes() {
        #[derive(Debug, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Query {
            limit: Option<String>,
        }
        for (text, limit) in [
            ("", None),
            ("&", None),
            ("_=1", None),
            ("_&limit=5&_=2&%5F=3", Some("5")),
            ("limit=", Some("")),
            ("limit=a%20b+c", Some("a b c")),
        ] {
            let limit = limit.map(str::to_owned);
            assert_eq!(read::<Query>(text), Ok(Query { limit }), "{text}");
        }
        for (text, why) in [
            ("limt=5", "unknown parameter `limt`, expected `limit`"),
            ("x", "unknown parameter `x`"),
            ("__=1", "unknown parameter `__`"),
            ("limit=1&limit=2", "duplicate parameter `limit`"),
        ] {
            let bad = read::<Query>(text).unwrap_err();
            assert!(bad.msg.starts_with(why), "{text}: {bad:?}");
        }
        let long = "x".repeat(10_000);
        assert!(read::<Query>(&long).unwrap_err().msg.len() <= REPEATED);
        assert!(read::<NoParameters>("x=1").unwrap_err().msg.contains("`x`"));
    }
}
