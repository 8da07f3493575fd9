//! Arrival: the memory of messages between the socket and the engine. Each has its share of the memory limit, so that however many clients
//! begin large messages, and however slowly they send them, what has arrived is bounded.
//!
//! ```text
//!  socket ─▶ ArrivingBody ─ header: N bytes ─▶ ArrivalMemory ─▶ tonic ─▶ FlightData ─▶ decode ─▶ Engine::append
//!               └ no room: the body is not polled, so HTTP/2's flow control holds the client back
//! ```
//! A message has its memory from its header on until the service asks for the next one: by then the engine has taken it over. Later stages
//! have shares of their own, so nobody waits for what he holds himself. All of them together wait as long as one (`Waits`).

mod memory;
mod waits;
mod framing;
mod body;
mod service;

pub(crate) use memory::{ArrivalMemory, Arrived, FREE_BYTES, RETRY_MS, WAIT};
pub(crate) use service::Arrivals;
pub(crate) use waits::Waits;
