//! A whole body, in plain bytes, becomes rows and faults: one object, an array, NDJSON, or CloudEvents.

use arrow::array::RecordBatch;

use super::{
    cloud_event::{self, Attributes},
    cursor::{Cursor, Malformed},
    event::{self, Fallback, Sink},
    fault::{FaultPlace, Faults, Layout, Origin, shortened},
};

/// Events of one request at most: what becomes one batch, and one object of the WAL.
pub(crate) const EVENTS_MAX: usize = 100_000;

/// What a body is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DocumentFormat {
    /// One event, or an array of them.
    Json,
    /// One event per line.
    Lines,
    /// Nothing was said: either of the two.
    Unknown,
    /// One structured CloudEvent.
    CloudEvent,
    /// An array of structured CloudEvents.
    CloudBatch,
    /// One event, with a CloudEvent's attributes as headers.
    CloudHeaders(Attributes<'static>),
}

/// The events of a body.
#[derive(Debug)]
pub(crate) struct Events {
    /// Those that are rows; `None` if none is.
    pub(crate) batch: Option<RecordBatch>,
    /// Where each row came from.
    pub(crate) origins: Vec<Origin>,
    /// What is wrong with the others.
    pub(crate) faults: Faults,
    /// All of them.
    pub(crate) count: usize,
    /// Of NDJSON, the first line that is not JSON.
    pub(crate) malformed: Option<Spot>,
}

/// Why a body holds no events at all.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Nothing but blanks.
    Blank,
    /// More than [`EVENTS_MAX`].
    TooMany,
    /// Not JSON.
    Malformed(Spot),
}

/// Where a body stops being JSON. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) byte: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) rule: &'static str,
    /// What stands there instead.
    pub(crate) found: Option<char>,
}

/// A [`Malformed`] of the text that is being read, or another end of it.
enum Stop {
    Malformed(Malformed),
    TooMany,
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Reads the events of a body.
pub(crate) fn read(body: &[u8], format: &DocumentFormat) -> Result<Events, Unreadable> {
    // A byte order mark is no part of the text (RFC 8259, 8.1).
    let text_start = if body.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    if body[text_start..].iter().all(u8::is_ascii_whitespace) {
        return Err(Unreadable::Blank);
    }
    if *format == DocumentFormat::Lines || *format == DocumentFormat::Unknown && is_lines(&body[text_start..])
    {
        return read_lines(body, text_start);
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        let malformed = Malformed { at: error.valid_up_to(), rule: NOT_UTF8 };
        Unreadable::Malformed(Spot::of(body, 0, malformed))
    })?;
    let mut reader =
        DocumentReader { cursor: Cursor::new(text, text_start), sink: Sink::default(), count: 0 };
    match reader.document(format) {
        Ok(()) => events(reader.sink, reader.count, None),
        Err(Stop::TooMany) => Err(Unreadable::TooMany),
        Err(Stop::Malformed(malformed)) => Err(Unreadable::Malformed(Spot::of(body, 0, malformed))),
    }
}

const NOT_UTF8: &str = "the text is not UTF-8";

struct DocumentReader<'t> {
    cursor: Cursor<'t>,
    sink: Sink,
    count: usize,
}

impl<'t> DocumentReader<'t> {
    fn document(&mut self, format: &'t DocumentFormat) -> Result<(), Stop> {
        let Self { cursor, sink, count } = self;
        let is_array = cursor.peek() == Some(b'[');
        let layout = match format {
            DocumentFormat::CloudEvent => Layout::CloudEvent,
            DocumentFormat::CloudHeaders(_) => Layout::CloudHeaders,
            DocumentFormat::CloudBatch => Layout::CloudBatch,
            _ if is_array => Layout::Array,
            _ => Layout::Object,
        };
        if is_array && matches!(layout, Layout::Array | Layout::CloudBatch) {
            cursor.array(|cursor| {
                let place = FaultPlace { layout, index: *count, line: 0 };
                *count += 1;
                if *count > EVENTS_MAX {
                    return Err(Stop::TooMany);
                }
                Ok(read_one(cursor, format, place, sink)?)
            })?;
        } else {
            *count = 1;
            if layout == Layout::CloudBatch {
                return Err(self.cursor.malformed("expected an array of CloudEvents").into());
            }
            read_one(cursor, format, FaultPlace { layout, index: 0, line: 0 }, sink)?;
        }
        Ok(self.cursor.end()?)
    }
}

