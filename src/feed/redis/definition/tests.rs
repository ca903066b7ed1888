//! What a definition may say.

use std::path::Path;

use super::*;

const PUBSUB: &str = "url = \"redis://a\"\nmode = \"pubsub\"\nchannels = [\"ticks\"]\n";
const STREAM: &str = "url = \"redis://a\"\nmode = \"stream\"\nstreams = [\"ticks\"]\n";

fn build(text: &str) -> Result<Redis, String> {
    let definition: Definition = toml::from_str(text).map_err(|why| why.message().to_owned())?;
    definition.build(Path::new("/nowhere")).map_err(|why| why.to_string())
}

#[test]
fn both_modes_are_built_with_the_symbols_that_they_name() {
    for text in [
        PUBSUB.to_owned(),
        format!("{PUBSUB}patterns = [\"t.*\"]\nnumbers = true"),
        format!("{PUBSUB}format = \"binance\"\nsymbols = {{ BTCUSDT = \"BTC-USDT\" }}"),
        STREAM.to_owned(),
        format!("{STREAM}from = \"oldest\"\nfield = \"tick\"\nsource = \"NYSE\""),
        format!("{STREAM}from = \"1526919030474-0\""),
        format!("{STREAM}fields = {{ kind = \"trades\", symbol = \"A\", price = \"p\", size = \"q\" }}"),
    ] {
        build(&text).unwrap_or_else(|why| panic!("{text}: {why}"));
    }
    let names =
        |text: &str| build(text).unwrap().symbols().map(|symbol| symbol.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&format!("{PUBSUB}symbols = [\"A\", \"B\"]")), ["A", "B"]);
    assert_eq!(
        names(&format!("{PUBSUB}format = \"kraken\"\nsymbols = {{ x = \"B\", y = \"A\" }}")),
        ["A", "B"]
    );
    let fields =
        "fields = { kind = \"trades\", symbol = \"C\", price = \"p\", size = \"q\" }\nsymbols = [\"A\"]";
    assert_eq!(names(&format!("{STREAM}{fields}")), ["A", "C"]);
}

#[test]
fn a_mistake_is_told_with_its_key() {
    let fields = "fields = { kind = \"trades\", symbol = \"A\", price = \"p\", size = \"q\" }";
    let many = vec!["\"x\""; REDIS_STREAMS + 1].join(",");
    for (text, start) in [
        ("mode = \"pubsub\"".to_owned(), "url: found nothing"),
        (PUBSUB.replace("redis://a", "redis://:hush@a"), "url: expected no name and no password"),
        (PUBSUB.replace("pubsub", "push"), "unknown variant `push`"),
        (PUBSUB.replace("[\"ticks\"]", "[]"), "channels: found none"),
        (PUBSUB.replace("\"ticks\"", "\"\""), "channels[0]: expected 1 to"),
        (PUBSUB.replace("\"ticks\"", "\"a\", \"a\""), "channels[1]: \"a\" is there twice"),
        (format!("{PUBSUB}streams = [\"x\"]"), "streams: belongs to mode = \"stream\" only"),
        (format!("{PUBSUB}from = \"new\""), "from: belongs to"),
        (format!("{PUBSUB}{fields}"), "fields: belongs to"),
        (format!("{PUBSUB}channel = \"x\""), "unknown field `channel`"),
        (format!("{PUBSUB}symbols = [\"a b\"]"), "symbols[0]: \"a b\""),
        (format!("{PUBSUB}symbols = {{ x = \"A\" }}"), "symbols: has names for a venue's symbols"),
        (format!("{PUBSUB}format = \"binance\"\nsymbols = {{ x = \"a b\" }}"), "symbols.x: \"a b\""),
        (format!("{PUBSUB}format = \"binance\"\nnumbers = true"), "numbers: belongs to"),
        (format!("{PUBSUB}format = \"okx\""), "unknown variant `okx`"),
        (format!("{PUBSUB}max_symbols = 0"), "max_symbols: 0 is not from 1"),
        (format!("{PUBSUB}symbols = [\"A\", \"B\"]\nmax_symbols = 1"), "max_symbols: 1 is not"),
        (format!("{PUBSUB}expire_ms = 1"), "expire_ms: 1 is not"),
        (STREAM.replace("[\"ticks\"]", "[]"), "streams: found none"),
        (STREAM.replace("\"ticks\"", &many), "streams: found 65, expected at most 64"),
        (format!("{STREAM}channels = [\"x\"]"), "channels: belongs to mode = \"pubsub\" only"),
        (format!("{STREAM}from = \"$\""), "from: \"$\" is neither"),
        (format!("{STREAM}field = \"x\"\n{fields}"), "field: expected either"),
        (format!("{STREAM}format = \"binance\"\n{fields}"), "format: does not go together"),
        (format!("{STREAM}numbers = true\n{fields}"), "numbers: does not go together"),
        (format!("{STREAM}fields = {{ kind = \"trades\" }}"), "fields.symbol: give either"),
    ] {
        let why = build(&text).map(|_| ()).unwrap_err();
        assert!(why.starts_with(start), "{text}: {why}");
    }
}
