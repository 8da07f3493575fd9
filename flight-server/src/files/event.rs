//! One line of an NDJSON file becomes an event, or the member, the value and the rule that are its fault. Values are read from their
//! text: numbers by their digits, metadata as it was written.

use std::{borrow::Cow, sync::Arc};

use hexflight_engine::{BadRow, ColumnRole};
use parking_lot::Mutex;

use super::{
    column::ArrayOrder,
    ignored::Ignored,
    instant,
    json::{self, JsonKind, Members},
    mapping::{ColumnRules, Entry, Mapping, Origin},
    number,
    position::{self, Position},
    role::Role,
    rows::quoted,
};

/// Characters of a value that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// Names of one column that are told, when lines differ in them.
const NAMES_MAX: usize = 4;

/// Between those names.
const OR: &str = " or ";

/// One event, as far as it was given.
#[derive(Debug, Default)]
pub(crate) struct Event<'t> {
    /// **Units**: µs.
    pub(crate) micros: Option<i64>,
    /// Device, type, metadata.
    pub(crate) texts: [Option<Cow<'t, str>>; 3],
    /// Value, latitude, longitude.
    pub(crate) numbers: [Option<f64>; 3],
}

/// What was seen in the lines read so far; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    entries: Arc<Mutex<Vec<Entry>>>,
    pub(crate) ignored: Ignored,
}

/// Reads the lines of one file.
#[derive(Debug)]
pub(crate) struct EventReader<'a> {
    pub(crate) rules: &'a ColumnRules,
    pub(crate) seen: &'a Seen,
}

/// What is wrong with a value.
#[derive(Debug)]
struct Fault {
    value: String,
    rule: Cow<'static, str>,
}

impl Fault {
    fn of(raw: &str, rule: impl Into<Cow<'static, str>>) -> Self {
        Self { value: shown(raw), rule: rule.into() }
    }

    fn in_column(self, column: &str) -> BadRow {
        BadRow { row: 0, column: column.to_owned(), value: self.value, rule: self.rule.into_owned() }
    }
}

impl Seen {
    /// Nothing, of a file that is read by some rules.
    pub(crate) fn nothing(rules: &ColumnRules) -> Self {
        let entries = ColumnRole::ALL.map(|column| {
            let constant = rules.constant(column).map(|text| Origin::Constant(text.to_owned()));
            let renamed = rules.renamed(column).unwrap_or_default().to_owned();
            let origin = constant.unwrap_or(Origin::Absent);
            Entry { column, origin, name: renamed, found: String::new() }
        });
        Self { entries: Arc::new(Mutex::new(entries.to_vec())), ignored: Ignored::default() }
    }

    /// As a mapping.
    pub(crate) fn mapping(&self) -> Mapping {
        let entries = self.entries.lock().clone();
        Mapping { entries, position: None, ignored: self.ignored.clone() }
    }

    /// Whether a line gave a column.
    pub(crate) fn has(&self, column: ColumnRole) -> bool {
        let entries = self.entries.lock();
        entries.iter().any(|entry| entry.column == column && !entry.found.is_empty())
    }

    fn remember(&self, column: ColumnRole, name: &str, found: JsonKind) {
        let mut entries = self.entries.lock();
        let Some(entry) = entries.iter_mut().find(|entry| entry.column == column) else { return };
        if entry.found.is_empty() {
            name.clone_into(&mut entry.name);
            found.name().clone_into(&mut entry.found);
            return;
        }
        if entry.found == JsonKind::Null.name() && found != JsonKind::Null {
            found.name().clone_into(&mut entry.found);
        }
        let mut names = entry.name.split(OR);
        if entry.name != name && names.clone().count() < NAMES_MAX && names.all(|known| known != name) {
            entry.name.push_str(OR);
            entry.name.push_str(name);
        }
    }
}

