//! How large the texts become that functions make of texts. **Units**: bytes.

use super::{bounds::count, measure::ITEM_BYTES, row::Row};

/// A letter of UTF-8.
const LETTER_BYTES_MAX: u64 = 4;

/// Upper case of a letter of two bytes can be three letters of two.
const CASE_GROWTH_MAX: u64 = 3;

/// `%+` of a moment is 35 bytes, `TMMonth` less than its name.
const FORMAT_GROWTH_MAX: u64 = 20;

pub(super) fn concat(row: &Row<'_>) -> u64 {
    row.all_bytes()
}

/// The first is between all others.
pub(super) fn concat_ws(row: &Row<'_>) -> u64 {
    row.all_bytes().saturating_add(row.bytes(0).saturating_mul(row.arguments()))
}

pub(super) fn repeat(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(row.times(1))
}

/// `lpad` and `rpad`: letters that are missing are taken from the third argument, a space without one.
pub(super) fn pad(row: &Row<'_>) -> u64 {
    let letters = row.times(1);
    let Some(text) = row.text(0) else {
        let letter = row.text(2).map_or(LETTER_BYTES_MAX, widest_letter);
        let letter = if row.has(2) { letter } else { 1 };
        return row.bytes(0).saturating_add(letters.saturating_mul(letter));
    };
    let letter = if row.has(2) { row.text(2).map_or(0, widest_letter) } else { 1 };
    let missing = letters.saturating_sub(count(text.chars().count()));
    count(text.len()).saturating_add(missing.saturating_mul(letter))
}

fn widest_letter(text: &str) -> u64 {
    text.chars().map(|letter| count(letter.len_utf8())).max().unwrap_or_default()
}

/// Counted exactly where it must be: most texts have few places to replace.
pub(super) fn replace(row: &Row<'_>) -> u64 {
    let places = match (row.text(0), row.text(1)) {
        (Some(text), Some(from)) => count(text.matches(from).count()),
        _ => row.bytes(0) / row.size(1).bytes_min.max(1) + 1,
    };
    row.bytes(0).saturating_add(places.saturating_mul(row.bytes(2)))
}

pub(super) fn overlay(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_add(row.bytes(1))
}

pub(super) fn translate(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(LETTER_BYTES_MAX)
}

/// `upper`, `lower` and `initcap`.
pub(super) fn cased(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(CASE_GROWTH_MAX)
}

/// Two digits for each byte, or four letters for three.
pub(super) fn encode(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(2).saturating_add(LETTER_BYTES_MAX)
}

pub(super) fn to_char(row: &Row<'_>) -> u64 {
    row.bytes(1).saturating_mul(FORMAT_GROWTH_MAX)
}

/// A list; without a delimiter, of letters.
pub(super) fn string_to_array(row: &Row<'_>) -> u64 {
    let items = match (row.text(0), row.text(1)) {
        (Some(_), Some("")) => 1,
        (Some(text), Some(delimiter)) => count(text.matches(delimiter).count()) + 1,
        (Some(text), None) => count(text.len()),
        _ => row.bytes(0) / row.size(1).bytes_min.max(1) + 1,
    };
    row.bytes(0).saturating_add(items.saturating_mul(ITEM_BYTES))
}

/// Each letter of one with each letter of the other.
pub(super) fn levenshtein_steps(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(row.bytes(1))
}

/// Each letter of one among all of the other.
pub(super) fn searched_steps(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(row.bytes(1).max(1))
}

pub(super) fn of_first(row: &Row<'_>) -> u64 {
    row.bytes(0)
}

/// A number or a truth value.
pub(super) fn small(_: &Row<'_>) -> u64 {
    8
}

/// `json_get_array`: `[1,2]` has two bytes for each item.
pub(super) fn json_array(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(1 + ITEM_BYTES / 2)
}

/// `json_object_keys`: `{"":1}` has five bytes for each key.
pub(super) fn json_keys(row: &Row<'_>) -> u64 {
    row.bytes(0).saturating_mul(1 + ITEM_BYTES / 4)
}

/// Reading one byte of JSON.
pub(super) fn linear_steps(row: &Row<'_>) -> u64 {
    row.all_bytes() / 10
}
