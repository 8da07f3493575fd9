//! CloudEvents 1.0 around events: structured and in batches as JSON, or as headers around the event. The event is `data`; where it lacks a
//! `timestamp`, `device_id` or `type`, the attributes `time`, `subject` and `type` stand in. `source` never does: it names who sends, which is
//! often a gateway of many devices, and a wrong guess could not be told from a right one.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::{
    cursor::{Cursor, Malformed, Text, Value},
    event::{self, Fallback, Sink},
    fault::{FaultPlace, Layout},
};

/// The version that is understood.
const VERSION: &str = "1.0";

/// Prefix of the headers of a binary CloudEvent.
const HEADER_PREFIX: &str = "ce-";

/// Attributes that matter here; extensions are ignored.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Attributes<'t> {
    specversion: Option<Cow<'t, str>>,
    id: Option<Cow<'t, str>>,
    source: Option<Cow<'t, str>>,
    event_type: Option<Cow<'t, str>>,
    subject: Option<Cow<'t, str>>,
    time: Option<Cow<'t, str>>,
    datacontenttype: Option<Cow<'t, str>>,
}

impl<'t> Attributes<'t> {
    fn slot(&mut self, name: &str) -> Option<&mut Option<Cow<'t, str>>> {
        Some(match name {
            "specversion" => &mut self.specversion,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.event_type,
            "subject" => &mut self.subject,
            "time" => &mut self.time,
            "datacontenttype" => &mut self.datacontenttype,
            _ => return None,
        })
    }

    /// The attributes in the headers of a binary CloudEvent, whose names are in small letters; `None` if there are none.
    pub(crate) fn of_headers<'h>(
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    ) -> Option<Attributes<'static>> {
        let mut attributes = Attributes::default();
        let mut found = false;
        for (name, value) in headers {
            let Some(name) = name.strip_prefix(HEADER_PREFIX) else { continue };
            if let Some(slot) = attributes.slot(name) {
                found = true;
                *slot = Some(Cow::Owned(percent_decoded(value)));
            }
        }
        // The media type of a binary CloudEvent is the request's own.
        attributes.datacontenttype = None;
        found.then_some(attributes)
    }

    fn fallback(&self) -> Fallback<'_> {
        Fallback {
            time: self.time.as_deref(),
            subject: self.subject.as_deref(),
            event_type: self.event_type.as_deref(),
        }
    }

    /// Says what is wrong with them.
    fn check(&self, place: FaultPlace, sink: &mut Sink) {
        let required = [
            ("specversion", &self.specversion),
            ("id", &self.id),
            ("source", &self.source),
            ("type", &self.event_type),
        ];
        for (name, value) in required {
            if value.as_deref().is_none_or(str::is_empty) {
                let rule = format!("is missing: every CloudEvent has a {name}");
                sink.faults.add(|| place.attribute_fault(name, rule, value.as_deref()));
            }
        }
        if let Some(version) = self.specversion.as_deref().filter(|text| !text.is_empty() && *text != VERSION)
        {
            let rule = format!("is not {VERSION}, the version that is understood");
            sink.faults.add(|| place.attribute_fault("specversion", rule, Some(version)));
        }
        if let Some(found) = self.datacontenttype.as_deref().filter(|found| !is_json(found)) {
            let rule = "is not JSON; send the event as application/json";
            sink.faults.add(|| place.attribute_fault("datacontenttype", rule, Some(found)));
        }
    }
}

