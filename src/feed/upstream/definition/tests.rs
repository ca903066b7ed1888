use super::*;
use crate::limits::MAX_VENUE_SYMBOL_BYTES;

fn build(venue: Venue, keys: &str) -> Result<Upstream, String> {
    let definition: Definition = toml::from_str(keys).map_err(|why| why.message().to_owned())?;
    definition.build(venue, Path::new("/nowhere"), &Surroundings::default()).map_err(|why| why.to_string())
}

#[test]
fn what_is_usual_needs_symbols_only() {
    for venue in Venue::ALL {
        let feed = build(venue, "symbols = [\"BTC-USD\", \"ETH-USD\"]").unwrap();
        assert_eq!((feed.symbols(), feed.venue()), (2, venue));
        assert!(feed.plan.is_on_demand && feed.plan.addresses.current().url.starts_with("wss://"));
    }
    let feed = build(Venue::Kraken, "symbols = { BTC-USD = \"XBT/USD\" }").unwrap();
    assert_eq!(feed.plan.names().theirs(Symbol::new("BTC-USD").unwrap()), Some("XBT/USD"));
    assert!(
        build(Venue::Binance, "symbols = [\"A\"]\nrotate_after_ms = 0").unwrap().plan.rotate_after.is_none()
    );
}

#[test]
fn mistakes_are_named_with_their_key() {
    for (venue, keys, start) in [
        (Venue::Binance, "symbols = []", "symbols: there is none"),
        (Venue::Binance, "symbols = [\"BTC-USDT\", \"BTCUSDT\"]", "symbols[1]: BTCUSDT is the same"),
        (Venue::Kraken, "symbols = { A = \"\" }", "symbols.A: the venue's name is empty"),
        (Venue::Kraken, "symbols = 3", "a list of symbols and patterns"),
        (Venue::Kraken, "symbols = [\"A\"]\nurl = \"https://x\"", "url: \"https://x\" must start"),
        (
            Venue::Kraken,
            "symbols = [\"A\"]\nurl = \"ws://example.com\"",
            "url: \"ws://example.com\" is not encrypted",
        ),
        (Venue::Kraken, "symbols = [\"A\"]\ndemand = \"off\"", "unknown variant `off`"),
        (Venue::Kraken, "symbols = [\"A\"]\nlinger_ms = 90000000", "linger_ms: 90000000 is not within 0 to"),
        (Venue::Kraken, "symbols = [\"A\"]\nretry_ms = 60000", "retry_max_ms"),
        (Venue::Kraken, "symbols = [\"A\"]\nrotate_after_ms = 5", "rotate_after_ms: 5 is not within"),
        (Venue::Kraken, "symbols = [\"A\"]\nsilence = 5", "unknown field `silence`"),
        (Venue::Kraken, "symbols = [\"A\"]\ncredentials_file = \"x\"", "credentials_file: the venue asks"),
        (Venue::Alpaca, "symbols = [\"A\"]\ncredentials_file = \"x\"", "credentials_file: /nowhere/x"),
        (Venue::Alpaca, "symbols = [\"A\"]\ntls_ca_file = \"x\"", "tls_ca_file: /nowhere/x"),
    ] {
        match build(venue, keys) {
            // A long first pause alone raises the longest one with it.
            Ok(feed) => {
                assert_eq!((feed.plan.retry.0, start), (feed.plan.retry.1, "retry_max_ms"), "{keys}")
            }
            Err(why) => assert!(why.starts_with(start), "{why}\n{start}"),
        }
    }
    let many: Vec<_> = (0..513).map(|i| format!("\"S{i}\"")).collect();
    let list = format!("symbols = [{}]", many.join(","));
    assert_eq!(
        build(Venue::Binance, &list).unwrap().symbols(),
        513,
        "on demand not all are subscribed at once"
    );
    let why = build(Venue::Binance, &format!("{list}\ndemand = \"always\"")).unwrap_err();
    assert_eq!(why, "symbols: 513 are more than the 512 of one connection");
    let why = build(Venue::Kraken, "symbols = [\"A\"]\nretry_ms = 50\nretry_max_ms = 20").unwrap_err();
    assert_eq!(why, "retry_max_ms: is shorter than retry_ms");
}

