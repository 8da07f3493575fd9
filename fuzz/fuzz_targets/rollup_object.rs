#![no_main]

use hexflight_engine::fuzz::rollup_object;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| rollup_object(bytes));
