//! Any bytes as a frame of Kraken.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tickcast::dialect::Venue;

fuzz_target!(|frame: &[u8]| tickcast_fuzz::kept(Venue::Kraken, frame));
