//! What went wrong, as clients of both protocols see it. Texts come from where the error was found; here they only get a code and, for limits,
//! a retry hint. Nothing here decides whether something is an error.

mod table;
mod problem;
mod grpc;
mod http;

pub(crate) use grpc::{engine_status, query_status, retry_later};
pub(crate) use http::{engine_problem, query_problem};
pub(crate) use problem::{Problem, ProblemBody, QueryProblems, SqlProblems, SumProblems, documented};
