//! What the fuzz targets promise holds for the frames that they start from; `fuzz/` goes on from there.

use std::path::Path;

use tickcast::dialect::Venue;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "the same file is a library of its own")]
pub(crate) mod promises;

/// The files of one target.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn seeds_of_the_fuzz_targets_keep_their_promises_in_any_escapes() {
    for venue in Venue::ALL {
        let frames = seeds(venue.as_str());
        assert!(frames.len() > 5, "{venue:?}");
        frames.iter().for_each(|frame| promises::kept(venue, frame));
    }
    seeds("native").iter().for_each(|bytes| promises::native_kept(bytes));
    let batches = seeds("cluster");
    assert!(batches.len() > 2);
    batches.iter().for_each(|bytes| promises::cluster_kept(bytes));
    for bytes in seeds("products") {
        let (venue, list) = bytes.split_first().unwrap();
        promises::products_kept(Venue::ALL[usize::from(*venue) % Venue::ALL.len()], list);
    }
}
