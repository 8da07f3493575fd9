//! The load generator: devices in real cities, some moving, some popular, sending late and out of order.
//!
//! ```text
//! Fleet ── Workload ──► SimulatedBatch ── Sender ──► Flight DoPut
//!              ▲                             └─ ack ─► LoadStats, Ledger
//!           Schedule                                     the four questions, answered without the server
//! ```
//!
//! The demo, the benchmarks and the tests use the same parts; only `command` knows of flags and the console.

mod units;
mod cities;
mod metric;
mod fleet;
mod columns;
mod workload;
mod schedule;
mod sender;
#[cfg(test)]
mod fake_server;
mod ledger;
mod stats;
mod load;
mod command;

pub use cities::{CITIES, City};
pub use command::{SimulateArgs, run};
pub use fleet::{Device, Fleet, Position};
pub use ledger::{Aggregate, GeoBox, Ledger};
pub use load::{LoadObservers, LoadPlan, run_load};
pub use metric::Metric;
pub use stats::{LoadStats, LoadTotals};
pub use workload::{SimulatedBatch, SimulatedEvent, TimeSlice, Workload, WorkloadConfig};

pub(crate) use command::{per_second, progress_text};
pub(crate) use units::{parse_count_from_one, parse_duration};
