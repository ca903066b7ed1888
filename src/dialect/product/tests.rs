use super::*;

fn read(venue: Venue, list: &str) -> ProductList {
    venue.products(list.as_bytes()).unwrap_or_else(|why| panic!("{list}: {why}"))
}

/// `theirs ours listing tick lot` of each.
fn shown(list: &ProductList) -> Vec<String> {
    let show = |product: &Product| {
        let Increments { tick, lot } = product.increments;
        let listing = match &product.listing {
            Listing::Trades => "trades",
            Listing::Halted(word) => word,
            Listing::Delisted => "delisted",
        };
        let ours = product.ours.map_or_else(|| "-".to_owned(), |ours| ours.to_string());
        format!("{} {ours} {listing} {tick:?} {lot:?}", product.theirs)
    };
    list.products.iter().map(show).collect()
}

#[test]
fn binance_has_base_and_quote() {
    let list = r#"{"timezone":"UTC","symbols":[
        {"symbol":"BTCUSDT","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT","filters":[
            {"filterType":"LOT_SIZE","minQty":"0.00001000","stepSize":"0.00001000"},
            {"filterType":"PRICE_FILTER","minPrice":"0.01000000","tickSize":"0.01000000"}]},
        {"symbol":"BTCTUSD","status":"BREAK","baseAsset":"BTC","quoteAsset":"TUSD","filters":[
            {"filterType":"LOT_SIZE","stepSize":"0.00000000"}]},
        {"symbol":"BTCUSDT_260327","status":"TRADING","baseAsset":"BTC","quoteAsset":"USDT"},
        {"symbol":"1000SATSUSDT","status":"TRADING","baseAsset":"1000SATS","quoteAsset":"USDT"},
        {"symbol":"币USDT","status":"TRADING","baseAsset":"币","quoteAsset":"USDT"},
        {"symbol":"ETHUSDT","status":"TRADING","baseAsset":"ETH"}, 7]}"#;
    let read = read(Venue::Binance, list);
    assert_eq!(
        shown(&read),
        [
            "BTCUSDT BTC-USDT trades Some(0.01000000) Some(0.00001000)",
            "BTCTUSD BTC-TUSD BREAK None None",
            "BTCUSDT_260327 BTC-USDT_260327 trades None None",
            "1000SATSUSDT 1000SATS-USDT trades None None",
            "币USDT - trades None None",
        ]
    );
    assert_eq!(read.skipped, 2);
    assert!(matches!(read.complaint, Some(ParseError::Shape(_))), "{:?}", read.complaint);
}

#[test]
fn coinbase_has_our_names() {
    let list = r#"[{"id":"BTC-USD","base_currency":"BTC","quote_currency":"USD","quote_increment":"0.01",
            "base_increment":"0.00000001","status":"online","trading_disabled":false},
        {"id":"A-USD","status":"online","trading_disabled":true}, {"id":"B-USD","status":"delisted"},
        {"id":"C-USD","status":"offline"}, {"id":"D-USD","status":"online","cancel_only":true}]"#;
    assert_eq!(
        shown(&read(Venue::Coinbase, list)),
        [
            "BTC-USD BTC-USD trades Some(0.01) Some(0.00000001)",
            "A-USD A-USD trading disabled None None",
            "B-USD B-USD delisted None None",
            "C-USD C-USD offline None None",
            "D-USD D-USD cancel only None None",
        ]
    );
}

