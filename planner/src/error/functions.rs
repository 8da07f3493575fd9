//! Functions that there are not: what those who know another database mean by them, and what to write here.

/// Names in other databases, in alphabetical order, and what to write for them.
const FOREIGN: [(&str, &str); 99] = [
    ("any_value", "min(x), or first_value(x ORDER BY timestamp)"),
    ("anyheavy", "GROUP BY x ORDER BY count(*) DESC LIMIT 1"),
    ("anylast", "last_value(x ORDER BY timestamp)"),
    ("approx_count_distinct", "approx_distinct(x)"),
    ("approx_quantile", "approx_percentile_cont(x, 0.95)"),
    ("approx_top_k", "GROUP BY x ORDER BY count(*) DESC LIMIT 10"),
    ("arg_max", "last_value(x ORDER BY y)"),
    ("arg_min", "first_value(x ORDER BY y)"),
    ("argmax", "last_value(x ORDER BY y)"),
    ("argmin", "first_value(x ORDER BY y)"),
    ("counter_agg", "value - lag(value) OVER (PARTITION BY device_id ORDER BY timestamp)"),
    ("countif", "count(*) FILTER (WHERE condition)"),
    ("curdate", "current_date"),
    ("date_add", "timestamp + INTERVAL '1 hour'"),
    ("date_diff", "to_unixtime(b) - to_unixtime(a), in seconds"),
    ("date_format", "to_char(timestamp, 'YYYY-MM-DD HH24:MI')"),
    ("date_histogram", "date_bin(INTERVAL '5 minutes', timestamp)"),
    ("date_sub", "timestamp - INTERVAL '1 hour'"),
    ("dateadd", "timestamp + INTERVAL '1 hour'"),
    ("datediff", "to_unixtime(b) - to_unixtime(a), in seconds"),
    ("datename", "to_char(timestamp, 'FMDay')"),
    ("dayofmonth", "date_part('day', timestamp)"),
    ("dayofweek", "date_part('dow', timestamp)"),
    ("dayofyear", "date_part('doy', timestamp)"),
    ("derivative", "value - lag(value) OVER (PARTITION BY device_id ORDER BY timestamp)"),
    ("difference", "value - lag(value) OVER (PARTITION BY device_id ORDER BY timestamp)"),
    ("elapsed", "timestamp - lag(timestamp) OVER (PARTITION BY device_id ORDER BY timestamp)"),
    ("epoch", "date_part('epoch', timestamp)"),
    ("epoch_ms", "to_timestamp_millis(x), or date_part('epoch', timestamp) * 1000"),
    ("epoch_us", "date_part('epoch', timestamp) * 1000000"),
    ("first", "first_value(x ORDER BY timestamp)"),
    ("format_timestamp", "to_char(timestamp, 'YYYY-MM-DD HH24:MI')"),
    ("formatdatetime", "to_char(timestamp, 'YYYY-MM-DD HH24:MI')"),
    ("from_unixtime_millis", "to_timestamp_millis(x)"),
    ("fromunixtimestamp64milli", "to_timestamp_millis(x)"),
    ("geodistance", "geo_distance_m(latitude, longitude, 47.4, 8.5)"),
    ("getdate", "now()"),
    ("group_concat", "string_agg(x, ',')"),
    ("grouparray", "array_agg(x)"),
    ("groupuniqarray", "array_agg(DISTINCT x)"),
    ("h3_cell_to_latlng", "cell_to_lat(h3) and cell_to_lng(h3)"),
    ("h3_latlng_to_cell", "latlng_to_cell(latitude, longitude, 9)"),
    ("h3togeo", "cell_to_lat(h3) and cell_to_lng(h3)"),
    ("haversine", "geo_distance_m(latitude, longitude, 47.4, 8.5)"),
    ("histogram", "GROUP BY floor(value / 10) * 10"),
    ("hour", "date_part('hour', timestamp)"),
    ("if", "CASE WHEN condition THEN x ELSE y END"),
    ("iff", "CASE WHEN condition THEN x ELSE y END"),
    ("isodow", "date_part('isodow', timestamp)"),
    ("json_array_elements", "unnest(json_get_array(metadata, 'k'))"),
    ("json_extract", "metadata->'k'"),
    ("json_extract_path_text", "metadata->'a'->>'b'"),
    ("json_extract_scalar", "metadata->>'k'"),
    ("json_extract_string", "metadata->>'k'"),
    ("json_value", "metadata->>'k'"),
    ("jsonb_array_elements", "unnest(json_get_array(metadata, 'k'))"),
    ("jsonb_extract_path_text", "metadata->'a'->>'b'"),
    ("jsonb_object_keys", "json_object_keys(metadata)"),
    ("jsonextractfloat", "(metadata->>'k')::double precision"),
    ("jsonextractstring", "metadata->>'k'"),
    ("last", "last_value(x ORDER BY timestamp)"),
    ("len", "length(x)"),
    ("list", "array_agg(x)"),
    ("locf", "last_value(x) IGNORE NULLS OVER (ORDER BY t)"),
    ("max_by", "last_value(x ORDER BY y)"),
    ("min_by", "first_value(x ORDER BY y)"),
    ("minute", "date_part('minute', timestamp)"),
    ("mode", "GROUP BY x ORDER BY count(*) DESC LIMIT 1"),
    ("month", "date_part('month', timestamp)"),
    (
        "non_negative_derivative",
        "greatest(value - lag(value) OVER (PARTITION BY device_id ORDER BY timestamp), 0)",
    ),
    ("percentile", "percentile_cont(0.95) WITHIN GROUP (ORDER BY x), or approx_percentile_cont(x, 0.95)"),
    ("percentile_agg", "approx_percentile_cont(x, 0.95)"),
    ("percentile_disc", "percentile_cont(0.95) WITHIN GROUP (ORDER BY x)"),
    ("quantile", "percentile_cont(0.95) WITHIN GROUP (ORDER BY x), or approx_percentile_cont(x, 0.95)"),
    ("quantile_cont", "percentile_cont(0.95) WITHIN GROUP (ORDER BY x)"),
    ("quantiles", "approx_percentile_cont(x, 0.95), once for each"),
    ("quarter", "date_part('quarter', timestamp)"),
    ("regexp_matches", "regexp_match(x, '…'), or x ~ '…'"),
    ("safe_cast", "try_cast(x AS INT)"),
    ("second", "date_part('second', timestamp)"),
    ("spread", "max(x) - min(x)"),
    ("st_distance", "geo_distance_m(latitude, longitude, 47.4, 8.5)"),
    ("st_dwithin", "geo_within_radius(latitude, longitude, 47.4, 8.5, 1000)"),
    ("st_makeenvelope", "geo_bbox(latitude, longitude, 47, 48, 8, 9)"),
    (
        "st_makepoint",
        "latitude and longitude as two arguments, as in geo_distance_m(latitude, longitude, 47.4, 8.5)",
    ),
    ("st_within", "geo_bbox(latitude, longitude, 47, 48, 8, 9), or geo_within_radius"),
    ("strftime", "to_char(timestamp, '%Y-%m-%d %H:%M')"),
    ("strptime", "to_timestamp(x, '%d.%m.%Y %H:%M')"),
    ("sumif", "sum(x) FILTER (WHERE condition)"),
    ("sysdate", "now()"),
    ("time_bucket", "date_bin(INTERVAL '5 minutes', timestamp)"),
    (
        "time_bucket_gapfill",
        "generate_series for the times, and a LEFT JOIN of date_bin(INTERVAL '5 minutes', timestamp)",
    ),
    ("timestampadd", "timestamp + INTERVAL '1 hour'"),
    ("timestampdiff", "to_unixtime(b) - to_unixtime(a), in seconds"),
    ("to_epoch", "date_part('epoch', timestamp)"),
    ("uniq", "count(DISTINCT x), or approx_distinct(x)"),
    ("uniqexact", "count(DISTINCT x)"),
    ("unix_timestamp", "to_unixtime(x)"),
    ("year", "date_part('year', timestamp)"),
];

