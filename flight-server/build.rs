//! How the binary that users copy is linked: without debug information and symbols, unless `HEXFLIGHT_SYMBOLS` is set, and with one copy of functions
//! that are the same, of which generic code has many. (`strip` in the profile would build every dependency anew to leave them out or in.)

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=HEXFLIGHT_SYMBOLS");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    if env::var_os("HEXFLIGHT_SYMBOLS").is_none() {
        println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    }
    // Only of the linker that comes with Rust.
    let is_own_linker = env::var_os("RUSTC_LINKER").is_none()
        && !env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default().contains("link");
    if is("TARGET", "x86_64-unknown-linux-gnu") && is_own_linker {
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=all");
    }
}
