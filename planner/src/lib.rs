//! Hexflight.
