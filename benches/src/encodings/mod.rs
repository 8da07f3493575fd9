//! `encodings`: what each column of a segment costs with every encoding and compression, and what whole files cost with the
//! sets worth comparing. The engine's choice (`engine/src/segment/parquet.rs`) rests on these tables.

mod measure;
mod variant;

use std::{cmp::Ordering, fmt::Display};

use anyhow::Result;
use arrow::array::RecordBatch;
use hexflight_engine::column;
use parquet::{
    basic::{Compression, Encoding},
    file::properties::{EnabledStatistics, WriterProperties},
};

use crate::{segment_file, table::Table};
use measure::{Cost, cost};
use variant::Variant;

/// What a byte on disk is worth in encode time when a column's variants are ranked. **Units**: ms per million rows.
const BYTE_IN_MS: f64 = 15.0;

/// Makes a segment of about `row_count` rows and measures; each part is handed to `print` as soon as it is known.
///
/// # Errors
/// What the engine, the writer or the reader says.
pub(crate) async fn run(
    row_count: usize,
    repeats: usize,
    print: &mut dyn FnMut(&dyn Display) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let segment = segment_file::make(folder.path(), row_count).await?;
    let rows = &segment.rows;
    let bytes_per_row = segment.bytes as f64 / rows.num_rows() as f64;
    print(&format!("segment: {} rows, the engine's file has {bytes_per_row:.2} bytes per row", rows.num_rows()))?;
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
    print(&whole_files(rows, &best, repeats)?)
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

fn whole_files(rows: &RecordBatch, best: &[Variant], repeats: usize) -> Result<Table> {
    let mut table = Table::new("whole files", &["set", "statistics", "bytes/row", "encode ms/M", "decode ms/M"]);
    let first = first_version()?;
    let sets: [(&str, &[Variant]); 2] = [("dictionaries, zstd 1", &first), ("best of each column", best)];
    for (name, set) in sets {
        for (statistics, level) in
            [("page", EnabledStatistics::Page), ("chunk", EnabledStatistics::Chunk), ("none", EnabledStatistics::None)]
        {
            let cost = cost(rows, &whole_file(rows, set, level), repeats)?;
            table.row(&[
                &name,
                &statistics,
                &format!("{:.2}", cost.bytes_per_row),
                &format!("{:.1}", cost.encode_ms),
                &format!("{:.1}", cost.decode_ms),
            ]);
        }
    }
    Ok(table)
}

fn whole_file(rows: &RecordBatch, set: &[Variant], statistics: EnabledStatistics) -> WriterProperties {
    let fields = rows.schema_ref().fields();
    let builder = fields.iter().zip(set).fold(variant::base(statistics), |builder, (field, variant)| {
        variant.apply(builder, field.name())
    });
    builder.build()
}

/// What the engine began with: dictionaries but for the time, zstd 1 throughout.
fn first_version() -> Result<Vec<Variant>> {
    let zstd: Compression = variant::zstd(1)?;
    let columns = [
        column::TIMESTAMP,
        column::DEVICE_ID,
        column::TYPE,
        column::VALUE,
        column::LATITUDE,
        column::LONGITUDE,
        column::H3,
        column::METADATA,
    ];
    let of = |name| match name {
        column::TIMESTAMP => Variant::of("delta_binary_packed", Encoding::DELTA_BINARY_PACKED, zstd),
        _ => Variant::dictionary(zstd),
    };
    Ok(columns.into_iter().map(of).collect())
}
