//! Every scalar function of a session either can grow and is bounded, or is known not to. A function that an upgrade of DataFusion adds
//! fails this until somebody has looked at what it builds.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    execution::memory_pool::MemoryPool,
    execution::{SessionState, SessionStateBuilder, memory_pool::UnboundedMemoryPool},
};

use super::{Bounds, growth, is_bounded};
use crate::functions;

/// What these build is not much larger than what they are given, and takes time in proportion; or it has bounds of its own.
const BOUNDED_BY_INPUTS: [&str; 166] = [
    "abs",
    "acos",
    "acosh",
    "array_any_value",
    "array_avg",
    "array_compact",
    "array_dims",
    "array_distance",
    "array_distinct",
    "array_element",
    "array_except",
    "array_has",
    "array_intersect",
    "array_length",
    "array_max",
    "array_min",
    "array_ndims",
    "array_pop_back",
    "array_pop_front",
    "array_position",
    "array_product",
    "array_remove",
    "array_remove_all",
    "array_remove_n",
    "array_reverse",
    "array_slice",
    "array_sort",
    "array_sum",
    "arrow_cast",
    "arrow_field",
    "arrow_metadata",
    "arrow_try_cast",
    "arrow_typeof",
    "ascii",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bit_length",
    "cardinality",
    "cast_to_type",
    "cbrt",
    "ceil",
    "character_length",
    "chr",
    "coalesce",
    "contains",
    "cos",
    "cosh",
    "cosine_distance",
    "cot",
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "decode",
    "degrees",
    "digest",
    "empty",
    "ends_with",
    "exp",
    "factorial",
    "file_row_index",
    "find_in_set",
    "flatten",
    "floor",
    "from_unixtime",
    "gcd",
    "geo_bbox",
    "geo_distance_m",
    "geo_within_radius",
    "get_field",
    "greatest",
    "h3_cell_area",
    "h3_cell_to_boundary_wkt",
    "h3_cell_to_children",
    "h3_cell_to_lat",
    "h3_cell_to_latlng",
    "h3_cell_to_lng",
    "h3_cell_to_parent",
    "h3_cell_to_string",
    "h3_get_resolution",
    "h3_grid_disk",
    "h3_grid_distance",
    "h3_is_valid_cell",
    "h3_latlng_to_cell",
    "h3_string_to_cell",
    "inner_product",
    "input_file_name",
    "isnan",
    "iszero",
    "json_as_text",
    "json_contains",
    "json_from_scalar",
    "json_get",
    "json_get_bool",
    "json_get_float",
    "json_get_int",
    "json_get_json",
    "json_get_str",
    "json_key",
    "json_length",
    "json_union_to_text",
    "lcm",
    "least",
    "left",
    "ln",
    "log",
    "log10",
    "log2",
    "make_date",
    "make_time",
    "map_entries",
    "map_extract",
    "map_keys",
    "map_values",
    "md5",
    "named_struct",
    "nanvl",
    "now",
    "nullif",
    "nvl",
    "nvl2",
    "octet_length",
    "pi",
    "power",
    "radians",
    "random",
    "reverse",
    "right",
    "round",
    "sha224",
    "sha256",
    "sha384",
    "sha512",
    "signum",
    "sin",
    "sinh",
    "split_part",
    "sqrt",
    "starts_with",
    "struct",
    "substr",
    "substr_index",
    "tan",
    "tanh",
    "timezone",
    "to_date",
    "to_hex",
    "to_local_time",
    "to_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    "trunc",
    "try_cast_to_type",
    "union_extract",
    "union_tag",
    "uuid",
    "version",
    "with_metadata",
];

/// Functions of functions: what they build, the function builds that they call.
const HIGHER_ORDER: [&str; 4] = ["array_any_match", "array_filter", "array_first", "array_transform"];

#[test]
fn every_function_is_bounded() {
    let state = state();
    let all: BTreeSet<&str> = state.scalar_functions().values().map(|function| function.name()).collect();
    let growing: BTreeSet<&str> = growth::names().collect();
    let known: BTreeSet<&str> = BOUNDED_BY_INPUTS.into_iter().chain(growing.iter().copied()).collect();
    let unknown: Vec<_> = all.difference(&known).collect();
    assert!(unknown.is_empty(), "what do these build? {unknown:?}");
    let gone: Vec<_> = known.difference(&all).filter(|name| !UNREGISTERED.contains(name)).collect();
    assert!(gone.is_empty(), "there are no such functions: {gone:?}");
    let twice: Vec<_> = BOUNDED_BY_INPUTS.iter().filter(|name| growing.contains(**name)).collect();
    assert!(twice.is_empty(), "both: {twice:?}");
}

/// What rules put into plans.
const UNREGISTERED: [&str; 2] = ["constant", "||"];

#[test]
fn every_function_that_grows_is_wrapped_under_all_its_names() {
    for (name, function) in state().scalar_functions() {
        let grows = growth::growth_of(function.name()).is_some() && !super::LEFT.contains(&function.name());
        assert_eq!(is_bounded(function), grows, "{name}");
    }
}

#[test]
fn every_function_of_functions_is_known() {
    let state = state();
    let all: BTreeSet<&str> =
        state.higher_order_functions().values().map(|function| function.name()).collect();
    assert_eq!(all, HIGHER_ORDER.into_iter().collect());
}

fn state() -> SessionState {
    let mut state = SessionStateBuilder::new().with_default_features().build();
    datafusion_functions_json::register_all(&mut state).unwrap();
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    functions::register_all(&mut state, &Bounds::new(&pool, &pool)).unwrap();
    state
}
