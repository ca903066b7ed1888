//! The page at `/`: one document with its style and scripts in it, and a policy under which nothing else runs.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};

/// The page when the dashboard is not built in.
const PAGE: &str = concat!(
    include_str!("../../../web/plain/index.html"),
    "<script>\n",
    include_str!("../../../web/plain/chart.js"),
    "</script>\n"
);

/// What the page may do: run its own style and scripts, by their hashes, and talk to its own gateway. `'self'` has the
/// WebSocket of the same host and port, too (CSP 3, section 6.7.2.8).
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let (styles, scripts) = (hashes(PAGE, "style"), hashes(PAGE, "script"));
    format!(
        "default-src 'none'; style-src {styles}; script-src {scripts}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
});

/// The hash of each element of that name that is written out in a page.
fn hashes(page: &str, element: &str) -> String {
    let (start, end) = (format!("<{element}>"), format!("</{element}>"));
    let texts = page.split(&start).skip(1).filter_map(|rest| rest.split_once(&end));
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())));
    texts.map(|(text, _)| hash(text)).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("content-security-policy", POLICY.as_str()))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("referrer-policy", "no-referrer"))
        .insert_header(("cache-control", "no-cache"))
        .body(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_has_the_hash_of_every_style_and_script_and_nothing_unsafe() {
        // The example of CSP 3, section 8.3.
        let known = "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='";
        assert_eq!(hashes("<script>alert('Hello, world.');</script>", "script"), known);
        assert_eq!(
            POLICY.matches("'sha256-").count(),
            PAGE.matches("<style").count() + PAGE.matches("<script").count()
        );
        assert_eq!(PAGE.matches("<script").count(), 2, "the page and its chart");
        for never in ["unsafe", "ws:", "wss:", "*", "http"] {
            assert!(!POLICY.contains(never), "{never}: {}", *POLICY);
        }
        for handler in [" style=", " onclick=", " onload=", " onerror=", "javascript:"] {
            assert!(!PAGE.contains(handler), "no hash covers {handler}");
        }
    }
}
