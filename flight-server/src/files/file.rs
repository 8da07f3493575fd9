//! `InputFile`: a file of any format, opened and mapped. Read in units, so that two readers can share a large Parquet file.

use std::{fmt, sync::Arc};

use hexflight_engine::ContentHash;
use tokio_util::sync::CancellationToken;

use super::{
    content::Content,
    csv::CsvFile,
    event::Seen,
    mapping::{ColumnRules, Mapping},
    ndjson::NdjsonFile,
    parquet::{ParquetFile, RowGroups},
    recipe::Recipe,
    rows::Rows,
    text::Compression,
};
use crate::arrival::ArrivalMemory;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

/// How files are read.
#[derive(Debug, Clone)]
pub(crate) struct ReadRules {
    pub(crate) columns: ColumnRules,
    /// Between the fields of CSV files.
    pub(crate) delimiter: u8,
    /// What the pages of Parquet files may take together, where several are read for several clients.
    pub(crate) pages: Option<Arc<ArrivalMemory>>,
}

/// An open, mapped file.
#[derive(Debug, Clone)]
pub(crate) struct InputFile {
    /// The name by which the user knows it.
    pub(crate) name: String,
    pub(crate) content: Content,
    kind: InputKind,
}

#[derive(Debug, Clone)]
enum InputKind {
    Parquet(ParquetFile),
    Csv(CsvFile),
    Ndjson(NdjsonFile),
}

/// A piece of a file.
#[derive(Debug, Clone)]
pub(crate) enum Unit {
    RowGroups(RowGroups),
    Whole,
}

impl FileFormat {
    /// Reads it off a file's name, without the ending of its compression; Parquet compresses by itself.
    pub(crate) fn of(name: &str) -> Option<(Self, Compression)> {
        let (compression, plain) = Compression::of(name);
        let (_, ending) = plain.rsplit_once('.')?;
        let format = match ending.to_ascii_lowercase().as_str() {
            "parquet" | "pq" if compression == Compression::None => Self::Parquet,
            "csv" => Self::Csv,
            "ndjson" | "jsonl" => Self::Ndjson,
            _ => return None,
        };
        Some((format, compression))
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Ndjson => "NDJSON",
        })
    }
}

impl Default for ReadRules {
    fn default() -> Self {
        Self { columns: ColumnRules::default(), delimiter: b',', pages: None }
    }
}

impl InputFile {
    /// Looks at the start or the end of a file and maps its columns; the error is a reason to be put behind the name. Blocking.
    pub(crate) fn open(
        name: &str,
        content: Content,
        format: FileFormat,
        compression: Compression,
        rules: &ReadRules,
    ) -> Result<Self, String> {
        let kind = match format {
            FileFormat::Parquet => {
                let file = ParquetFile::open(&content, &rules.columns)?;
                InputKind::Parquet(file.with_memory(rules.pages.clone()))
            }
            FileFormat::Csv => {
                InputKind::Csv(CsvFile::open(&content, compression, rules.delimiter, &rules.columns)?)
            }
            FileFormat::Ndjson => InputKind::Ndjson(NdjsonFile::new(compression, &rules.columns)),
        };
        Ok(Self { name: name.to_owned(), content, kind })
    }

    /// Which column of the file fills which column of the table; of NDJSON only after it was read.
    pub(crate) fn mapping(&self) -> Mapping {
        match &self.kind {
            InputKind::Parquet(file) => file.mapping.clone(),
            InputKind::Csv(file) => file.mapping.clone(),
            InputKind::Ndjson(file) => file.mapping(),
        }
    }

    /// What decides which rows the bytes of the file become; the error is a reason to be put behind the name. Blocking.
    pub(crate) fn recipe(&self, stop: &CancellationToken) -> Result<ContentHash, String> {
        match &self.kind {
            InputKind::Parquet(file) => Ok(Recipe::of("parquet").mapping(&file.mapping).hash()),
            InputKind::Csv(file) => {
                let format = format!("csv {}", char::from(file.delimiter));
                Ok(Recipe::of(&format).mapping(&file.mapping).hash())
            }
            InputKind::Ndjson(file) => file.recipe(&self.content, stop),
        }
    }

    /// What its lines have shown so far; none where the columns are known from the start.
    pub(crate) fn seen(&self) -> Option<&Seen> {
        match &self.kind {
            InputKind::Ndjson(file) => Some(&file.seen),
            InputKind::Parquet(_) | InputKind::Csv(_) => None,
        }
    }

    /// Pieces that can be read at the same time.
    pub(crate) fn units(&self) -> Vec<Unit> {
        match &self.kind {
            InputKind::Parquet(file) => file.units().into_iter().map(Unit::RowGroups).collect(),
            InputKind::Csv(_) | InputKind::Ndjson(_) => vec![Unit::Whole],
        }
    }

    /// Reads a piece and hands its batches to `take` until that says false; the error is a reason to be put behind the name.
    /// Blocking.
    pub(crate) fn read(&self, unit: &Unit, take: impl FnMut(Rows) -> bool) -> Result<(), String> {
        match (&self.kind, unit) {
            (InputKind::Parquet(file), unit) => {
                let Unit::RowGroups(groups) = unit else {
                    return Err("a Parquet file is read by row groups".to_owned());
                };
                file.read(&self.content, groups, take)
            }
            (InputKind::Csv(file), _) => file.read(&self.content, take),
            (InputKind::Ndjson(file), _) => file.read(&self.content, take),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_read_off_the_name() {
        for (name, expected) in [
            ("a.parquet", Some((FileFormat::Parquet, Compression::None))),
            ("a.b.PQ", Some((FileFormat::Parquet, Compression::None))),
            ("a.csv.gz", Some((FileFormat::Csv, Compression::Gzip))),
            ("a.jsonl.zst", Some((FileFormat::Ndjson, Compression::Zstd))),
            ("a.parquet.gz", None),
            ("a.txt", None),
            ("csv", None),
        ] {
            assert_eq!(FileFormat::of(name), expected, "{name}");
        }
    }
}
