//! The planner over a real engine: public API only.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stops where it fails, and time is the machine's"
)]

mod support;
mod fuzz;
mod rules;
mod answers;
mod spills;
mod statements;
mod parameters;
mod pruning;
mod rollups;
mod exact_times;
mod subqueries;
mod memberships;
mod windows;
mod upstream_relations;
mod system;
mod places;
mod sorted_memory;
mod snapshots;
mod wide_rows;
mod limits;
mod endings;
mod progress;
mod admission;
mod bounds;
mod collected;
mod damage;
mod values_table;
mod json_values;
mod three_values;
mod moments;
mod intervals;
mod series;
mod precedence;
mod overflow;
mod upstream;
mod guards;
mod json;
mod names;
mod expressions;
mod still_needed;
mod sizes;
