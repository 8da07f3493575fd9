#![no_main]

#[path = "../sql_text.rs"]
mod sql_text;

use std::{panic, sync::LazyLock};

use libfuzzer_sys::fuzz_target;

use self::sql_text::Statements;

static STATEMENTS: LazyLock<Statements> = LazyLock::new(Statements::new);

// Panics of the planner's threads become errors, of which the target complains.
fuzz_target!(init: panic::set_hook(Box::new(|_| ())), |bytes: &[u8]| STATEMENTS.plan(bytes));
