//! One event object becomes a row, or faults that say what is wrong with each of its members. Rules about values (ranges, lengths, clocks)
//! are the engine's; here are those that a column cannot show: types, spellings, missing and doubled members.

use std::borrow::Cow;

use hexflight_engine::{ColumnRole, LOCATION};

use super::{
    columns::{Row, RowColumns},
    cursor::{Cursor, Malformed, Text, Value},
    fault::{Fault, FaultPlace, Faults, Layout, Origin, pointer_token},
    instant,
    spelling::{Capitals, Guesses, ROLES, Spelling, unknown_coordinate, unknown_field},
};

/// Where rows and faults go.
#[derive(Debug, Default)]
pub(super) struct Sink {
    pub(super) columns: RowColumns,
    /// Of each row in `columns`.
    pub(super) origins: Vec<Origin>,
    pub(super) faults: Faults,
    guesses: Guesses,
}

/// What a CloudEvent says about the event that it carries; used where the event itself does not.
#[derive(Debug, Default)]
pub(super) struct Fallback<'t> {
    pub(super) time: Option<&'t str>,
    pub(super) subject: Option<&'t str>,
    pub(super) event_type: Option<&'t str>,
}

/// Reads the event that comes next. Its row is kept only if nothing is wrong with it.
pub(super) fn read<'t>(
    cursor: &mut Cursor<'t>,
    place: FaultPlace,
    fallback: &Fallback<'t>,
    sink: &mut Sink,
) -> Result<(), Malformed> {
    if cursor.peek() != Some(b'{') {
        let found = raw_value(cursor)?;
        end_of_text(cursor, place)?;
        sink.faults.add(|| place.fault("", "is not an object; an event is one", Some(found)));
        return Ok(());
    }
    let mut reader = Reader::new(place, &mut sink.faults, &mut sink.guesses);
    cursor.object(|cursor, name| reader.member(cursor, name))?;
    end_of_text(cursor, place)?;
    reader.fall_back(fallback);
    reader.miss();
    let Reader { row, spelled, capitals, is_good, .. } = reader;
    if is_good {
        sink.columns.push(&row);
        let capitals = (capitals != [Capitals::default(); ROLES]).then(|| Box::new(capitals));
        sink.origins.push(Origin { place, spelled, capitals });
    }
    Ok(())
}

/// Where an event has a text of its own, its row is kept only if nothing follows it there.
fn end_of_text(cursor: &mut Cursor<'_>, place: FaultPlace) -> Result<(), Malformed> {
    match place.layout {
        Layout::Lines | Layout::CloudEncoded { .. } => cursor.end(),
        _ => Ok(()),
    }
}

struct Reader<'t, 's> {
    place: FaultPlace,
    faults: &'s mut Faults,
    guesses: &'s mut Guesses,
    row: Row<'t>,
    spelled: [Spelling; ROLES],
    capitals: [Capitals; ROLES],
    has_location: bool,
    /// Roles that a misspelled member was probably meant for: they are not reported as missing too.
    meant: [bool; ROLES],
    is_good: bool,
}

impl<'t, 's> Reader<'t, 's> {
    fn new(place: FaultPlace, faults: &'s mut Faults, guesses: &'s mut Guesses) -> Self {
        Self {
            place,
            faults,
            guesses,
            row: Row::default(),
            spelled: [Spelling::default(); ROLES],
            capitals: [Capitals::default(); ROLES],
            has_location: false,
            meant: [false; ROLES],
            is_good: true,
        }
    }

    fn member(&mut self, cursor: &mut Cursor<'t>, name: Text<'t>) -> Result<(), Malformed> {
        let Ok(name) = name.decode() else {
            cursor.value()?;
            self.fault("", "has a name with half of a surrogate pair, which is no text", None);
            return Ok(());
        };
        if let Some((role, spelling)) = Spelling::of_member(&name) {
            return self.field(cursor, role, spelling, Capitals::of(&name));
        }
        if name.eq_ignore_ascii_case(LOCATION) {
            return self.location(cursor, &name);
        }
        let found = raw_value(cursor)?;
        if let Some(role) = self.guesses.role(&name) {
            self.meant[role as usize] = true;
        }
        self.add(|place| place.fault(&pointer_token(&name), unknown_field(&name), Some(found)));
        Ok(())
    }

