//! Refuses points in time that have no calendar date: arrow's JSON writer would put the text of an error in their place.

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch},
    compute::{cast, max, min},
    datatypes::{DataType, Int64Type, TimeUnit},
    error::ArrowError,
};
use chrono::{DateTime, Utc};

const SECONDS_PER_DAY: i64 = 86_400;

/// Checks every column of times.
///
/// # Errors
/// A value outside the calendar, with its column.
pub(super) fn check(batch: &RecordBatch) -> Result<(), ArrowError> {
    for (column, field) in batch.columns().iter().zip(batch.schema_ref().fields()) {
        if let Some((least, most)) = seconds(column)? {
            let (first, last) = (DateTime::<Utc>::MIN_UTC.timestamp(), DateTime::<Utc>::MAX_UTC.timestamp());
            if least < first || most > last {
                let text = format!("column {} has a time beyond the calendar's years", field.name());
                return Err(ArrowError::CastError(text));
            }
        }
    }
    Ok(())
}

/// The range of a column of times, `None` for other columns and for empty ones. **Units**: seconds since 1970.
fn seconds(column: &ArrayRef) -> Result<Option<(i64, i64)>, ArrowError> {
    let (ticks, seconds_per_tick, ticks_per_second) = match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => (cast(column, &DataType::Int64)?, 1, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => {
            (cast(column, &DataType::Int64)?, 1, 1_000)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => (cast(column, &DataType::Int64)?, 1, 1_000_000),
        DataType::Date32 => (cast(&cast(column, &DataType::Int32)?, &DataType::Int64)?, SECONDS_PER_DAY, 1),
        // Nanoseconds end in the year 2262.
        _ => return Ok(None),
    };
    let ticks = ticks.as_primitive::<Int64Type>();
    let to_seconds = |ticks: i64| (ticks * seconds_per_tick).div_euclid(ticks_per_second);
    Ok(min(ticks).zip(max(ticks)).map(|(least, most)| (to_seconds(least), to_seconds(most))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, TimestampMicrosecondArray, TimestampSecondArray};

    use super::*;

    #[test]
    fn times_without_a_date_are_refused() {
        let good: [ArrayRef; 3] = [
            Arc::new(TimestampMicrosecondArray::from(vec![Some(0), None, Some(1_764_547_200_000_000)])),
            Arc::new(TimestampSecondArray::from(Vec::<i64>::new())),
            Arc::new(Date32Array::from(vec![-719_528, 0])),
        ];
        let bad: [ArrayRef; 3] = [
            Arc::new(TimestampMicrosecondArray::from(vec![0, i64::MAX])),
            Arc::new(TimestampSecondArray::from(vec![i64::MIN])),
            Arc::new(Date32Array::from(vec![i32::MAX])),
        ];
        let checked = |column: ArrayRef| check(&RecordBatch::try_from_iter([("t", column)]).unwrap());
        assert!(good.into_iter().all(|column| checked(column).is_ok()));
        assert!(bad.into_iter().all(|column| checked(column).is_err()));
    }
}
