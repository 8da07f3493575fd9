//! The arguments of `hexflight import`, and what they come to once they are checked.

use std::{collections::BTreeMap, path::PathBuf};

use arrow::array::{ArrayRef, StringArray};
use clap::Args;
use hexflight_engine::{ColumnRole, OnBadRow, OnLoaded, TableName};

use crate::{
    config::{Config, ConfigError, read_layers},
    console::CliError,
    files::{
        column::array_order,
        conversion::Conversion,
        error::ImportError,
        file::{FileFormat, ReadRules},
        mapping::{ColumnRules, PositionRule},
        rejects::RejectsFile,
    },
    on_error::OnError,
};

/// Loads files into a table: all rows of all files become visible at once, or none.
///
/// Files that were loaded before are skipped: those of the same content, read in the same way. Columns are matched by the names that
/// ingest takes, in any case; columns that fill nothing are ignored and listed. Row numbers count from 0, a header not counted.
///
/// A position may be two columns, or one called location, position, coordinates, geometry, geom, wkt, geo or point: a struct or object
/// with latitude and longitude, a GeoJSON Point, text as lat,lon or POINT(lon lat), or WKB. What is there and not understood is an error.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// Files, folders, quoted patterns such as 'data/*.parquet', or addresses such as s3://bucket/prefix
    ///
    /// In folders .parquet, .pq, .csv, .ndjson and .jsonl are taken, text also with .gz or .zst; names that start with _ or . are
    /// not. Object stores are reached with the settings of the environment: AWS_ENDPOINT, AWS_ACCESS_KEY_ID, ...
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Table to load into
    #[arg(long, default_value = "events")]
    pub table: String,
    /// Load into this folder, which no server may hold meanwhile [default: ./hexflight-data]
    #[arg(long, value_name = "FOLDER", conflicts_with = "target")]
    pub data_dir: Option<String>,
    /// Load through a running server, as http://HOST:PORT or grpc://HOST:PORT
    #[arg(long, value_name = "URL")]
    pub target: Option<String>,
    /// Certificates of the authorities to believe, in PEM, for grpc+tls:// and https:// [default: those of the system]
    #[arg(long, value_name = "FILE", env = "HEXFLIGHT_TLS_CA", hide_env_values = true)]
    pub tls_ca: Option<PathBuf>,
    /// What the files are, whatever their names say
    #[arg(long)]
    pub format: Option<FileFormat>,
    /// Take a column from the files' column of another name; may be repeated
    ///
    /// location=NAME means a column of whole positions, coordinates=NAME one whose arrays are [lon, lat] as in GeoJSON.
    #[arg(long = "map", value_name = "COLUMN=NAME", value_parser = parse_pair)]
    pub renamed: Vec<(String, String)>,
    /// Give a column the same value in every row; may be repeated
    #[arg(long = "set", value_name = "COLUMN=VALUE", value_parser = parse_pair)]
    pub constants: Vec<(String, String)>,
    /// Ignore a column of the files, whatever its name; may be repeated
    #[arg(long = "ignore", value_name = "NAME")]
    pub ignored: Vec<String>,
    /// Refuse files with columns that fill nothing
    #[arg(long)]
    pub strict: bool,
    /// Character between the fields of CSV files; 'tab' is one, too
    #[arg(long, default_value = ",", value_name = "CHAR", value_parser = parse_delimiter)]
    pub delimiter: u8,
    /// When a row breaks a rule: load nothing, or leave it out. A file that cannot be read always ends the import
    #[arg(long, value_enum, default_value_t = OnError::Abort)]
    pub on_error: OnError,
    /// Where rows that are left out are written, one JSON object each; made when there is one, never over a file that is there
    /// [default: rejects.ndjson, or the first of rejects-1.ndjson, ... that is free]
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Load files again that were loaded before
    #[arg(long)]
    pub force: bool,
    /// Read everything and say what would happen, without loading
    #[arg(long)]
    pub dry_run: bool,
    /// Memory of a load into a folder: a share of the machine's or a size such as 2GiB [default: 60%]
    #[arg(long, value_name = "SIZE")]
    pub memory_limit: Option<String>,
    /// How far in the future an event may lie [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub max_future: Option<String>,
}

/// Names by which `--map` knows a column of whole positions; arrays are ambiguous in the first, and not in the second.
const POSITIONS: [&str; 2] = ["location", "coordinates"];

impl ImportArgs {
    /// The name of the table.
    pub(super) fn table(&self) -> TableName {
        TableName::new(&self.table)
    }

    pub(super) fn on_bad_row(&self) -> OnBadRow {
        self.on_error.into()
    }

    pub(super) fn on_loaded(&self) -> OnLoaded {
        if self.force { OnLoaded::LoadAgain } else { OnLoaded::Refuse }
    }

    /// Where rows that are left out go.
    ///
    /// # Errors
    /// `Exists` when the file that was named is there already.
    pub(super) fn rejects_file(&self) -> Result<RejectsFile, ImportError> {
        self.rejects.as_deref().map_or_else(|| Ok(RejectsFile::usual()), RejectsFile::named)
    }

    /// The settings of an engine in this process: flags over environment over defaults.
    pub(super) fn config(&self) -> Result<Config, ConfigError> {
        let texts = [
            ("data_dir", &self.data_dir),
            ("memory_limit", &self.memory_limit),
            ("max_future", &self.max_future),
        ];
        let given = texts.into_iter().filter_map(|(key, text)| Some((key, text.clone()?)));
        let flags: BTreeMap<&'static str, String> = given.collect();
        Config::resolve(&read_layers(None, &flags)?)
    }

