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
pub enum Format {
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
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
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

impl Format {
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

impl fmt::Display for Format {
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
        format: Format,
        compression: Compression,
        rules: &ReadRules,
    ) -> Result<Self, String> {
        let kind = match format {
            Format::Parquet => {
                let file = ParquetFile::open(&content, &rules.columns)?;
                Kind::Parquet(file.with_memory(rules.pages.clone()))
            }
            Format::Csv => Kind::Csv(CsvFile::open(&content, compression, rules.delimiter, &rules.columns)?),
            Format::Ndjson => Kind::Ndjson(NdjsonFile::new(compression, &rules.columns)),
        };
        Ok(Self { name: name.to_owned(), content, kind })
    }

    /// Which column of the file fills which column of the table; of NDJSON only after it was read.
    pub(crate) fn mapping(&self) -> Mapping {
        match &self.kind {
            Kind::Parquet(file) => file.mapping.clone(),
            Kind::Csv(file) => file.mapping.clone(),
            Kind::Ndjson(file) => file.mapping(),
        }
    }

    /// What decides which rows the bytes of the file become; the error is a reason to be put behind the name. Blocking.
    pub(crate) fn recipe(&self, stop: &CancellationToken) -> Result<ContentHash, String> {
        match &self.kind {
            Kind::Parquet(file) => Ok(Recipe::of("parquet").mapping(&file.mapping).hash()),
            Kind::Csv(file) => {
                let format = format!("csv {}", char::from(file.delimiter));
                Ok(Recipe::of(&format).mapping(&file.mapping).hash())
            }
            Kind::Ndjson(file) => file.recipe(&self.content, stop),
        }
    }

    /// What its lines have shown so far; none where the columns are known from the start.
    pub(crate) fn seen(&self) -> Option<&Seen> {
        match &self.kind {
            Kind::Ndjson(file) => Some(&file.seen),
            Kind::Parquet(_) | Kind::Csv(_) => None,
        }
    }

    /// Pieces that can be read at the same time.
    pub(crate) fn units(&self) -> Vec<Unit> {
        match &self.kind {
            Kind::Parquet(file) => file.units().into_iter().map(Unit::RowGroups).collect(),
            Kind::Csv(_) | Kind::Ndjson(_) => vec![Unit::Whole],
        }
    }

    /// Reads a piece and hands its batches to `take` until that says false; the error is a reason to be put behind the name.
    /// Blocking.
    pub(crate) fn read(&self, unit: &Unit, take: impl FnMut(Rows) -> bool) -> Result<(), String> {
        match (&self.kind, unit) {
            (Kind::Parquet(file), unit) => {
                let Unit::RowGroups(groups) = unit else {
                    return Err("a Parquet file is read by row groups".to_owned());
                };
                file.read(&self.content, groups, take)
            }
            (Kind::Csv(file), _) => file.read(&self.content, take),
            (Kind::Ndjson(file), _) => file.read(&self.content, take),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_read_off_the_name() {
        for (name, expected) in [
            ("a.parquet", Some((Format::Parquet, Compression::None))),
            ("a.b.PQ", Some((Format::Parquet, Compression::None))),
            ("a.csv.gz", Some((Format::Csv, Compression::Gzip))),
            ("a.jsonl.zst", Some((Format::Ndjson, Compression::Zstd))),
            ("a.parquet.gz", None),
            ("a.txt", None),
            ("csv", None),
        ] {
            assert_eq!(Format::of(name), expected, "{name}");
        }
    }
}
