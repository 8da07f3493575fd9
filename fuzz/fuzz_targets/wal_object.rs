#![no_main]

use std::panic;

use hexflight_engine::fuzz::wal_object;
use libfuzzer_sys::fuzz_target;

// What arrow panics on is caught, and said to be corrupt: the fuzzer is to see what is not.
fuzz_target!(init: panic::set_hook(Box::new(|_| ())), |bytes: &[u8]| wal_object(bytes));
