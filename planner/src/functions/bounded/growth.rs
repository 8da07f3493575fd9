//! `Growth`: the functions that can build more than they are given, and how much each of them does.

use super::{lists, regexes, row::Row, texts};

/// A measure of one value; of the largest arguments, one that no value exceeds.
pub(super) type Formula = fn(&Row<'_>) -> u64;

/// One function.
#[derive(Debug)]
pub(super) struct Growth {
    pub(super) name: &'static str,
    /// The most that a value can have. **Units**: bytes.
    pub(super) bytes: Formula,
    /// The most that a value can take. **Units**: steps of some ns.
    pub(super) steps: Formula,
    /// Whether a value has as much, or can be smaller.
    pub(super) is_exact: bool,
}

impl Growth {
    /// How many times larger than it is a small value may be thought to be.
    pub(super) fn excess(&self) -> u64 {
        if self.is_exact { 1 } else { 32 }
    }
}

const fn exact(name: &'static str, bytes: Formula) -> Growth {
    Growth { name, bytes, steps: texts::linear_steps, is_exact: true }
}

const fn at_most(name: &'static str, bytes: Formula) -> Growth {
    Growth { name, bytes, steps: texts::linear_steps, is_exact: false }
}

const fn slow(name: &'static str, bytes: Formula, steps: Formula) -> Growth {
    Growth { name, bytes, steps, is_exact: false }
}

/// In alphabetical order.
static GROWTHS: [Growth; 50] = [
    at_most("array_add", lists::numbers),
    exact("array_append", lists::together),
    exact("array_concat", lists::together),
    slow("array_has_all", texts::small, lists::pairs),
    slow("array_has_any", texts::small, lists::pairs),
    at_most("array_normalize", lists::numbers),
    at_most("array_positions", lists::numbers),
    exact("array_prepend", lists::together),
    exact("array_repeat", lists::array_repeat),
    at_most("array_replace", lists::array_replace),
    at_most("array_replace_all", lists::array_replace),
    at_most("array_replace_n", lists::array_replace),
    at_most("array_resize", lists::array_resize),
    at_most("array_scale", lists::numbers),
    at_most("array_subtract", lists::numbers),
    at_most("array_to_string", lists::array_to_string),
    at_most("array_union", lists::together),
    at_most("arrays_zip", lists::arrays_zip),
    slow("btrim", texts::of_first, texts::searched_steps),
    exact("concat", texts::concat),
    at_most("concat_ws", texts::concat_ws),
    exact("constant", texts::of_first),
    at_most("encode", texts::encode),
    exact("generate_series", lists::series),
    at_most("initcap", texts::cased),
    at_most("json_get_array", texts::json_array),
    at_most("json_object_keys", texts::json_keys),
    slow("levenshtein", texts::small, texts::levenshtein_steps),
    at_most("lower", texts::cased),
    exact("lpad", texts::pad),
    slow("ltrim", texts::of_first, texts::searched_steps),
    exact("make_array", lists::together),
    at_most("map", lists::together),
    at_most("overlay", texts::overlay),
    exact("range", lists::series),
    slow("regexp_count", texts::small, regexes::steps),
    slow("regexp_instr", texts::small, regexes::steps),
    slow("regexp_like", texts::small, regexes::steps),
    slow("regexp_match", regexes::matched, regexes::steps),
    slow("regexp_replace", regexes::replaced, regexes::steps),
    exact("repeat", texts::repeat),
    exact("replace", texts::replace),
    exact("rpad", texts::pad),
    slow("rtrim", texts::of_first, texts::searched_steps),
    at_most("string_to_array", texts::string_to_array),
    slow("strpos", texts::small, texts::searched_steps),
    at_most("to_char", texts::to_char),
    at_most("translate", texts::translate),
    at_most("upper", texts::cased),
    exact("||", texts::concat),
];

/// What a function builds; `None` for one that builds no more than it is given.
pub(super) fn growth_of(function: &str) -> Option<&'static Growth> {
    let place = GROWTHS.binary_search_by_key(&function, |growth| growth.name).ok()?;
    Some(&GROWTHS[place])
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    GROWTHS.iter().map(|growth| growth.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_in_order() {
        assert!(GROWTHS.is_sorted_by_key(|growth| growth.name));
    }
}