/// ClickHouse's roundings, and the width that `date_trunc` has for each.
const TO_START_OF: [(&str, &str); 9] = [
    ("tostartofday", "date_trunc('day', timestamp)"),
    ("tostartoffifteenminutes", "date_bin(INTERVAL '15 minutes', timestamp)"),
    ("tostartoffiveminutes", "date_bin(INTERVAL '5 minutes', timestamp)"),
    ("tostartofhour", "date_trunc('hour', timestamp)"),
    ("tostartofinterval", "date_bin(INTERVAL '5 minutes', timestamp)"),
    ("tostartofminute", "date_trunc('minute', timestamp)"),
    ("tostartofmonth", "date_trunc('month', timestamp)"),
    ("tostartofweek", "date_trunc('week', timestamp)"),
    ("tostartofyear", "date_trunc('year', timestamp)"),
];

/// Functions that most statements call.
const COMMON: [&str; 22] = [
    "array_agg",
    "avg",
    "coalesce",
    "count",
    "date_bin",
    "date_part",
    "date_trunc",
    "first_value",
    "greatest",
    "last_value",
    "least",
    "lower",
    "max",
    "median",
    "min",
    "now",
    "replace",
    "round",
    "stddev",
    "string_agg",
    "sum",
    "to_timestamp",
];