#[test]
fn first_values_are_asked_for_where_the_stream_brings_none() {
    let asked = |venue, keys: &str| {
        let feed = build(venue, &format!("symbols = [\"A\"]\n{keys}"))?;
        Ok::<_, String>(feed.plan.first_values.as_ref().map(|address| address.url.clone()))
    };
    let usual = Some("https://api.binance.com/api/v3/ticker/bookTicker".to_owned());
    let own = "first_values_url = \"https://api.example/x\"";
    let elsewhere = "url = \"wss://stream.example/\"";
    for (venue, keys, url) in [
        (Venue::Binance, "", usual.clone()),
        (Venue::Binance, "first_values = \"on\"", usual),
        (Venue::Binance, "first_values = \"off\"", None),
        (Venue::Binance, elsewhere, None),
        (Venue::Binance, &format!("{elsewhere}\n{own}"), Some("https://api.example/x".to_owned())),
        (Venue::Kraken, "", None),
        (Venue::Coinbase, "first_values = \"off\"", None),
        (Venue::Alpaca, "", Some("https://data.alpaca.markets/v2/stocks/quotes/latest?feed=iex".to_owned())),
        (Venue::Alpaca, "url = \"wss://stream.data.alpaca.markets/v2/test\"", None),
    ] {
        assert_eq!(asked(venue, keys).unwrap(), url, "{venue:?} {keys}");
    }
    for (venue, keys, start) in [
        (Venue::Kraken, "first_values = \"on\"", "first_values: is of no use: the venue's stream"),
        (Venue::Coinbase, own, "first_values_url: is of no use: the venue's stream"),
        (Venue::Binance, &format!("first_values = \"off\"\n{own}"), "first_values_url: is of no use: first"),
        (Venue::Binance, &format!("first_values = \"on\"\n{elsewhere}"), "first_values_url: must be given"),
        (Venue::Binance, "first_values_url = \"http://example.com/\"", "first_values_url: \"http://exa"),
        (Venue::Binance, "first_values = \"maybe\"", "unknown variant `maybe`"),
        (
            Venue::Alpaca,
            "first_values = \"on\"\nurl = \"wss://stream.data.alpaca.markets/v2/test\"",
            "first_values: the venue has none",
        ),
    ] {
        let why = asked(venue, keys).unwrap_err();
        assert!(why.starts_with(start), "{why}\n{start}");
    }
}

#[test]
fn a_stream_has_a_name_instead_of_an_address() {
    let built = |venue, keys: &str| build(venue, &format!("symbols = [\"*\"]\n{keys}"));
    for (stream, ends, list) in [
        ("sip", "/v2/sip", "us_equity"),
        ("overnight", "/v1beta1/overnight", "us_equity"),
        ("crypto/us-1", "/v1beta3/crypto/us-1", "crypto"),
    ] {
        let plan = built(Venue::Alpaca, &format!("stream = \"{stream}\"")).unwrap().plan;
        assert!(plan.addresses.current().url.ends_with(ends), "{stream}");
        assert!(plan.product_source.as_ref().unwrap().url.url.ends_with(list), "{stream}");
        assert!(plan.first_values.is_some(), "{stream}");
    }
    for (venue, keys, start) in [
        (
            Venue::Alpaca,
            "stream = \"delayed\"",
            "stream: \"delayed\" is none of iex, sip, delayed_sip, boats",
        ),
        (Venue::Kraken, "stream = \"iex\"", "stream: kraken has one stream only"),
        (Venue::Alpaca, "stream = \"iex\"\nurl = \"wss://x/\"", "stream: is of no use: there is a url"),
    ] {
        let why = built(venue, keys).unwrap_err();
        assert!(why.starts_with(start), "{why}\n{start}");
    }
}

