//! Hexflight.
#![allow(dead_code)]
mod config;
mod error;
mod telemetry;
mod flight;
pub use config::*;
pub use error::*;