/// Says that there is no such function and, if it can be told, what to write. `similar` is a function that is called somewhat
/// like it.
pub(super) fn no_such_function(name: &str, similar: Option<&str>) -> String {
    let lower = name.to_lowercase();
    let known = |table: &[(&str, &'static str)]| {
        table.binary_search_by_key(&lower.as_str(), |(foreign, _)| foreign).ok().map(|index| table[index].1)
    };
    if let Some(ours) = known(&FOREIGN).or_else(|| known(&TO_START_OF)) {
        return format!("there is no function '{name}'; write {ours}");
    }
    let common = COMMON.into_iter().find(|common| distance(&lower, common) == 1);
    match common.or_else(|| similar.filter(|similar| is_near(&lower, similar))) {
        Some(similar) => format!("there is no function '{name}'; did you mean '{similar}'?"),
        None => format!("there is no function '{name}'; SHOW FUNCTIONS lists all"),
    }
}

/// A typing error changes a letter in four at most.
fn is_near(name: &str, similar: &str) -> bool {
    distance(name, similar) <= name.chars().count().div_ceil(4)
}

/// Letters to insert, delete, replace, or swap with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = vec![];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut least = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && from[row - 1] == *other && to[column - 1] == *letter {
                least = least.min(before[column - 1] + 1);
            }
            next.push(least);
        }
        before = last;
        last = next;
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        assert!(FOREIGN.is_sorted_by_key(|(name, _)| name));
        assert!(TO_START_OF.is_sorted_by_key(|(name, _)| name));
    }

    #[test]
    fn foreign_names_and_typing_errors_are_known() {
        assert!(no_such_function("time_bucket", Some("list_cat")).contains("date_bin("));
        assert!(no_such_function("toStartOfHour", None).contains("date_trunc('hour'"));
        assert!(no_such_function("quantile", Some("range")).contains("percentile_cont"));
        assert!(no_such_function("date_trunk", Some("date_trunc")).contains("did you mean 'date_trunc'?"));
        assert!(no_such_function("cuont", Some("count")).contains("did you mean 'count'?"));
        assert!(no_such_function("frobnicate", Some("concat")).ends_with("SHOW FUNCTIONS lists all"));
    }

    #[test]
    fn distance_counts_letters() {
        assert_eq!(distance("count", "count"), 0);
        assert_eq!(distance("cuont", "count"), 1);
        assert_eq!(distance("date_bim", "date_bin"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