/// Whether a media type is JSON, as the CloudEvents JSON format defines it.
pub(crate) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/").or_else(|| essence.strip_prefix("text/"));
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// Reads the CloudEvent that comes next.
pub(super) fn read_structured(
    cursor: &mut Cursor<'_>,
    place: FaultPlace,
    sink: &mut Sink,
) -> Result<(), Malformed> {
    cursor.peek();
    let start = cursor.at();
    if cursor.peek() != Some(b'{') {
        cursor.value()?;
        let found = cursor.since(start);
        sink.faults.add(|| place.attribute_fault("", "is not an object; a CloudEvent is one", Some(found)));
        return Ok(());
    }
    let before = sink.faults.total;
    let mut envelope = Envelope::default();
    cursor.object(|cursor, name| envelope.member(cursor, name, place, sink))?;
    let Envelope { attributes, data, data_base64 } = envelope;
    if sink.faults.total > before {
        return Ok(());
    }
    match (data, data_base64) {
        (Some(at), None) => read_data(&mut Cursor::new(cursor.text(), at), &attributes, place, sink),
        (None, Some(encoded)) => {
            read_base64(encoded, &attributes, place, sink);
            Ok(())
        }
        (Some(_), Some(_)) => {
            sink.faults
                .add(|| place.attribute_fault("data_base64", "stands beside data; send one of them", None));
            Ok(())
        }
        (None, None) => {
            sink.faults.add(|| place.attribute_fault("data", "is missing: it holds the event", None));
            Ok(())
        }
    }
}

/// The members of a CloudEvent as they come.
#[derive(Debug, Default)]
struct Envelope<'t> {
    attributes: Attributes<'t>,
    /// Byte at which `data` begins: it can be read only when all attributes are known.
    data: Option<usize>,
    data_base64: Option<Text<'t>>,
}

impl<'t> Envelope<'t> {
    fn member(
        &mut self,
        cursor: &mut Cursor<'t>,
        name: Text<'t>,
        place: FaultPlace,
        sink: &mut Sink,
    ) -> Result<(), Malformed> {
        let name = name.decode().unwrap_or_default();
        cursor.peek();
        let start = cursor.at();
        let value = cursor.value()?;
        let mut fault = |rule: &str| {
            sink.faults.add(|| place.attribute_fault(&name, rule, Some(cursor.since(start))));
        };
        match (name.as_ref(), value) {
            (_, Value::Null) => {}
            ("data", _) if self.data.is_some() => fault("is given twice"),
            ("data", _) => self.data = Some(start),
            ("data_base64", _) if self.data_base64.is_some() => fault("is given twice"),
            ("data_base64", Value::Text(text)) => self.data_base64 = Some(text),
            ("data_base64", _) => fault("is not text"),
            (name, value) => {
                let Some(slot) = self.attributes.slot(name) else { return Ok(()) };
                let Value::Text(text) = value else {
                    fault("is not text");
                    return Ok(());
                };
                match text.decode() {
                    Ok(_) if slot.is_some() => fault("is given twice"),
                    Ok(text) => *slot = Some(text),
                    Err(_) => fault("has half of a surrogate pair, which is no text"),
                }
            }
        }
        Ok(())
    }
}

/// Reads the event that a CloudEvent with these attributes carries.
pub(super) fn read_data<'t>(
    cursor: &mut Cursor<'t>,
    attributes: &'t Attributes<'_>,
    place: FaultPlace,
    sink: &mut Sink,
) -> Result<(), Malformed> {
    let before = sink.faults.total;
    attributes.check(place, sink);
    if sink.faults.total > before {
        return cursor.value().map(drop);
    }
    event::read(cursor, place, &attributes.fallback(), sink)
}

fn read_base64(encoded: Text<'_>, attributes: &Attributes<'_>, place: FaultPlace, sink: &mut Sink) {
    let layout = Layout::CloudEncoded { in_batch: place.layout == Layout::CloudBatch };
    let place = FaultPlace { layout, ..place };
    let decoded = encoded.decode().ok().and_then(|text| BASE64_STANDARD.decode(text.as_bytes()).ok());
    let Some(decoded) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
        sink.faults.add(|| place.fault("", "is not Base64 of UTF-8 text", None));
        return;
    };
    let mut cursor = Cursor::new(&decoded, 0);
    if let Err(malformed) = read_data(&mut cursor, attributes, place, sink) {
        let rule = format!("does not hold JSON: {} at its byte {}", malformed.rule, malformed.at);
        sink.faults.add(|| place.fault("", rule, None));
    }
}

/// Values of headers are percent-encoded (HTTP binding, 3.1.3.2). What is not an escape stays.
fn percent_decoded(value: &[u8]) -> String {
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        let escape = if *first == b'%' { after.get(..2) } else { None };
        let byte = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