impl EventReader<'_> {
    /// Reads a line; its fault has the row 0.
    pub(crate) fn event<'t>(&self, line: &'t [u8]) -> Result<Event<'t>, BadRow> {
        let whole = |rule: String| BadRow {
            row: 0,
            column: String::new(),
            value: quoted(&String::from_utf8_lossy(line.get(..4 * SHOWN_CHARS_MAX).unwrap_or(line))),
            rule,
        };
        let text = std::str::from_utf8(line).map_err(|_| whole("is not UTF-8".to_owned()))?;
        let members = json::members(text).map_err(|error| whole(format!("is not a JSON object: {error}")))?;
        let mut event = Event::default();
        // The member that gave each column, and those that are positions.
        let mut given = [None; ColumnRole::ALL.len()];
        let mut positions: Vec<(&str, &'t str, ArrayOrder)> = Vec::new();
        for (name, raw) in &members {
            let raw = *raw;
            let (role, others) = Role::all_of(name, &members, self.rules);
            for role in std::iter::once(role).chain(others) {
                match role {
                    Role::Column(column) => {
                        if let Some(earlier) = given[column as usize].replace(name.as_ref()) {
                            return Err(twice(name, raw, earlier, column.name()));
                        }
                        self.seen.remember(column, name, JsonKind::of(raw));
                        event.set(column, raw).map_err(|fault| fault.in_column(name))?;
                    }
                    Role::Position(order) => match positions.first() {
                        Some((earlier, _, _)) => return Err(twice(name, raw, earlier, "the position")),
                        None => positions.push((name.as_ref(), raw, order)),
                    },
                    Role::Ignored => self.ignore(name, raw)?,
                }
            }
        }
        if let Some(position) = positions.first() {
            self.position(&mut event, &given, *position)?;
        }
        Ok(event)
    }

    fn position(
        &self,
        event: &mut Event<'_>,
        given: &[Option<&str>; ColumnRole::ALL.len()],
        (name, raw, order): (&str, &str, ArrayOrder),
    ) -> Result<(), BadRow> {
        let mut unused = Vec::new();
        let read = position::of_json(raw, order, &mut |field| unused.push(format!("{name}.{field}")));
        let position = read.map_err(|rule| Fault::of(raw, rule).in_column(name))?;
        for field in &unused {
            self.ignore(field, "a field")?;
        }
        let Some(Position { latitude, longitude }) = position else { return Ok(()) };
        let halves = [ColumnRole::Latitude, ColumnRole::Longitude];
        if event.numbers[1].is_some() || event.numbers[2].is_some() {
            let earlier = halves.into_iter().find_map(|half| given[half as usize]).unwrap_or_default();
            return Err(twice(name, raw, earlier, "the position"));
        }
        halves.into_iter().for_each(|half| self.seen.remember(half, name, JsonKind::of(raw)));
        event.numbers[1] = latitude;
        event.numbers[2] = longitude;
        Ok(())
    }

    fn ignore(&self, name: &str, raw: &str) -> Result<(), BadRow> {
        if self.rules.is_unwanted(name) {
            return Err(Fault::of(raw, "fills no column of the table").in_column(name));
        }
        self.seen.ignored.add(name);
        Ok(())
    }
}

fn twice(name: &str, raw: &str, earlier: &str, what: &str) -> BadRow {
    let rule = match name == earlier {
        true => "is given twice".to_owned(),
        false => format!("gives {what} again, after '{earlier}'; --map or --ignore chooses one of them"),
    };
    Fault::of(raw, rule).in_column(name)
}

impl<'t> Event<'t> {
    fn set(&mut self, column: ColumnRole, raw: &'t str) -> Result<(), Fault> {
        let kind = JsonKind::of(raw);
        let refuse = |rule: &'static str| Fault::of(raw, rule);
        match (column, kind) {
            (_, JsonKind::Null) => {}
            (ColumnRole::Timestamp, JsonKind::Number) => {
                self.micros = Some(instant::of_json_number(raw).map_err(refuse)?);
            }
            (ColumnRole::Timestamp, JsonKind::Text) => {
                self.micros = Some(instant::of_text(&text(raw)?).map_err(refuse)?);
            }
            (ColumnRole::Timestamp, _) => return Err(refuse(instant::TEXT_RULE)),
            (ColumnRole::DeviceId, JsonKind::Text) => self.texts[0] = Some(text(raw)?),
            (ColumnRole::Type, JsonKind::Text) => self.texts[1] = Some(text(raw)?),
            (ColumnRole::DeviceId | ColumnRole::Type, JsonKind::Number) => {
                return Err(refuse("is not text; put it in quotes"));
            }
            (ColumnRole::DeviceId | ColumnRole::Type, _) => return Err(refuse("is not text")),
            (ColumnRole::Metadata, JsonKind::Text) => self.texts[2] = Some(text(raw)?),
            (ColumnRole::Metadata, JsonKind::Object) => self.texts[2] = Some(Cow::Borrowed(raw)),
            (ColumnRole::Metadata, _) => return Err(refuse("is not a JSON object")),
            (ColumnRole::Value, JsonKind::Number) => {
                self.numbers[0] = Some(number::of_text(raw).map_err(refuse)?)
            }
            (ColumnRole::Latitude, JsonKind::Number) => {
                self.numbers[1] = Some(number::of_text(raw).map_err(refuse)?)
            }
            (ColumnRole::Longitude, JsonKind::Number) => {
                self.numbers[2] = Some(number::of_text(raw).map_err(refuse)?)
            }
            (ColumnRole::Value | ColumnRole::Latitude | ColumnRole::Longitude, _) => {
                return Err(refuse("is not a number"));
            }
        }
        Ok(())
    }
}

fn text(raw: &str) -> Result<Cow<'_, str>, Fault> {
    json::text(raw).map_err(|_| Fault::of(raw, "has half of a surrogate pair, which is no text"))
}

/// A value for an error: text as its characters, anything else as it stands, shortened.
fn shown(raw: &str) -> String {
    match json::text(raw) {
        Ok(text) => quoted(&text),
        Err(_) => {
            let ellipsis = if raw.chars().nth(SHOWN_CHARS_MAX).is_some() { "..." } else { "" };
            raw.chars().take(SHOWN_CHARS_MAX).collect::<String>() + ellipsis
        }
    }
}

/// The members of a line, for those who only want to know which names there are; none where it is no event.
pub(crate) fn members_of(line: &[u8]) -> Members<'_> {
    let text = std::str::from_utf8(line).ok();
    text.and_then(|text| json::members(text).ok()).unwrap_or_default()
}
