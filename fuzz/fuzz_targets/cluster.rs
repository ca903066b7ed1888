//! Any bytes as what one node of a cluster writes for the others.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| tickcast_fuzz::cluster_kept(bytes));
