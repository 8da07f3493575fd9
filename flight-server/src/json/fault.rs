//! `Fault`: what is wrong with one event of a body and where; `Faults` counts all of them and keeps the first.

use std::borrow::Cow;

use hexflight_engine::{ColumnRole, LOCATION};
use serde::Serialize;
use utoipa::ToSchema;

use super::spelling::{Capitals, ROLES, Spelling};

/// Faults that an answer lists.
pub(crate) const LISTED_MAX: usize = 100;

/// Characters of a value or a name that a fault repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// Something wrong with one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EventError)]
pub(crate) struct Fault {
    /// Position of the event in the body, from 0
    pub(crate) index: usize,
    /// JSON pointer (RFC 6901) into the body; for NDJSON into the object of the line
    #[schema(example = "/3/location/latitude")]
    pub(crate) pointer: String,
    /// The rule that the value breaks
    #[schema(example = "is not in [-90, 90]")]
    pub(crate) rule: String,
    /// What was found, as JSON text, shortened; null where nothing is
    #[schema(example = "91")]
    pub(crate) value: Option<String>,
    /// For NDJSON, the line, from 1
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<usize>,
    /// For binary CloudEvents, the header at fault
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<String>,
}

/// How the events lie in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Object,
    Array,
    Lines,
    CloudEvent,
    CloudBatch,
    CloudHeaders,
    /// In `data_base64`: a pointer into the body ends there.
    CloudEncoded {
        in_batch: bool,
    },
}

/// One event in a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FaultPlace {
    pub(crate) layout: Layout,
    /// From 0.
    pub(crate) index: usize,
    /// From 1; 0 where lines do not count.
    pub(crate) line: usize,
}

/// The event that a row came from.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) place: FaultPlace,
    pub(super) spelled: [Spelling; ROLES],
    /// None where all names were small, as most senders write them.
    pub(super) capitals: Option<Box<[Capitals; ROLES]>>,
}

impl FaultPlace {
    /// A fault of the member at `path`, which is relative to the event; empty for the event itself.
    pub(crate) fn fault(self, path: &str, rule: impl Into<String>, value: Option<&str>) -> Fault {
        match self.layout {
            Layout::CloudEvent | Layout::CloudBatch => {
                self.fault_at(format!("{}/data", self.root()), path, rule, value)
            }
            Layout::CloudEncoded { .. } if !path.is_empty() => {
                let rule = format!("{} (at /{path} of what it holds)", rule.into());
                self.fault_at(self.root(), "data_base64", rule, value)
            }
            Layout::CloudEncoded { .. } => self.fault_at(self.root(), "data_base64", rule, value),
            _ => self.fault_at(self.root(), path, rule, value),
        }
    }

    /// A fault of an attribute of the CloudEvent around the event; empty for the CloudEvent itself.
    pub(crate) fn attribute_fault(self, name: &str, rule: impl Into<String>, value: Option<&str>) -> Fault {
        if self.layout == Layout::CloudHeaders {
            let header = Some(format!("ce-{name}"));
            return Fault { header, ..self.fault_at(String::new(), "", rule, value) };
        }
        self.fault_at(self.root(), name, rule, value)
    }

    fn fault_at(self, root: String, path: &str, rule: impl Into<String>, value: Option<&str>) -> Fault {
        let mut pointer = root;
        if !path.is_empty() {
            pointer.push('/');
            pointer.push_str(path);
        }
        let line = (self.line > 0).then_some(self.line);
        Fault {
            index: self.index,
            pointer,
            rule: rule.into(),
            value: value.map(shortened),
            line,
            header: None,
        }
    }

    fn root(self) -> String {
        match self.layout {
            Layout::Array | Layout::CloudBatch | Layout::CloudEncoded { in_batch: true } => {
                format!("/{}", self.index)
            }
            _ => String::new(),
        }
    }
}

impl Origin {
    /// A fault that the engine found in a column.
    pub(crate) fn fault(&self, column: &str, rule: &str, value: &str) -> Fault {
        let Some(role) = ColumnRole::of(column) else { return self.place.fault("", rule, Some(value)) };
        let spelling = self.spelled[role as usize];
        if spelling.is_attribute() {
            return self.place.attribute_fault(&spelling.path(role), rule, Some(value));
        }
        let path = if spelling.is_absent() {
            let is_in_location = self.spelled.iter().any(|other| other.is_in_location());
            Cow::Owned(if is_in_location { format!("{LOCATION}/{column}") } else { column.to_owned() })
        } else {
            let capitals = self.capitals.as_deref().map(|all| all[role as usize]).unwrap_or_default();
            capitals.written(spelling.path(role))
        };
        self.place.fault(&path, rule, Some(value))
    }
}

/// All faults of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// The first, by position.
    pub(crate) listed: Vec<Fault>,
    /// All of them.
    pub(crate) total: usize,
}

impl Faults {
    /// Adds the next one; it is only made when it will be listed.
    pub(crate) fn add(&mut self, make: impl FnOnce() -> Fault) {
        self.total += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(make());
        }
    }

    /// Adds what was found later, in order of position too.
    pub(crate) fn merge(&mut self, later: Self) {
        self.total += later.total;
        self.listed.extend(later.listed);
        self.listed.sort_by_key(|fault| fault.index);
        self.listed.truncate(LISTED_MAX);
    }
}

/// A name as part of a JSON pointer: escaped and shortened.
pub(crate) fn pointer_token(name: &str) -> String {
    shortened(name).replace('~', "~0").replace('/', "~1")
}

/// The beginning of a text.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
