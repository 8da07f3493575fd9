//! Memory of queries: the pools of small and of large ones, and what each query takes of them. The engine's budget is below; who gives way
//! when memory is short is decided above (`query`).

mod class_pools;
mod query_pool;

pub(crate) use class_pools::{BudgetPool, ClassPools};
pub(crate) use query_pool::{Exhausted, QueryMemory, QueryPool};
