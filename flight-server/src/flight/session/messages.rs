//! The messages of session actions, which arrow-flight does not generate. **Source**: `Flight.proto` of Arrow.

use std::collections::HashMap;

use prost::Message;

/// Value of an option; without one, the option is set back.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub(crate) value: Option<Value>,
}

/// What an option can hold.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Value {
    /// Text.
    #[prost(string, tag = "1")]
    Text(String),
    /// Yes or no.
    #[prost(bool, tag = "2")]
    Flag(bool),
    /// A whole number.
    #[prost(sfixed64, tag = "3")]
    Whole(i64),
    /// A number.
    #[prost(double, tag = "4")]
    Real(f64),
    /// Several texts.
    #[prost(message, tag = "5")]
    Texts(Texts),
}

/// `StringListValue`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Texts {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

/// `SetSessionOptionsRequest` and `GetSessionOptionsResult`, which have the same field.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Options {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

/// `SetSessionOptionsResult`: the options that were not set, and why.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, SetError>,
}

/// `SetSessionOptionsResult.Error`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct SetError {
    #[prost(enumeration = "ErrorValue", tag = "1")]
    pub(super) value: i32,
}

/// `SetSessionOptionsResult.ErrorValue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum ErrorValue {
    Unspecified = 0,
    /// There is no such option.
    InvalidName = 1,
    /// The option cannot have this value.
    InvalidValue = 2,
}

/// `CloseSessionResult`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct CloseResult {
    #[prost(enumeration = "CloseStatus", tag = "1")]
    pub(super) status: i32,
}

/// `CloseSessionResult.Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum CloseStatus {
    Unspecified = 0,
    /// The session is gone.
    Closed = 1,
}