#[test]
fn kraken_is_read_the_same_with_its_newer_names_and_with_the_older_ones() {
    let entry = r#""altname":"BTCUSD","lot_decimals":8,"tick_size":"0.1","status":"online""#;
    for list in [
        format!(r#"{{"error":[],"result":{{"XXBTZUSD":{{"wsname":"XBT/USD",{entry}}}}}}}"#),
        format!(r#"{{"error":[],"result":{{"BTC/USD":{{"wsname":"XBT/USD",{entry}}}}}}}"#),
        format!(r#"{{"error":[],"result":{{"BTC/USD":{{"wsname":"BTC/USD",{entry}}}}}}}"#),
        format!(r#"{{"error":[],"result":{{"BTC/USD":{{{entry}}}}}}}"#),
        format!(r#"{{"error":[],"result":{{"BTCUSD":{{"wsname":"BTC/USD",{entry}}}}}}}"#),
    ] {
        let products = shown(&read(Venue::Kraken, &list));
        assert_eq!(products, ["BTC/USD BTC-USD trades Some(0.1) Some(0.00000001)"], "{list}");
    }
}

#[test]
fn tokenized_stocks_of_kraken_have_names_of_ours_and_keep_their_own() {
    let list = r#"{"error":[],"result":{
        "AAPLxUSD":{"altname":"AAPLxUSD","wsname":"AAPLx/USD","aclass_base":"tokenized_asset","base":"AAPLx","status":"online"},
        "BRK.Bx/USD":{"altname":"BRK.BxUSD","aclass_base":"tokenized_asset","base":"BRK.Bx","status":"online"}}}"#;
    assert_eq!(
        shown(&read(Venue::Kraken, list)),
        ["AAPLx/USD AAPLX-USD trades None None", "BRK.Bx/USD BRK.BX-USD trades None None"]
    );
}

#[test]
fn kraken_has_older_names_of_some_assets() {
    let list = r#"{"error":[],"result":{
        "XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT/USD","base":"XXBT","lot_decimals":8,"tick_size":"0.1","status":"online"},
        "XDGEUR":{"wsname":"XDG/EUR","lot_decimals":8,"tick_size":"0.0000001","status":"cancel_only"},
        "ETHXBT":{"wsname":"ETH/XBT","lot_decimals":99,"status":"limit_only"},
        "XBTUSD.d":{"altname":"XBTUSD.d"}}}"#;
    let read = read(Venue::Kraken, list);
    assert_eq!(
        shown(&read),
        [
            "BTC/USD BTC-USD trades Some(0.1) Some(0.00000001)",
            "DOGE/EUR DOGE-EUR cancel_only Some(0.0000001) Some(0.00000001)",
            "ETH/BTC ETH-BTC trades None None",
        ]
    );
    assert_eq!(read.skipped, 1);
}

#[test]
fn alpaca_has_stocks_and_pairs() {
    let list = r#"[{"id":"a","class":"us_equity","symbol":"BRK.B","status":"active","tradable":false},
        {"class":"crypto","symbol":"BTC/USD","status":"active","min_trade_increment":"0.0001","price_increment":"1"},
        {"class":"us_equity","symbol":"GONE","status":"inactive"}]"#;
    assert_eq!(
        shown(&read(Venue::Alpaca, list)),
        [
            "BRK.B BRK.B trades None None",
            "BTC/USD BTC-USD trades Some(1) Some(0.0001)",
            "GONE GONE delisted None None"
        ]
    );
}

#[test]
fn what_is_no_list_is_refused() {
    for (venue, list, why) in [
        (
            Venue::Binance,
            r#"{"code":-1003,"msg":"Too many requests"}"#,
            "the venue says \"Too many requests\"",
        ),
        (Venue::Binance, "{}", "symbols is missing in \"exchangeInfo\""),
        (Venue::Binance, r#"{"symbols":[]}"#, "there is no product in it"),
        (Venue::Binance, r#"{"symbols":{}}"#, "not the expected JSON: invalid type: map, expected products"),
        (Venue::Coinbase, r#"{"message":"rate limit exceeded"}"#, "the venue says \"rate limit exceeded\""),
        (Venue::Coinbase, "<html>", "not the expected JSON: expected value"),
        (Venue::Coinbase, "[{\"id\":3}]", "not the expected JSON: invalid type"),
        (Venue::Kraken, r#"{"error":["EGeneral:Too busy"]}"#, "the venue says \"EGeneral:Too busy\""),
        (Venue::Kraken, r#"{"error":[]}"#, "result is missing in \"AssetPairs\""),
        (
            Venue::Alpaca,
            r#"{"code":40110000,"message":"request is not authorized"}"#,
            "the venue says \"request",
        ),
        (Venue::Alpaca, "[] []", "not the expected JSON: trailing"),
    ] {
        let refused = venue.products(list.as_bytes()).unwrap_err().to_string();
        assert!(refused.starts_with(why), "{venue:?} {list}: {refused}");
    }
}

#[test]
fn a_list_without_end_is_refused_at_the_limit() {
    let list = format!("[{}7]", "7,".repeat(MAX_PRODUCTS));
    let why = Venue::Coinbase.products(list.as_bytes()).unwrap_err().to_string();
    assert!(why.contains(&format!("more than {MAX_PRODUCTS} products")), "{why}");
}
