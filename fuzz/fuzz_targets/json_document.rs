#![no_main]

use hexflight::fuzz::json_document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| json_document(bytes));
