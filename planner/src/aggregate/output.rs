//! Groups become rows of the schema that the replaced aggregate had.

use std::sync::Arc;

use arrow::{
    array::{
        ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray,
        TimestampMicrosecondArray, TimestampNanosecondArray,
    },
    compute::cast,
    datatypes::{DataType, SchemaRef, TimeUnit},
};
use datafusion::error::{DataFusionError, Result};
use hexflight_engine::NO_CELL;

use super::{
    groups::{Groups, Key},
    question::{GroupKey, Measure, Question},
    top::Top,
};
use crate::cache::DeviceNames;

/// The rows of the answer, in batches of at most `batch_rows`.
pub(super) fn batches(
    question: &Question,
    groups: &Groups,
    names: &DeviceNames,
    top: Option<&Top>,
    schema: &SchemaRef,
    batch_rows: usize,
) -> Result<Vec<RecordBatch>> {
    let places = match top {
        // Of no rows there is still one answer.
        _ if question.keys.is_empty() => vec![0],
        Some(top) => top.places(groups),
        None => groups.places().collect(),
    };
    let keys: Vec<Key> = places.iter().map(|place| groups.key(*place)).collect();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for (index, key) in question.keys.iter().enumerate() {
        columns.push(key_column(*key, &keys, names, schema.field(index).data_type())?);
    }
    for measure in &question.measures {
        columns.push(measure_column(*measure, groups, &places));
    }
    let fields = schema.fields().iter();
    let columns = columns.iter().zip(fields).map(|(column, field)| Ok(cast(column, field.data_type())?));
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let all = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?;
    let starts = (0..all.num_rows()).step_by(batch_rows.max(1));
    Ok(starts.map(|start| all.slice(start, batch_rows.min(all.num_rows() - start))).collect())
}

fn key_column(key: GroupKey, keys: &[Key], names: &DeviceNames, data_type: &DataType) -> Result<ArrayRef> {
    let texts = |number: fn(&Key) -> u32| -> ArrayRef {
        let names = names.read();
        Arc::new(StringViewArray::from_iter_values(keys.iter().map(|key| names.name(number(key)))))
    };
    Ok(match key {
        GroupKey::Type => texts(|key| key.kind),
        GroupKey::Device => texts(|key| key.device),
        GroupKey::Cell(_) => {
            let cells = keys.iter().map(|key| Some(key.cell).filter(|cell| *cell != NO_CELL));
            Arc::new(cells.collect::<Int64Array>())
        }
        GroupKey::Bin(_) => bins(keys, data_type)?,
    })
}

fn bins(keys: &[Key], data_type: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, zone) = data_type else {
        return Err(DataFusionError::Internal(format!("bins of time as {data_type}")));
    };
    if *unit != TimeUnit::Nanosecond {
        let micros = TimestampMicrosecondArray::from_iter_values(keys.iter().map(|key| key.bin));
        return Ok(Arc::new(micros.with_timezone_opt(zone.clone())));
    }
    let nanos = keys.iter().map(|key| {
        key.bin.checked_mul(1_000).ok_or_else(|| {
            DataFusionError::Execution(format!("timestamp {} µs does not fit into nanoseconds", key.bin))
        })
    });
    let nanos = TimestampNanosecondArray::from(nanos.collect::<Result<Vec<_>>>()?);
    Ok(Arc::new(nanos.with_timezone_opt(zone.clone())))
}

fn measure_column(measure: Measure, groups: &Groups, places: &[usize]) -> ArrayRef {
    let states = groups.states();
    match measure {
        Measure::Count => {
            let counts =
                places.iter().map(|place| i64::try_from(states.count_of(*place)).unwrap_or(i64::MAX));
            Arc::new(Int64Array::from_iter_values(counts))
        }
        _ => Arc::new(places.iter().map(|place| states.measure(measure, *place)).collect::<Float64Array>()),
    }
}
