//! Every recording read as every venue: what is not the venue's gives no tick, and it is said whose it looks like.

use std::path::Path;

use tickcast::{
    feed::replay::{Definition, Sample},
    market::Source,
};

use super::folder;

/// The folders with frames of venues, the four that can be read and others.
const VENUES: [&str; 7] = ["binance", "coinbase", "kraken", "alpaca", "okx", "bybit", "bitstamp"];

const FORMATS: [&str; 5] = ["binance", "coinbase", "kraken", "alpaca", "native"];

fn sample(file: &Path, format: &str) -> Sample {
    let definition: Definition = toml::from_str(&format!("path = {file:?}\nformat = \"{format}\"")).unwrap();
    definition.build(Path::new("/")).unwrap().sample(Source::new("f").unwrap()).remove(0)
}

#[test]
fn every_recording_read_as_every_venue_says_what_it_is() {
    let Some(folder) = folder() else { return };
    let mut told = 0;
    for venue in VENUES {
        for entry in std::fs::read_dir(folder.join(venue)).unwrap() {
            let file = entry.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap();
            // Answers of other interfaces, which hold no frames of the stream.
            let has_no_frames = name.contains("rest") || name.contains("assetpairs");
            for format in FORMATS {
                let found = sample(&file, format);
                let shown = format!("{venue}/{name} as {format}: {:?}", found.complaint());
                if venue == format {
                    let looks = found.findings.looks_like();
                    assert!(looks.is_none_or(|whose| whose == venue), "{shown}");
                    continue;
                }
                assert_eq!(found.findings.ticks(), 0, "{shown}");
                let complaint = found.complaint().unwrap_or_else(|| panic!("{shown}"));
                if !has_no_frames {
                    assert!(complaint.contains(&format!("looks like {venue}")), "{shown}");
                    assert!(found.is_useless(), "{shown}");
                    told += 1;
                }
            }
        }
    }
    assert!(told > 40, "{told}");
    eprintln!("{told} pairs of recording and venue are told apart");
}

#[test]
fn shipped_recordings_read_as_another_venue_say_what_they_are() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/recordings");
    for (file, own) in
        [("binance.ns.gz", "binance"), ("coinbase.ns.gz", "coinbase"), ("native.ndjson.gz", "native")]
    {
        for format in FORMATS {
            let found = sample(&folder.join(file), format);
            if format == own {
                assert!(found.findings.ticks() > 0 && found.complaint().is_none(), "{file}: {found:?}");
                continue;
            }
            assert_eq!(found.findings.ticks(), 0, "{file} as {format}");
            let complaint = found.complaint().unwrap();
            assert!(complaint.contains(&format!("looks like {own}")), "{file} as {format}: {complaint}");
        }
    }
}
