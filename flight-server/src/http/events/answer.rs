//! What a request is answered with: how many events were taken, or a problem that lists what is wrong with them.

use axum::http::StatusCode;
use hexflight_engine::Ack;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    json::{
        END_EXPECTED,
        document::{EVENTS_MAX, Spot, Unreadable},
        fault::{Fault, Faults},
    },
    status::Problem,
};

/// Events that are durable and visible
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EventsAccepted)]
pub(super) struct Accepted {
    /// Events that were written
    accepted: usize,
    /// Events that were left out; 0 unless `on_error=skip`
    rejected: usize,
    /// The stream that holds the events; null if there are none
    stream: Option<String>,
    /// The group commit of the stream that holds the events; null if there are none
    sequence: Option<u64>,
    /// With `on_error=skip`: what is wrong with the events that were left out, the first 100
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<Fault>>,
    /// With `on_error=skip`: how many errors there are
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_total: Option<usize>,
}

impl Accepted {
    /// How many events were written; `None` for none.
    pub(super) fn rows_written(&self) -> Option<usize> {
        Some(self.accepted).filter(|rows| *rows > 0)
    }

    /// All events were written; without an ack there was none.
    pub(super) fn all(ack: Option<&Ack>) -> Self {
        Self {
            accepted: ack.map_or(0, |ack| ack.rows),
            rejected: 0,
            stream: ack.map(|ack| ack.stream.to_string()),
            sequence: ack.map(|ack| ack.sequence.0),
            errors: None,
            errors_total: None,
        }
    }

    /// Of `count` events those without `faults` were written.
    pub(super) fn some(ack: Option<&Ack>, count: usize, faults: Faults) -> Self {
        let accepted = ack.map_or(0, |ack| ack.rows);
        Self {
            accepted,
            rejected: count - accepted,
            stream: ack.map(|ack| ack.stream.to_string()),
            sequence: ack.map(|ack| ack.sequence.0),
            errors: Some(faults.listed),
            errors_total: Some(faults.total),
        }
    }
}

/// The problem of a body that holds no events.
pub(super) fn unreadable(unreadable: &Unreadable) -> Problem {
    match unreadable {
        Unreadable::Blank => {
            Problem::new(StatusCode::BAD_REQUEST, "empty_body", "the body is empty; send at least one event")
        }
        Unreadable::TooMany => {
            let detail = format!("the body has more than {EVENTS_MAX} events; send smaller batches");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_events", detail)
                .with("limit_events", EVENTS_MAX)
        }
        Unreadable::Malformed(spot) => malformed(spot),
    }
}

/// The problem of events that were refused together with all others of their request.
pub(super) fn refused(
    faults: &Faults,
    rejected: usize,
    count: usize,
    malformed_at: Option<&Spot>,
) -> Problem {
    let (plural, verb) = if rejected == 1 { ("", "is") } else { ("s", "are") };
    let mut detail = format!("{rejected} of {count} events {verb} refused, nothing was written");
    if let Some(fault) = faults.listed.first() {
        let value = fault.value.as_deref().map_or_else(String::new, |value| format!("{value} "));
        let place =
            fault.line.map_or_else(|| format!("event {}", fault.index), |line| format!("line {line}"));
        let pointer = fault.header.as_ref().unwrap_or(&fault.pointer);
        let separator = if pointer.is_empty() { "" } else { " " };
        detail.push_str(&format!("; {place}{separator}{pointer}: {value}{}", fault.rule));
    }
    let problem = match malformed_at {
        Some(spot) => at(Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail), spot),
        None => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_events", detail),
    };
    let listed = serde_json::to_value(&faults.listed).unwrap_or_default();
    problem
        .with("rejected", rejected)
        .with("errors", listed)
        .with("errors_total", faults.total)
        .with_hint(format!("on_error=skip leaves out the bad event{plural} and writes the others"))
}

fn malformed(spot: &Spot) -> Problem {
    let detail = format!("malformed JSON: {spot}");
    let problem = at(Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail), spot);
    if spot.rule == END_EXPECTED {
        return problem.with_hint("send one event per line as application/x-ndjson, or several as an array");
    }
    problem
}

fn at(problem: Problem, spot: &Spot) -> Problem {
    problem.with("offset", spot.byte).with("line", spot.line).with("column", spot.column)
}