fn read_one<'t>(
    cursor: &mut Cursor<'t>,
    format: &'t DocumentFormat,
    place: FaultPlace,
    sink: &mut Sink,
) -> Result<(), Malformed> {
    match format {
        DocumentFormat::CloudEvent | DocumentFormat::CloudBatch => {
            cloud_event::read_structured(cursor, place, sink)
        }
        DocumentFormat::CloudHeaders(attributes) => cloud_event::read_data(cursor, attributes, place, sink),
        _ => event::read(cursor, place, &Fallback::default(), sink),
    }
}

/// Whether a body of unknown format is NDJSON: its first line is a JSON value, and is not the last.
fn is_lines(body: &[u8]) -> bool {
    let lines = body.trim_ascii_start();
    let end = lines.iter().position(|byte| *byte == b'\n').unwrap_or(lines.len());
    let Ok(line) = std::str::from_utf8(&lines[..end]) else { return false };
    let mut cursor = Cursor::new(line, 0);
    let is_value = cursor.value().and_then(|_| cursor.end()).is_ok();
    is_value && !lines[end..].trim_ascii_start().is_empty()
}

fn read_lines(body: &[u8], text_start: usize) -> Result<Events, Unreadable> {
    let mut sink = Sink::default();
    let mut count = 0;
    let mut first_malformed = None;
    let mut start = text_start;
    for (number, line) in body[text_start..].split(|byte| *byte == b'\n').enumerate() {
        let line_start = start;
        start += line.len() + 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let place = FaultPlace { layout: Layout::Lines, index: count, line: number + 1 };
        count += 1;
        if count > EVENTS_MAX {
            return Err(Unreadable::TooMany);
        }
        let read = std::str::from_utf8(line)
            .map_err(|error| Malformed { at: error.valid_up_to(), rule: NOT_UTF8 })
            .and_then(|text| event::read(&mut Cursor::new(text, 0), place, &Fallback::default(), &mut sink));
        if let Err(malformed) = read {
            let spot = Spot::of(body, line_start, malformed);
            let shown = shortened(&String::from_utf8_lossy(&line[malformed.at.min(line.len())..]));
            let shown = Some(shown.as_str()).filter(|shown| !shown.is_empty());
            sink.faults.add(|| place.fault("", format!("malformed JSON: {spot}"), shown));
            first_malformed.get_or_insert(spot);
        }
    }
    events(sink, count, first_malformed)
}

fn events(sink: Sink, count: usize, malformed: Option<Spot>) -> Result<Events, Unreadable> {
    let Sink { columns, origins, faults, .. } = sink;
    let batch = (!origins.is_empty()).then(|| columns.finish());
    Ok(Events { batch, origins, faults, count, malformed })
}

impl Spot {
    fn of(body: &[u8], text_start: usize, malformed: Malformed) -> Self {
        let byte = (text_start + malformed.at).min(body.len());
        let before = &body[..byte];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + String::from_utf8_lossy(&before[line_start..]).chars().count();
        let found = String::from_utf8_lossy(&body[byte..body.len().min(byte + 4)]).chars().next();
        Self { byte, line, column, rule: malformed.rule, found }
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { byte, line, column, rule, found } = self;
        match found {
            Some(found) => write!(f, "{rule}, found '{}'", found.escape_debug())?,
            None => write!(f, "{rule}, found the end")?,
        }
        write!(f, " at byte {byte} (line {line}, column {column})")
    }
}
