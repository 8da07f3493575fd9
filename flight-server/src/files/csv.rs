//! CSV files: RFC 4180 with a header line, any one-byte delimiter. Own code, because arrow-csv fails a whole batch where one row
//! is bad and does not say which value it was.

use std::io::{self, BufRead};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use hexflight_engine::BadRow;
use std::sync::Arc;

use super::{
    content::Content,
    mapping::{ColumnRules, Mapping},
    rows::{Rows, quoted},
    text::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Compression, RECORD_BYTES_MAX, TextReader},
};

/// A CSV file whose columns are mapped.
#[derive(Debug, Clone)]
pub(crate) struct CsvFile {
    pub(crate) delimiter: u8,
    compression: Compression,
    /// Fields of every record.
    field_count: usize,
    pub(crate) mapping: Mapping,
    projected: Mapping,
}

impl CsvFile {
    /// Reads the header and maps the columns; the error is a reason to be put behind the name of the file.
    pub(crate) fn open(
        content: &Content,
        compression: Compression,
        delimiter: u8,
        rules: &ColumnRules,
    ) -> Result<Self, String> {
        let mut reader = TextReader::open(content, compression).map_err(|error| unreadable(&error))?;
        let mut record = Record::default();
        if !record.read(reader.input(), delimiter).map_err(|error| error.text(0))? {
            return Err("it is empty: a CSV file begins with a line of column names".to_owned());
        }
        let Some(header) = record.texts() else {
            return Err(
                "its first line is not UTF-8; a CSV file begins with a line of column names".to_owned()
            );
        };
        let names: Vec<String> = header.map(|name| name.trim().to_owned()).collect();
        let mapping = Mapping::of_header(&names, rules)?;
        let projected = mapping.projected();
        Ok(Self { delimiter, compression, field_count: names.len(), mapping, projected })
    }

    /// Reads the file and hands its batches to `take` until that says false. Blocking.
    pub(crate) fn read(&self, content: &Content, mut take: impl FnMut(Rows) -> bool) -> Result<(), String> {
        let mut reader = TextReader::open(content, self.compression).map_err(|error| unreadable(&error))?;
        let mut record = Record::default();
        record.read(reader.input(), self.delimiter).map_err(|error| error.text(0))?;
        let mut first = 0;
        loop {
            let mut batch = Batch::of(self);
            while batch.rows < BATCH_ROWS_MAX && batch.bytes < BATCH_BYTES_MAX {
                let more = record.read(reader.input(), self.delimiter);
                if !more.map_err(|error| error.text(first + batch.rows))? {
                    break;
                }
                batch.push(&record, self.field_count);
            }
            if batch.rows == 0 {
                return Ok(());
            }
            let rows = batch.rows;
            let (columns, bad) = batch.finish().map_err(|error| error.to_string())?;
            let mapped = self.projected.apply(&columns, first, reader.bytes_read(), bad);
            first += rows;
            if !take(mapped.map_err(|error| error.to_string())?) {
                return Ok(());
            }
        }
    }
}

fn unreadable(error: &io::Error) -> String {
    format!("it cannot be read: {error}")
}

/// Columns that are read, as text.
struct Batch {
    fields: Vec<usize>,
    columns: Vec<StringBuilder>,
    bad: Vec<BadRow>,
    rows: usize,
    bytes: usize,
}

impl Batch {
    fn of(file: &CsvFile) -> Self {
        let fields = file.mapping.columns_read();
        let columns = fields.iter().map(|_| StringBuilder::new()).collect();
        Self { fields, columns, bad: Vec::new(), rows: 0, bytes: 0 }
    }

    /// Adds a record; a bad one keeps its place, so that rows can be counted.
    fn push(&mut self, record: &Record, field_count: usize) {
        let refusal = match (record.is_text(), record.ends.len()) {
            (false, _) => Some(("the record".to_owned(), "is not UTF-8".to_owned())),
            (true, found) if found != field_count => {
                let text = record.field(0).unwrap_or_default();
                let rule = format!("begins a record of {found} fields, the header has {field_count}");
                Some((quoted(text), rule))
            }
            _ => None,
        };
        for (index, column) in self.fields.iter().zip(&mut self.columns) {
            // An empty field is a missing value.
            let text = record.field(*index).filter(|text| refusal.is_none() && !text.is_empty());
            column.append_option(text);
        }
        if let Some((value, rule)) = refusal {
            self.bad.push(BadRow { row: self.rows, column: String::new(), value, rule });
        }
        self.rows += 1;
        self.bytes += record.bytes.len();
    }

