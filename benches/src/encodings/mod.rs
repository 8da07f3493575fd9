//! `encodings`: what each column of a segment costs with every encoding and compression, and what whole files cost with the
//! sets worth comparing. The engine's choice (`engine/src/segment/parquet.rs`) rests on these tables.

mod measure;
mod sets;
mod variant;

use std::{cmp::Ordering, sync::Arc};

use anyhow::Result;
use arrow::array::{AsArray, Float64Array, RecordBatch};
use hexflight_engine::column;
use parquet::{
    basic::{Compression, Encoding},
    file::properties::EnabledStatistics,
};

use crate::{Print, segment_file, table::Table};
use measure::{Cost, cost};
use sets::StatisticsLevel;
use variant::Variant;

/// What a byte on disk is worth in encode time when a column's variants are ranked. **Units**: ms per million rows.
const BYTE_IN_MS: f64 = 15.0;

/// Makes a segment of about `row_count` rows and measures; each part is handed to `print` as soon as it is known.
///
/// # Errors
/// What the engine, the writer or the reader says.
pub(crate) async fn run(row_count: usize, repeats: usize, print: Print<'_>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let segment = segment_file::make(folder.path(), row_count).await?;
    let rows = &segment.rows;
    let bytes_per_row = segment.bytes as f64 / rows.num_rows() as f64;
    print(&format!(
        "segment: {} rows, the engine's file has {bytes_per_row:.2} bytes per row",
        rows.num_rows()
    ))?;
    let mut best = vec![];
    for (index, field) in rows.schema_ref().fields().iter().enumerate() {
        let only = measure::only(rows, index)?;
        let mut measured = vec![];
        for variant in variant::of_type(field.data_type())? {
            let properties = variant.apply(variant::base(EnabledStatistics::Page), field.name()).build();
            measured.push((variant, cost(&only, &properties, repeats)?));
        }
        measured.sort_by(|(_, a), (_, b)| weight(a).partial_cmp(&weight(b)).unwrap_or(Ordering::Equal));
        print(&column_table(field.name(), &measured))?;
        best.push(measured[0].0);
    }
    print(&whole_files(rows, best, repeats)?)
}

fn weight(cost: &Cost) -> f64 {
    cost.bytes_per_row * BYTE_IN_MS + cost.encode_ms + cost.decode_ms / 2.0
}

fn column_table(name: &str, measured: &[(Variant, Cost)]) -> Table {
    let header = ["encoding", "compression", "bytes/row", "encode ms/M", "decode ms/M", "weight"];
    let mut table = Table::new(format!("{name} (best first)"), &header);
    for (variant, cost) in measured {
        table.row(&[
            &variant.name,
            &variant.compression_name(),
            &format!("{:.3}", cost.bytes_per_row),
            &format!("{:.1}", cost.encode_ms),
            &format!("{:.1}", cost.decode_ms),
            &format!("{:.1}", weight(cost)),
        ]);
    }
    table
}

fn whole_files(rows: &RecordBatch, best: Vec<Variant>, repeats: usize) -> Result<Table> {
    let mut table = Table::new(
        "whole files",
        &["values", "set", "statistics", "bytes/row", "encode ms/M", "decode ms/M"],
    );
    let of_value = |value| sets::light(value);
    let sets = [
        ("dictionaries, zstd 1", sets::first_version()?),
        ("best of each column", best),
        ("light", of_value(Variant::dictionary(Compression::UNCOMPRESSED))),
        (
            "light, value 64 KiB dictionary + lz4",
            of_value(Variant::small_dictionary(64 << 10, Compression::LZ4_RAW)),
        ),
        (
            "light, value split + zstd 1",
            of_value(Variant::of("split", Encoding::BYTE_STREAM_SPLIT, variant::zstd(1)?)),
        ),
    ];
    for (values, rows) in [("rounded", rows.clone()), ("full precision", precise(rows)?)] {
        for (name, set) in &sets {
            for statistics in StatisticsLevel::ALL {
                let cost = cost(&rows, &sets::whole_file(&rows, set, statistics), repeats)?;
                table.row(&[
                    &values,
                    name,
                    &statistics.name(),
                    &format!("{:.2}", cost.bytes_per_row),
                    &format!("{:.1}", cost.encode_ms),
                    &format!("{:.1}", cost.decode_ms),
                ]);
            }
        }
    }
    Ok(table)
}

/// The same rows as sensors without rounding would send them: hardly a value or a position twice.
fn precise(rows: &RecordBatch) -> Result<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    for name in [column::VALUE, column::LATITUDE, column::LONGITUDE] {
        let index = rows.schema_ref().index_of(name)?;
        let numbers: &Float64Array = rows.column(index).as_primitive();
        let mut turn = 0.0_f64;
        let mut precise = |number: f64| {
            // Multiples of the golden ratio, modulo one, never repeat and spread evenly.
            turn = (turn + 0.618_033_988_749_894_9).fract();
            number + turn * 1e-4
        };
        let numbers = numbers.iter().map(|number| number.map(&mut precise));
        columns[index] = Arc::new(numbers.collect::<Float64Array>());
    }
    Ok(RecordBatch::try_new(rows.schema(), columns)?)
}
