//! Any bytes as a client's command or a producer's tick.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tickcast_fuzz::native_kept(bytes));
