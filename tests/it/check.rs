//! `tickcast check` on recordings: what it says of them, and with which exit code.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn check(folder: &Path, file: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickcast"));
    let Output { status, stdout, stderr } =
        command.args(["check", file]).current_dir(folder).env_clear().output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn definition(path: &str, keys: &str) -> String {
    format!("[[feed]]\nname = \"r\"\nkind = \"replay\"\npath = \"{path}\"\n{keys}\n")
}

#[test]
fn check_says_what_a_shipped_recording_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    for (name, holds) in [
        ("binance", "826 ticks of 2 symbols (BTC-USD, ETH-USD), 2026-01-05T14:3"),
        ("coinbase", "825 ticks of 2 symbols (BTC-USD, ETH-USD), 2026-01-05T14:3"),
        ("native", "1506 ticks of "),
        ("csv", "233 ticks of 2 symbols (AAPL, MSFT), 2026-01-05T14:3"),
        ("dbn", "233 ticks of 2 symbols (AAPL, MSFT), 2026-01-05T14:3"),
    ] {
        let (code, out, err) = check(&folder, &format!("replay-{name}.toml"));
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(out.contains(holds) && out.contains(" lines: ") && !out.contains("warning"), "{out}");
    }
}

#[test]
fn check_tells_what_is_wrong_with_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let okx = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"px":"1"}]}"#;
    write("okx.ndjson", &format!("{okx}\n").repeat(3));
    write("okx.toml", &definition("okx.ndjson", "format = \"binance\""));
    let (code, out, err) = check(folder.path(), "okx.toml");
    assert_eq!(code, Some(1), "{out}{err}");
    let warning = "warning: no tick in 3 lines, of which none was understood as binance; this looks like okx";
    assert!(out.contains(warning), "{out}");
    assert!(err.contains("1 recording cannot be played as the definition says"), "{err}");

    let columns = "csv = { kind = \"trades\", symbol = \"A\", time = \"time\", time_unit = \"us\", price = \"p\", size = \"s\" }";
    write("ms.csv", "time,p,s\n1700000000000,1.5,2\n1700000000001,1.5,2\n");
    write("ms.toml", &definition("ms.csv", &format!("format = \"csv\"\n{columns}")));
    let (code, out, _) = check(folder.path(), "ms.toml");
    assert_eq!(code, Some(1), "{out}");
    for part in [
        "time 2 (",
        "ms.csv:2: column 0 (time): time: \"1700000000000\" is not a plausible time in us",
        "2023-11-14T22:13:20Z in ms, 1970-01-20T16:13:20Z in us",
        "set csv.time_unit = \"ms\"",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }

    // What is skipped beside good rows is told, and is no reason to fail.
    write("some.csv", "time,p,s\n1700000000000000,1.5,2\n1700000000000001,x,2\n1700000000000002,1.5,\"2\n");
    write("some.toml", &definition("some.csv", &format!("format = \"csv\"\n{columns}")));
    let (code, out, err) = check(folder.path(), "some.toml");
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("3 lines: 1 tick of 1 symbol (A), 2023-11-14T22:13:20.000000Z"), "{out}");
    assert!(out.contains("cut_off 1 (") && out.contains("number 1 ("), "{out}");
}
