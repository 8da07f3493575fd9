//! NDJSON files: one event per line, flat or with a nested position, `metadata` as an object or as text. Lines may differ in shape.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Read},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Float64Builder, RecordBatch, StringBuilder, TimestampMicrosecondBuilder},
    error::ArrowError,
};
use hexflight_engine::{BadRow, ColumnRole, ContentHash};
use tokio_util::sync::CancellationToken;

use super::{
    column::schema,
    content::Content,
    event::{Event, EventReader, Seen, members_of},
    mapping::{ColumnRules, Mapping, constant},
    recipe::{Recipe, constant_text, order},
    role::Role,
    rows::{Rows, quoted},
    text::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Compression, RECORD_BYTES_MAX, TextReader},
};

/// A file of events, one per line.
#[derive(Debug, Clone)]
pub(crate) struct NdjsonFile {
    compression: Compression,
    rules: ColumnRules,
    pub(crate) seen: Seen,
}

/// Which members of a file have which role.
type Names = BTreeSet<(Role, String)>;

impl NdjsonFile {
    /// Takes a file; nothing is known about it before its lines are read.
    pub(crate) fn new(compression: Compression, rules: &ColumnRules) -> Self {
        Self { compression, rules: rules.clone(), seen: Seen::nothing(rules) }
    }

    /// What was seen so far.
    pub(crate) fn mapping(&self) -> Mapping {
        self.seen.mapping()
    }

    /// What decides which rows the lines become. If the user named members, the file is read to find out what the names come to.
    /// Blocking.
    pub(crate) fn recipe(&self, content: &Content, stop: &CancellationToken) -> Result<ContentHash, String> {
        recipe(content, self.compression, &self.rules, stop).map_err(|error| unreadable(&error))
    }

    /// Reads the file and hands its batches to `take` until that says false. Blocking.
    pub(crate) fn read(&self, content: &Content, mut take: impl FnMut(Rows) -> bool) -> Result<(), String> {
        let mut reader = TextReader::open(content, self.compression).map_err(|error| unreadable(&error))?;
        let events = EventReader { rules: &self.rules, seen: &self.seen };
        let (mut first, mut line) = (0, Vec::new());
        loop {
            let mut batch = Builders::default();
            while batch.rows < BATCH_ROWS_MAX && batch.bytes < BATCH_BYTES_MAX {
                let row = first + batch.rows;
                let more = read_line(reader.input(), &mut line);
                if !more.map_err(|error| format!("row {row}: it cannot be read on: {error}"))? {
                    break;
                }
                let text = line.trim_ascii();
                if line.len() > RECORD_BYTES_MAX {
                    batch.push(Err(too_long(text)), line.len());
                } else if !text.is_empty() {
                    batch.push(events.event(text), line.len());
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
}

fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

fn too_long(text: &[u8]) -> BadRow {
    let rule = format!("begins a line of more than {RECORD_BYTES_MAX} bytes");
    let start = text.get(..256).unwrap_or(text);
    BadRow { row: 0, column: String::new(), value: quoted(&String::from_utf8_lossy(start)), rule }
}

/// The recipe: a column is filled in the usual way, or by members that the user named. Names that come to what the usual way would have
/// taken are the usual way.
fn recipe(
    content: &Content,
    compression: Compression,
    rules: &ColumnRules,
    stop: &CancellationToken,
) -> io::Result<ContentHash> {
    let usual_rules = ColumnRules { constants: rules.constants.clone(), ..ColumnRules::default() };
    let (named, usual) = match rules.are_usual() {
        true => (Names::new(), Names::new()),
        false => names(content, compression, [rules, &usual_rules], stop)?,
    };
    let origin = |is_meant: &dyn Fn(&Role) -> bool| {
        let of = |names: &Names| names.iter().filter(|(role, _)| is_meant(role)).cloned().collect::<Vec<_>>();
        let (named, usual) = (of(&named), of(&usual));
        if named == usual {
            return "usual".to_owned();
        }
        let texts = named.into_iter().map(|(role, name)| {
            let order = if let Role::Position(array_order) = role { order(array_order) } else { "" };
            format!("{}{order}", serde_json::Value::from(name))
        });
        format!("members {}", texts.collect::<Vec<_>>().join(" "))
    };
    let mut recipe = Recipe::of("ndjson");
    for column in ColumnRole::ALL {
        let line = rules.constant(column).map(|text| constant_text(column, text));
        let line = line.unwrap_or_else(|| origin(&|role| *role == Role::Column(column)));
        recipe.line(column.name(), &line);
    }
    recipe.line("position", &origin(&|role| matches!(role, Role::Position(_))));
    Ok(recipe.hash())
}

/// The members of a file that have a role, by each of two rules.
fn names(
    content: &Content,
    compression: Compression,
    [one, other]: [&ColumnRules; 2],
    stop: &CancellationToken,
) -> io::Result<(Names, Names)> {
    let mut reader = TextReader::open(content, compression)?;
    let (mut found, mut line) = ((Names::new(), Names::new()), Vec::new());
    while read_line(reader.input(), &mut line)? {
        if stop.is_cancelled() {
            return Err(io::Error::other("interrupted"));
        }
        if line.len() > RECORD_BYTES_MAX {
            continue;
        }
        let members = members_of(line.trim_ascii());
        for (name, _) in &members {
            for (rules, names) in [(one, &mut found.0), (other, &mut found.1)] {
                let (role, others) = Role::all_of(name, &members, rules);
                for role in std::iter::once(role).chain(others).filter(|role| *role != Role::Ignored) {
                    names.insert((role, name.to_string()));
                }
            }
        }
    }
    Ok(found)
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
    fn push(&mut self, event: Result<Event<'_>, BadRow>, bytes: usize) {
        let event = event.unwrap_or_else(|bad| {
            self.bad.push(BadRow { row: self.rows, ..bad });
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
        for (column, values) in ColumnRole::ALL.into_iter().zip(&mut columns) {
            if let Some(text) = rules.constant(column) {
                *values = constant(column, text, self.rows, &mut self.bad)?;
            }
        }
        Rows::without_bad(RecordBatch::try_new(schema(), columns)?, first, self.bad, bytes)
    }
}