    fn finish(mut self) -> Result<(RecordBatch, Vec<BadRow>), arrow::error::ArrowError> {
        let fields = self.fields.iter().map(|index| Field::new(index.to_string(), DataType::Utf8, true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        Ok((RecordBatch::try_new_with_options(schema, columns, &options)?, self.bad))
    }
}

/// Why no further record can be read.
#[derive(Debug)]
enum RecordError {
    Io(io::Error),
    TooLong,
    OpenQuote,
}

impl RecordError {
    fn text(&self, row: usize) -> String {
        match self {
            Self::Io(error) => format!("row {row}: it cannot be read on: {error}"),
            Self::TooLong => format!(
                "row {row}: the record has more than {RECORD_BYTES_MAX} bytes; is a quote not closed, or is it not CSV?"
            ),
            Self::OpenQuote => format!("row {row}: the file ends inside a quoted field"),
        }
    }
}

/// Where in a record the reader is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum RecordPlace {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first half of an escaped quote.
    Quote,
}

/// One record: its fields one after the other, and where each ends.
#[derive(Debug, Default)]
struct Record {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    quoted: bool,
}

impl Record {
    /// Reads the next record that is not an empty line; false at the end of the file.
    fn read(&mut self, input: &mut (dyn BufRead + Send), delimiter: u8) -> Result<bool, RecordError> {
        while self.read_line(input, delimiter)? {
            if self.quoted || self.ends != [0] {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn read_line(&mut self, input: &mut (dyn BufRead + Send), delimiter: u8) -> Result<bool, RecordError> {
        self.bytes.clear();
        self.ends.clear();
        self.quoted = false;
        let (mut place, mut is_begun) = (RecordPlace::FieldStart, false);
        loop {
            let chunk = input.fill_buf().map_err(RecordError::Io)?;
            if chunk.is_empty() {
                if place == RecordPlace::Quoted {
                    return Err(RecordError::OpenQuote);
                }
                if is_begun {
                    self.end_field(place);
                }
                return Ok(is_begun);
            }
            is_begun = true;
            let mut used = 0;
            let mut is_ended = false;
            for byte in chunk {
                used += 1;
                place = match (place, *byte) {
                    (RecordPlace::Quoted, b'"') => RecordPlace::Quote,
                    (RecordPlace::Quoted, byte) => self.push(byte, RecordPlace::Quoted),
                    (RecordPlace::Quote, b'"') => self.push(b'"', RecordPlace::Quoted),
                    (RecordPlace::FieldStart, b'"') => {
                        self.quoted = true;
                        RecordPlace::Quoted
                    }
                    (_, b'\n') => {
                        self.end_field(place);
                        is_ended = true;
                        break;
                    }
                    (_, byte) if byte == delimiter => {
                        self.ends.push(self.bytes.len());
                        RecordPlace::FieldStart
                    }
                    (RecordPlace::Quote, b'\r') => RecordPlace::Quote,
                    (_, byte) => self.push(byte, RecordPlace::Plain),
                };
            }
            input.consume(used);
            if is_ended {
                return Ok(true);
            }
            if self.bytes.len() + self.ends.len() > RECORD_BYTES_MAX {
                return Err(RecordError::TooLong);
            }
        }
    }

    fn push(&mut self, byte: u8, place: RecordPlace) -> RecordPlace {
        self.bytes.push(byte);
        place
    }

    /// Ends the last field of a line; CR LF ends lines, too.
    fn end_field(&mut self, place: RecordPlace) {
        let start = self.ends.last().copied().unwrap_or(0);
        if place == RecordPlace::Plain && self.bytes.len() > start && self.bytes.last() == Some(&b'\r') {
            self.bytes.pop();
        }
        self.ends.push(self.bytes.len());
    }

    fn is_text(&self) -> bool {
        std::str::from_utf8(&self.bytes).is_ok()
    }

    fn field(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        std::str::from_utf8(self.bytes.get(start..end)?).ok()
    }

    fn texts(&self) -> Option<impl Iterator<Item = &str>> {
        self.is_text().then(|| (0..self.ends.len()).filter_map(|index| self.field(index)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_those_of_rfc_4180() {
        let text = "a,b,c\r\n1,\"x, \"\"y\"\"\nz\",\r\n\r\n\n\"\"\n,,\nlast,2";
        assert_eq!(
            records(text, b',').unwrap(),
            [
                vec!["a", "b", "c"],
                vec!["1", "x, \"y\"\nz", ""],
                vec![""],
                vec!["", "", ""],
                vec!["last", "2"]
            ]
        );
        assert_eq!(records("a;b\n1,5;2\n", b';').unwrap(), [vec!["a", "b"], vec!["1,5", "2"]]);
        assert!(records("", b',').unwrap().is_empty());
    }

    #[test]
    fn records_do_not_depend_on_where_the_buffer_ends() {
        let text = "a,\"b\"\"c\"\r\nd,e\r\n";
        for capacity in 1..8 {
            let mut input = io::BufReader::with_capacity(capacity, text.as_bytes());
            assert_eq!(collect(&mut input, b',').unwrap(), [vec!["a", "b\"c"], vec!["d", "e"]], "{capacity}");
        }
    }

    #[test]
    fn an_open_quote_ends_the_file() {
        assert!(matches!(records("a\n\"b", b','), Err(RecordError::OpenQuote)));
        let endless = format!("a\n\"{}", "x\n".repeat(RECORD_BYTES_MAX));
        assert!(matches!(records(&endless, b','), Err(RecordError::TooLong)));
    }

    fn records(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>, RecordError> {
        collect(&mut io::Cursor::new(text.to_owned()), delimiter)
    }

    fn collect(input: &mut (dyn BufRead + Send), delimiter: u8) -> Result<Vec<Vec<String>>, RecordError> {
        let (mut record, mut all) = (Record::default(), Vec::new());
        while record.read(input, delimiter)? {
            all.push(record.texts().unwrap().map(str::to_owned).collect());
        }
        Ok(all)
    }
}
