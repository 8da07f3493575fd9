//! NDJSON files: one event per line, flat or with a nested `location`, `metadata` as an object or as text. Lines may differ in shape.

use std::{
    io::{self, BufRead, Read},
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{ArrayRef, Float64Builder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondBuilder},
    error::ArrowError,
};
use hexflight_engine::{BadRow, column};
use serde_json::{Map, Value};

use super::{
    column::{Column, LOCATION, schema},
    content::Content,
    conversion::Conversion,
    instant,
    mapping::{ColumnRules, Entry, Mapping, Origin},
    rows::{Rows, quoted},
    text::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Compression, RECORD_BYTES_MAX, TextReader},
};

/// Ignored keys that are remembered.
const IGNORED_MAX: usize = 32;

/// A file of events, one per line.
#[derive(Debug, Clone)]
pub(crate) struct NdjsonFile {
    compression: Compression,
    rules: ColumnRules,
    /// What was seen in the lines read so far.
    seen: Arc<Mutex<Mapping>>,
}

/// One event, as far as it was given.
#[derive(Debug, Default)]
struct Event {
    micros: Option<i64>,
    texts: [Option<String>; 3],
    numbers: [Option<f64>; 3],
    given: Vec<(Column, String)>,
}

/// What is wrong with a value: column, value, rule.
type Refusal = (String, String, String);

impl NdjsonFile {
    /// Takes a file; nothing is known about it before its lines are read.
    pub(crate) fn new(compression: Compression, rules: &ColumnRules) -> Self {
        let entries = Column::ALL.map(|column| {
            let origin =
                rules.constant(column).map_or(Origin::Absent, |text| Origin::Constant(text.to_owned()));
            Entry { column, origin, name: String::new(), found: String::new() }
        });
        let seen = Mapping { entries: entries.to_vec(), ignored: Vec::new() };
        Self { compression, rules: rules.clone(), seen: Arc::new(Mutex::new(seen)) }
    }

    /// What was seen so far.
    pub(crate) fn mapping(&self) -> Mapping {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file and hands its batches to `take` until that says false. Blocking.
    pub(crate) fn read(&self, content: &Content, mut take: impl FnMut(Rows) -> bool) -> Result<(), String> {
        let unreadable = |error: io::Error| format!("it cannot be read: {error}");
        let mut reader = TextReader::open(content, self.compression).map_err(unreadable)?;
        let (mut first, mut line) = (0, Vec::new());
        loop {
            let mut batch = Builders::default();
            while batch.rows < BATCH_ROWS_MAX && batch.bytes < BATCH_BYTES_MAX {
                let row = first + batch.rows;
                let more = read_line(reader.input(), &mut line);
                if !more.map_err(|error| format!("row {row}: it cannot be read on: {error}"))? {
                    break;
                }
                if !line.trim_ascii().is_empty() {
                    batch.push(self.event(line.trim_ascii()), line.len());
                }
            }
            if batch.rows == 0 {
                return Ok(());
            }
            let rows = batch.rows;
            let rows_of_file = batch.finish(&self.rules, first, reader.bytes_read());
            first += rows;
            if !take(rows_of_file.map_err(|error| error.to_string())?) {
                return Ok(());
            }
        }
    }

    fn event(&self, line: &[u8]) -> Result<Event, Refusal> {
        let whole = |rule: String| (String::new(), quoted(&String::from_utf8_lossy(line)), rule);
        if line.len() > RECORD_BYTES_MAX {
            return Err(whole(format!("begins a line of more than {RECORD_BYTES_MAX} bytes")));
        }
        let object: Map<String, Value> =
            serde_json::from_slice(line).map_err(|error| whole(format!("is not a JSON object: {error}")))?;
        let mut event = Event::default();
        for (key, value) in object {
            match (self.column_of(&key), value) {
                (Some(column), value) => self.give(&mut event, column, &key, &key, value)?,
                (None, Value::Object(fields)) if key == LOCATION => {
                    for (field, value) in fields {
                        let name = format!("{LOCATION}.{field}");
                        match Column::of(&field) {
                            Some(column @ (Column::Latitude | Column::Longitude)) => {
                                self.give(&mut event, column, &name, &field, value)?;
                            }
                            _ => self.ignore(name)?,
                        }
                    }
                }
                (None, Value::Null) if key == LOCATION => {}
                (None, _) => self.ignore(key)?,
            }
        }
        Ok(event)
    }

    /// The column that a key fills.
    fn column_of(&self, key: &str) -> Option<Column> {
        let renamed = self.rules.renamed.iter().find(|(_, name)| name == key).map(|(column, _)| *column);
        let spelled = || Column::of(key).filter(|column| self.rules.renamed(*column).is_none());
        renamed.or_else(spelled).filter(|column| self.rules.constant(*column).is_none())
    }

    fn give(
        &self,
        event: &mut Event,
        column: Column,
        name: &str,
        key: &str,
        value: Value,
    ) -> Result<(), Refusal> {
        if let Some((_, earlier)) = event.given.iter().find(|(given, _)| *given == column) {
            let rule = format!("gives {} again, after '{earlier}'", column.name());
            return Err((name.to_owned(), shown(&value), rule));
        }
        self.remember(column, name, kind(&value));
        event.given.push((column, name.to_owned()));
        event.set(column, value).map_err(|(value, rule)| {
            let name = if name.is_empty() { key } else { name };
            (name.to_owned(), value, rule)
        })
    }

    fn remember(&self, column: Column, name: &str, found: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) =
            seen.entries.iter_mut().find(|entry| entry.column == column && entry.name.is_empty())
        {
            name.clone_into(&mut entry.name);
            found.clone_into(&mut entry.found);
        }
    }