    /// `sent` is the name as it was sent.
    fn location(&mut self, cursor: &mut Cursor<'t>, sent: &str) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.has_location, true) {
            let found = raw_value(cursor)?;
            self.fault(sent, "is given twice", Some(found));
            return Ok(());
        }
        if cursor.peek() == Some(b'{') {
            return cursor.object(|cursor, name| self.coordinate(cursor, name, sent));
        }
        let found = raw_value(cursor)?;
        if found != "null" {
            let rule = "is not an object; send {\"latitude\": ..., \"longitude\": ...} or null";
            self.fault(sent, rule, Some(found));
        }
        Ok(())
    }

    fn coordinate(&mut self, cursor: &mut Cursor<'t>, name: Text<'t>, sent: &str) -> Result<(), Malformed> {
        let name = name.decode().unwrap_or(Cow::Borrowed("?"));
        if let Some((role, spelling)) = Spelling::of_location(&name) {
            return self.field(cursor, role, spelling, Capitals::of(sent).before(&name));
        }
        let found = raw_value(cursor)?;
        self.add(|place| {
            let path = format!("{sent}/{}", pointer_token(&name));
            place.fault(&path, unknown_coordinate(&name), Some(found))
        });
        Ok(())
    }

    fn field(
        &mut self,
        cursor: &mut Cursor<'t>,
        role: ColumnRole,
        spelling: Spelling,
        capitals: Capitals,
    ) -> Result<(), Malformed> {
        cursor.peek();
        let start = cursor.at();
        let value = cursor.value()?;
        let raw = cursor.since(start);
        let earlier = std::mem::replace(&mut self.spelled[role as usize], spelling);
        let earlier_capitals = std::mem::replace(&mut self.capitals[role as usize], capitals);
        if earlier.is_absent() {
            if let Err(rule) = self.set(role, value, raw) {
                self.fault(&capitals.written(spelling.path(role)), rule, Some(raw));
            }
            return Ok(());
        }
        let (path, earlier) =
            (capitals.written(spelling.path(role)), earlier_capitals.written(earlier.path(role)));
        if path == earlier {
            self.fault(&path, "is given twice", Some(raw));
        } else {
            let rule = format!("gives the {} again, after `{earlier}`; send one of them", role.name());
            self.fault(&path, rule, Some(raw));
        }
        Ok(())
    }

    fn set(&mut self, role: ColumnRole, value: Value<'t>, raw: &'t str) -> Result<(), Cow<'static, str>> {
        match role {
            ColumnRole::Timestamp => self.row.timestamp = timestamp(value)?,
            ColumnRole::DeviceId => self.row.device_id = text(value)?,
            ColumnRole::Type => self.row.event_type = text(value)?,
            ColumnRole::Value => self.row.value = number(value)?.ok_or("is not allowed; send a number")?,
            ColumnRole::Latitude => self.row.latitude = number(value)?,
            ColumnRole::Longitude => self.row.longitude = number(value)?,
            ColumnRole::Metadata => {
                self.row.metadata = match value {
                    Value::Object => Some(raw),
                    Value::Null => None,
                    Value::Text(_) => return Err("is text; send a JSON object, not quoted".into()),
                    _ => return Err("is not a JSON object".into()),
                };
            }
        }
        Ok(())
    }

    /// Takes from the CloudEvent what the event does not have.
    fn fall_back(&mut self, fallback: &Fallback<'t>) {
        if let Some(time) = fallback.time.filter(|_| self.takes_attribute(ColumnRole::Timestamp)) {
            match instant::of_text(time) {
                Ok(micros) => self.row.timestamp = micros,
                Err(rule) => self.add(|place| place.attribute_fault("time", rule, Some(time))),
            }
        }
        if let Some(subject) = fallback.subject.filter(|_| self.takes_attribute(ColumnRole::DeviceId)) {
            self.row.device_id = Cow::Borrowed(subject);
        }
        if let Some(event_type) = fallback.event_type.filter(|_| self.takes_attribute(ColumnRole::Type)) {
            self.row.event_type = Cow::Borrowed(event_type);
        }
    }

    /// Whether an attribute of the CloudEvent stands in for a member, as it does from now on.
    fn takes_attribute(&mut self, role: ColumnRole) -> bool {
        let spelling = &mut self.spelled[role as usize];
        let is_absent = spelling.is_absent();
        if is_absent {
            *spelling = Spelling::ATTRIBUTE;
        }
        is_absent
    }

    fn miss(&mut self) {
        for role in ColumnRole::ALL.into_iter().filter(|role| role.is_required()) {
            if self.spelled[role as usize].is_absent() && !self.meant[role as usize] {
                self.fault(role.name(), format!("is missing: every event has a {}", role.name()), None);
            }
        }
    }

    fn fault(&mut self, path: &str, rule: impl Into<String>, found: Option<&str>) {
        self.add(|place| place.fault(path, rule, found));
    }

    /// The fault is only made when it will be listed: hints take time.
    fn add(&mut self, make: impl FnOnce(FaultPlace) -> Fault) {
        self.is_good = false;
        let place = self.place;
        self.faults.add(|| make(place));
    }
}

fn raw_value<'t>(cursor: &mut Cursor<'t>) -> Result<&'t str, Malformed> {
    cursor.peek();
    let start = cursor.at();
    cursor.value()?;
    Ok(cursor.since(start))
}

fn timestamp(value: Value<'_>) -> Result<i64, Cow<'static, str>> {
    match value {
        Value::Number(digits) => Ok(instant::of_number(digits)?),
        Value::Text(_) => Ok(instant::of_text(&text(value)?)?),
        Value::Null => Err("is not allowed; send Unix seconds or RFC 3339 text".into()),
        _ => Err("is neither a number of Unix seconds nor RFC 3339 text".into()),
    }
}

fn text(value: Value<'_>) -> Result<Cow<'_, str>, &'static str> {
    match value {
        Value::Text(text) => text.decode().map_err(|_| "has half of a surrogate pair, which is no text"),
        Value::Null => Err("is not allowed; send text"),
        _ => Err("is not text; put it in quotes"),
    }
}

fn number(value: Value<'_>) -> Result<Option<f64>, &'static str> {
    match value {
        Value::Number(digits) => {
            let number = digits.parse::<f64>().ok().filter(|number| number.is_finite());
            number.map(Some).ok_or("is beyond the range of a 64-bit float")
        }
        Value::Null => Ok(None),
        Value::Text(_) => Err("is text; send a number, without quotes"),
        _ => Err("is not a number"),
    }
}
