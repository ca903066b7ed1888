//! Texts as editors, shells and other people's programs write them: with a byte order mark, with escapes, in UTF-16.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tickcast::{
    config::{Config, Flags},
    server::Driver,
};

use crate::util::{PATIENCE, TestGateway};

const CONFIG: &str = "feeds = [\"desk.toml\"]\n[server]\nbind = \"127.0.0.1:1\"\nworkers = 3\n";
const DEFINITION: &str = "[[feed]]\nname = \"desk\"\nkind = \"push\"\nsymbols = [\"A\"]\n";

fn load(folder: &Path) -> Result<Config, String> {
    let flags = Flags { config: Some(folder.join("tickcast.toml")), ..Flags::default() };
    Config::load(&flags, [], folder).map_err(|errors| errors.to_string())
}

#[test]
fn a_byte_order_mark_before_a_configuration_means_nothing_and_utf_16_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let utf16 = |text: &str| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
    };
    write("tickcast.toml", &marked(CONFIG));
    write("desk.toml", &marked(DEFINITION));
    let config = load(folder.path()).unwrap();
    assert_eq!((config.server.workers, config.feeds[0].symbols), (3, 1));
    let feeds = Config::load_definition(&folder.path().join("desk.toml"), []).unwrap();
    assert_eq!(feeds[0].name.as_str(), "desk");
    // A mistake is still told with its line.
    write("tickcast.toml", &marked(&CONFIG.replace("workers = 3", "workers = 0")));
    let why = load(folder.path()).unwrap_err();
    assert!(why.contains("tickcast.toml:4"), "{why}");
    write("tickcast.toml", &utf16(CONFIG));
    let why = load(folder.path()).unwrap_err();
    assert!(why.contains("tickcast.toml") && why.contains("it is UTF-16"), "{why}");
    write("tickcast.toml", CONFIG.as_bytes());
    write("desk.toml", &utf16(DEFINITION));
    let why = load(folder.path()).unwrap_err();
    assert!(why.contains("desk.toml") && why.contains("it is UTF-16"), "{why}");
}

on_both_drivers! {
    a_published_body_may_have_a_byte_order_mark_and_escapes,
}

async fn a_published_body_may_have_a_byte_order_mark_and_escapes(driver: Driver) {
    let gateway = TestGateway::with_push(driver, &[("desk", false)]);
    let post = async |body: Vec<u8>| {
        let url = format!("http://{}/v1/publish?feed=desk", gateway.address);
        let request = reqwest::Client::new().post(url).timeout(PATIENCE).body(body);
        let response = request.header("content-type", "application/x-ndjson").send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    let line = r#"{"S":"EUR\/USD","\u0070":"1\u002e5","s":"2","id":"","side":"\u0062uy"}"#;
    let taken = json!({"accepted": 1, "rejected": 0, "errors": []});
    for body in [format!("{line}\n"), format!("\u{feff}{line}\n"), format!("\u{feff}[{line}]")] {
        assert_eq!(post(body.clone().into_bytes()).await, (200, taken.clone()), "{body}");
    }
    let (_, body) = gateway.get("/v1/trades/EUR%2FUSD");
    let page: Value = serde_json::from_str(&body).unwrap();
    let last = page["trades"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["S"], &last["p"], &last["side"]), (&json!("EUR/USD"), &json!("1.5"), &json!("buy")));
    assert!(last.get("id").is_none(), "an empty id is absent: {last}");
    let utf16: Vec<u8> = format!("\u{feff}{line}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (status, answer) = post(utf16).await;
    assert_eq!(status, 400);
    assert!(answer["msg"].as_str().unwrap().contains("UTF-16"), "{answer}");
}
