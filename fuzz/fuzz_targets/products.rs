//! Any bytes as a product list; the first one says whose.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tickcast::dialect::Venue;

fuzz_target!(|bytes: &[u8]| {
    let Some((venue, list)) = bytes.split_first() else { return };
    tickcast_fuzz::products_kept(Venue::ALL[usize::from(*venue) % Venue::ALL.len()], list);
});
