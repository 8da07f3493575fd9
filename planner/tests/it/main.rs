//! The planner over a real engine: public API only.

mod support;
mod answers;
mod statements;
mod parameters;
mod pruning;
mod snapshots;
mod limits;
