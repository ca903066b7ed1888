//! Any bytes as a client's command or a producer's tick.

#![no_main]

mod promises;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| promises::native_kept(bytes));