#[test]
fn patterns_names_and_the_product_list() {
    let feed = build(Venue::Kraken, "symbols = [\"BTC-USD\", \"*-EUR\", \"!DOGE-*\"]").unwrap();
    assert_eq!((feed.symbols(), feed.catalogue.is_some()), (1, true));
    let product_source = feed.plan.product_source.as_ref().unwrap();
    assert!(product_source.url.is_tls && product_source.url.url.starts_with("https://api.kraken.com/"));
    assert!(
        build(Venue::Kraken, "symbols = [\"BTC-USD\"]").unwrap().plan.product_source.is_none(),
        "nobody asks for it"
    );
    let crypto = "url = \"wss://stream.data.alpaca.markets/v1beta3/crypto/us\"\nsymbols = [\"*\"]";
    let feed = build(Venue::Alpaca, crypto).unwrap();
    assert!(feed.plan.product_source.as_ref().unwrap().url.url.ends_with("asset_class=crypto"));
    let named = "symbols = [\"BTC-USD\", \"*-EUR\"]\nnames = { BTC-USD = \"XBT/USD\", X-EUR = \"Y/EUR\" }";
    assert_eq!(
        build(Venue::Kraken, named).unwrap().plan.names().ours("XBT/USD").unwrap().as_str(),
        "BTC-USD"
    );
    for keys in [
        "symbols = { BNBLIFE-USDT = \"币安人生USDT\" }",
        "symbols = [\"BNBLIFE-USDT\"]\nnames = { BNBLIFE-USDT = \"币安人生USDT\" }",
    ] {
        let names = build(Venue::Binance, keys).unwrap().plan.names();
        assert_eq!(names.ours("币安人生USDT").unwrap().as_str(), "BNBLIFE-USDT", "any letters will do");
    }
    let long = format!("symbols = {{ A = \"{}\" }}", "币".repeat(MAX_VENUE_SYMBOL_BYTES));
    assert!(
        build(Venue::Binance, &long).unwrap_err().starts_with("symbols.A: the venue's name has 600 char")
    );
    for (keys, start) in [
        ("symbols = [\"*-eur\"]", "symbols[0]: \"*-eur\" is no pattern"),
        ("symbols = [\"btc\"]", "symbols[0]: \"btc\" has 'b'"),
        (
            "symbols = [\"AAPLx/USD\"]",
            "symbols[0]: \"AAPLx/USD\" has 'x', allowed are A-Z 0-9 . _ - / :. If kraken calls it so, give it a name of \
             your own: names = { NAME = \"AAPLx/USD\" }, and list NAME",
        ),
        ("symbols = [\"币安人生USDT\"]", "symbols[0]: \"币安人生USDT\" has '币'"),
        ("symbols = [\"!BTC-USD\"]", "symbols: there are exclusions and no pattern"),
        ("symbols = [\"A\"]\nnames = { B = \"C\" }", "names.B: is not among the symbols"),
        ("symbols = [\"*\"]\nnames = { A = \"X\", B = \"X\" }", "names.B: \"X\" is the venue's name of A"),
        ("symbols = [\"*\"]\nnames = { A = \"\" }", "names.A: the venue's name is empty"),
        ("symbols = [\"*\"]\nurl = \"ws://127.0.0.1:9/\"", "products_url: must be given"),
        (
            "symbols = [\"*\"]\nproducts_url = \"http://example.com/\"",
            "products_url: \"http://example.com/\" is not enc",
        ),
        (
            "symbols = [\"*\"]\nproducts_url = \"wss://example.com/\"",
            "products_url: \"wss://example.com/\" must start with https",
        ),
        ("symbols = [\"*\"]\nproducts_refresh_ms = 5", "products_refresh_ms: 5 is not within"),
        ("symbols = [\"A\"]\nproducts_timeout_ms = 5", "products_url: is of no use"),
        ("symbols = [\"A\"]\nsymbols_per_connection = 0", "symbols_per_connection: 0 is not within 1 to"),
    ] {
        let why = build(Venue::Kraken, keys).unwrap_err();
        assert!(why.starts_with(start), "{why}\n{start}");
    }
    let why = build(Venue::Binance, "symbols = [\"A\"]\nsymbols_per_connection = 513").unwrap_err();
    assert_eq!(why, "symbols_per_connection: 513 is not within 1 to 512");
}