    fn ignore(&self, key: String) -> Result<(), Refusal> {
        if self.rules.strict && key != column::H3 {
            return Err((key, "the key".to_owned(), "fills no column of the table".to_owned()));
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.ignored.len() < IGNORED_MAX && !seen.ignored.contains(&key) {
            seen.ignored.push(key);
        }
        Ok(())
    }
}

/// Reads a line with at most one byte more than is allowed; what follows on it is skipped. False at the end of the file.
fn read_line(input: &mut (dyn BufRead + Send), line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let limit = RECORD_BYTES_MAX as u64 + 1;
    if (&mut *input).take(limit).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.len() as u64 == limit && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

impl Event {
    fn set(&mut self, column: Column, value: Value) -> Result<(), (String, String)> {
        if value.is_null() {
            return Ok(());
        }
        let refuse = |value: &Value, rule: &str| Err((shown(value), rule.to_owned()));
        match (column, value) {
            (Column::Timestamp, value) => match micros(&value) {
                Ok(micros) => self.micros = Some(micros),
                Err(rule) => return refuse(&value, rule),
            },
            (Column::DeviceId, Value::String(text)) => self.texts[0] = Some(text),
            (Column::Type, Value::String(text)) => self.texts[1] = Some(text),
            (Column::Metadata, Value::String(text)) => self.texts[2] = Some(text),
            (Column::Metadata, value @ Value::Object(_)) => self.texts[2] = Some(value.to_string()),
            (Column::Metadata, value) => return refuse(&value, "is not a JSON object"),
            (Column::DeviceId | Column::Type, value) => return refuse(&value, "is not text"),
            (Column::Value, Value::Number(number)) => self.numbers[0] = number.as_f64(),
            (Column::Latitude, Value::Number(number)) => self.numbers[1] = number.as_f64(),
            (Column::Longitude, Value::Number(number)) => self.numbers[2] = number.as_f64(),
            (Column::Value | Column::Latitude | Column::Longitude, value) => {
                return refuse(&value, "is not a number");
            }
        }
        Ok(())
    }
}

fn micros(value: &Value) -> Result<i64, &'static str> {
    match value {
        Value::String(text) => instant::of_text(text),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(seconds), _) => instant::of_seconds(seconds),
            (None, Some(seconds)) => instant::of_real_seconds(seconds),
            (None, None) => Err(instant::TEXT_RULE),
        },
        _ => Err(instant::TEXT_RULE),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "JSON null",
        Value::Bool(_) => "JSON boolean",
        Value::Number(_) => "JSON number",
        Value::String(_) => "JSON string",
        Value::Array(_) => "JSON array",
        Value::Object(_) => "JSON object",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        other => {
            let text = other.to_string();
            let ellipsis = if text.chars().nth(64).is_some() { "..." } else { "" };
            text.chars().take(64).collect::<String>() + ellipsis
        }
    }
}

/// Columns of the import's schema, growing.
#[derive(Debug, Default)]
struct Builders {
    micros: TimestampMicrosecondBuilder,
    texts: [StringBuilder; 3],
    numbers: [Float64Builder; 3],
    bad: Vec<BadRow>,
    rows: usize,
    bytes: usize,
}

impl Builders {
    /// Adds an event; a bad one keeps its place, so that rows can be counted.
    fn push(&mut self, event: Result<Event, Refusal>, bytes: usize) {
        let event = event.unwrap_or_else(|(column, value, rule)| {
            self.bad.push(BadRow { row: self.rows, column, value, rule });
            Event::default()
        });
        self.micros.append_option(event.micros);
        for (builder, text) in self.texts.iter_mut().zip(event.texts) {
            builder.append_option(text);
        }
        for (builder, number) in self.numbers.iter_mut().zip(event.numbers) {
            builder.append_option(number);
        }
        self.rows += 1;
        self.bytes += bytes;
    }

    fn finish(mut self, rules: &ColumnRules, first: usize, bytes: u64) -> Result<Rows, ArrowError> {
        let [device_id, event_type, metadata] = self.texts.each_mut().map(|texts| Arc::new(texts.finish()));
        let [value, latitude, longitude] = self.numbers.each_mut().map(|numbers| Arc::new(numbers.finish()));
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.micros.finish().with_timezone("UTC")),
            device_id,
            event_type,
            value,
            latitude,
            longitude,
            metadata,
        ];
        for (column, values) in Column::ALL.into_iter().zip(&mut columns) {
            if let Some(text) = rules.constant(column) {
                let texts: ArrayRef = Arc::new(StringArray::from_iter_values(vec![text; self.rows]));
                *values = Conversion::of_text(column).apply(column, column.name(), &texts, &mut self.bad)?;
            }
        }
        Rows::without_bad(RecordBatch::try_new(schema(), columns)?, first, self.bad, bytes)
    }
}