    /// How files are read.
    ///
    /// # Errors
    /// `Argument` for a column that there is not, or that is told about twice, and for a constant that the column cannot hold.
    pub(super) fn read_rules(&self) -> Result<ReadRules, CliError> {
        let is_position = |name: &String| POSITIONS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let (positions, renamed): (Vec<_>, Vec<_>) =
            self.renamed.iter().cloned().partition(|(name, _)| is_position(name));
        let renamed = columns("map", &renamed, &[])?;
        let constants = columns("set", &self.constants, &renamed)?;
        for (column, text) in &constants {
            check_constant(*column, text)?;
        }
        let mut halves = renamed.iter().chain(&constants).filter(|(column, _)| column.is_half());
        let position = position(&positions, halves.next())?;
        let ignored = self.ignored.clone();
        let columns = ColumnRules { renamed, position, constants, ignored, strict: self.strict };
        Ok(ReadRules { columns, delimiter: self.delimiter, ..ReadRules::default() })
    }
}

/// Where whole positions are, if the user said it.
fn position(
    positions: &[(String, String)],
    half: Option<&(ColumnRole, String)>,
) -> Result<Option<PositionRule>, CliError> {
    let Some((target, name)) = positions.first() else { return Ok(None) };
    let refuse = |rule: &str| {
        let value = format!("{target}={name}");
        Err(CliError::Argument { field: "map", value, rule: rule.to_owned() })
    };
    match (positions, half) {
        ([_], None) => Ok(Some(PositionRule { name: name.clone(), order: array_order(target) })),
        ([_], Some(_)) => refuse("latitude or longitude is told about, too"),
        _ => refuse("the position is told about twice"),
    }
}

fn columns(
    field: &'static str,
    pairs: &[(String, String)],
    others: &[(ColumnRole, String)],
) -> Result<Vec<(ColumnRole, String)>, CliError> {
    let mut columns: Vec<(ColumnRole, String)> = Vec::new();
    for (name, text) in pairs {
        let refuse = |rule: String| CliError::Argument { field, value: format!("{name}={text}"), rule };
        let column = ColumnRole::of(name).ok_or_else(|| {
            let known = ColumnRole::ALL.map(ColumnRole::name).join(", ");
            let positions = if field == "map" { ", location, coordinates" } else { "" };
            refuse(format!("'{name}' is no column of the table; columns: {known}{positions}"))
        })?;
        if columns.iter().chain(others).any(|(known, _)| *known == column) {
            return Err(refuse(format!("{} is told about twice", column.name())));
        }
        columns.push((column, text.clone()));
    }
    Ok(columns)
}

/// A constant must be what a CSV file could hold there.
fn check_constant(column: ColumnRole, text: &str) -> Result<(), CliError> {
    let refuse =
        |rule: String| CliError::Argument { field: "set", value: format!("{}={text}", column.name()), rule };
    let texts: ArrayRef = std::sync::Arc::new(StringArray::from(vec![text]));
    let mut bad = Vec::new();
    Conversion::of_text(column)
        .apply(column, column.name(), &texts, &mut bad)
        .map_err(|error| refuse(error.to_string()))?;
    bad.first().map_or(Ok(()), |bad| Err(refuse(format!("{} {}", bad.value, bad.rule))))
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text.split_once('=').ok_or("write it as COLUMN=…, for example device_id=sensor")?;
    if left.is_empty() || right.is_empty() {
        return Err("both sides of the = need a name or value".to_owned());
    }
    Ok((left.to_owned(), right.to_owned()))
}

fn parse_delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        _ if matches!(text, "tab" | "\\t") => Ok(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("a delimiter is one ASCII character other than a quote, or 'tab'".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::files::column::ArrayOrder;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: ImportArgs,
    }

    #[test]
    fn columns_are_told_about_once() {
        for (flags, rule) in [
            (&["--map", "device=x"][..], "'device' is no column of the table; columns: timestamp"),
            (&["--map", "value=x", "--map", "metric_value=y"], "value is told about twice"),
            (&["--map", "type=x", "--set", "type=y"], "type is told about twice"),
            (&["--set", "value=warm"], "\"warm\" is not a number"),
            (&["--set", "ts=later"], "is neither RFC 3339"),
            (&["--set", "location=1,2"], "'location' is no column of the table"),
            (&["--map", "location=a", "--map", "coordinates=b"], "the position is told about twice"),
            (&["--map", "location=a", "--set", "LAT=1"], "latitude or longitude is told about, too"),
        ] {
            let text = parsed(flags).unwrap().read_rules().unwrap_err().to_string();
            assert!(text.contains(rule), "{text}");
        }
    }

    #[test]
    fn bad_values_name_flag_value_and_rule() {
        for (flags, rule) in [
            (&["--map", "sensor"][..], "COLUMN="),
            (&["--delimiter", ";;"], "one ASCII character"),
            (&["--format", "xml"], "parquet"),
            (&["--target", "http://a", "--data-dir", "b"], "cannot be used with"),
        ] {
            let text = parsed(flags).unwrap_err().to_string();
            assert!(text.contains(rule), "{text}");
        }
        assert_eq!(parsed(&["--delimiter", "tab"]).unwrap().delimiter, b'\t');
    }

    #[test]
    fn a_column_of_positions_is_named() {
        let rule =
            |flag: &str| parsed(&["--map", flag]).unwrap().read_rules().unwrap().columns.position.unwrap();
        assert_eq!(rule("location=wo"), PositionRule { name: "wo".to_owned(), order: ArrayOrder::Unsaid });
        assert_eq!(rule("Coordinates=wo").order, ArrayOrder::LonLat);
    }

    fn parsed(flags: &[&str]) -> Result<ImportArgs, clap::Error> {
        let typed = ["import", "file.csv"].iter().chain(flags);
        Command::try_parse_from(typed).map(|command| command.args)
    }
}
