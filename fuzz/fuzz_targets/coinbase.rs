//! Any bytes as a frame of Coinbase.

#![no_main]

mod promises;

use libfuzzer_sys::fuzz_target;
use tickcast::dialect::Venue;

fuzz_target!(|frame: &[u8]| promises::kept(Venue::Coinbase, frame));
