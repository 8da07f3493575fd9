#![no_main]

use std::panic;

use hexflight::fuzz::ipc_messages;
use libfuzzer_sys::fuzz_target;

// What arrow panics on is caught, and refused: the fuzzer is to see what is not.
fuzz_target!(init: panic::set_hook(Box::new(|_| ())), |bytes: &[u8]| ipc_messages(bytes));
