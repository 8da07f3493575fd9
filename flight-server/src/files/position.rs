//! `Position`: a whole position in one value, in each of the forms in which files have it. What is there and not understood is an
//! error: rows without their positions would look as if they never had one.
//!
//! ```text
//! 52.5,13.4                                        latitude, longitude
//! POINT(13.4 52.5)   SRID=4326;POINT Z (13.4 52.5 34)   WKT: longitude, latitude
//! 0101000000…                                      WKB in hex digits
//! {"lat": 52.5, "lon": 13.4}                       also latitude, longitude, lng, in any case
//! {"type": "Point", "coordinates": [13.4, 52.5]}   GeoJSON, alone or as the geometry of a Feature
//! [13.4, 52.5]                                     only where the column is called coordinates, as GeoJSON calls it
//! ```

use std::borrow::Cow;

use hexflight_engine::ColumnRole;

use super::{
    column::ArrayOrder,
    json::{self, JsonKind, Members},
    number, wkb,
};

/// Text and values that are none of the forms.
pub(crate) const RULE: &str = "is not a position: \"lat,lon\", POINT(lon lat), WKB, an object with latitude and longitude, or a GeoJSON \
                               Point; a column that is none can be ignored";

/// Arrays whose order nobody can tell.
const ORDER_RULE: &str = "is an array whose order is not said: map it as coordinates if it is [lon, lat], or write \
                          {\"latitude\": ..., \"longitude\": ...}";

/// Numbers of a GeoJSON position that are no coordinates.
const COORDINATES_RULE: &str = "has coordinates that are not [lon, lat] or [lon, lat, altitude]";

/// The spatial reference of all positions: WGS84.
pub(crate) const SRID: &str = "4326";

/// A position in degrees; one that lacks a half is for the engine to refuse.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Position {
    pub(crate) latitude: Option<f64>,
    pub(crate) longitude: Option<f64>,
}

/// What is read from one value: a position, or none where the value says so; else the rule that it breaks.
pub(crate) type Read = Result<Option<Position>, Cow<'static, str>>;

impl Position {
    /// Of both halves.
    pub(crate) fn of(latitude: f64, longitude: f64) -> Self {
        Self { latitude: Some(latitude), longitude: Some(longitude) }
    }
}

/// Reads text. `unused` is told of members of an object that say nothing.
pub(crate) fn of_text(text: &str, order: ArrayOrder, unused: &mut dyn FnMut(&str)) -> Read {
    let text = text.trim();
    match text.as_bytes() {
        [] => Ok(None),
        [b'{' | b'[', ..] => of_json(text, order, unused),
        _ if starts_with(text, "POINT") || starts_with(text, "SRID") => of_wkt(text),
        [b'0', b'0' | b'1', ..] if text.len() >= wkb::HEX_LENGTH_MIN => wkb::of_hex(text),
        _ => of_pair(text),
    }
}

/// Reads the text of a JSON value.
pub(crate) fn of_json(raw: &str, order: ArrayOrder, unused: &mut dyn FnMut(&str)) -> Read {
    let broken = |error: serde_json::Error| Cow::Owned(format!("is not JSON: {error}"));
    match JsonKind::of(raw) {
        JsonKind::Null => Ok(None),
        JsonKind::Text => of_text(&json::text(raw).map_err(broken)?, order, unused),
        JsonKind::Object => of_object(&json::members(raw).map_err(broken)?, true, unused),
        JsonKind::Array if order == ArrayOrder::LonLat => of_array(raw),
        JsonKind::Array => Err(Cow::Borrowed(ORDER_RULE)),
        JsonKind::Boolean | JsonKind::Number => Err(Cow::Borrowed(RULE)),
    }
}

/// `latitude,longitude`.
fn of_pair(text: &str) -> Read {
    let pair = text.split_once(',').and_then(|(latitude, longitude)| {
        Some(Position::of(number::of_text(latitude).ok()?, number::of_text(longitude).ok()?))
    });
    pair.map(Some).ok_or(Cow::Borrowed(RULE))
}

/// Well-known text of a point, also with the `SRID=4326;` of PostGIS before it.
fn of_wkt(text: &str) -> Read {
    let upper = text.to_ascii_uppercase();
    let mut rest = upper.as_str();
    if let Some((srid, point)) = rest.strip_prefix("SRID").and_then(|rest| rest.split_once(';')) {
        check_srid(srid.trim_start().trim_start_matches('=').trim())?;
        rest = point.trim();
    }
    let rule = || Cow::Borrowed(RULE);
    let rest = rest.strip_prefix("POINT").ok_or_else(rule)?.trim();
    let letters = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (dimensions, rest) = rest.split_at(letters);
    let rest = rest.trim();
    let (count_min, count_max) = match (dimensions, rest) {
        ("EMPTY", "") => return Ok(None),
        ("Z" | "M" | "ZM", "EMPTY") => return Ok(None),
        ("", _) => (2, 4),
        ("Z" | "M", _) => (3, 3),
        ("ZM", _) => (4, 4),
        _ => return Err(rule()),
    };
    let inside = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or_else(rule)?;
    let numbers = inside.split_whitespace().map(number::of_text).collect::<Result<Vec<f64>, _>>();
    match numbers.as_deref() {
        Ok([longitude, latitude, others @ ..]) if (count_min..=count_max).contains(&(others.len() + 2)) => {
            Ok(Some(Position::of(*latitude, *longitude)))
        }
        _ => Err(rule()),
    }
}

/// Coordinates of other systems are not degrees, or not of the same ellipsoid.
pub(crate) fn check_srid(srid: &str) -> Result<(), Cow<'static, str>> {
    match srid {
        SRID => Ok(()),
        other => Err(Cow::Owned(format!("is in SRID {other}, not in {SRID} (WGS84)"))),
    }
}

/// An object with latitude and longitude, a GeoJSON point, or a GeoJSON feature that has one.
fn of_object(members: &Members<'_>, may_be_feature: bool, unused: &mut dyn FnMut(&str)) -> Read {
    let [mut latitude, mut longitude, mut coordinates, mut geometry, mut kind, mut system] = [None; 6];
    let mut others = Vec::new();
    for (name, raw) in members {
        let slot = match ColumnRole::of(name) {
            Some(ColumnRole::Latitude) => &mut latitude,
            Some(ColumnRole::Longitude) => &mut longitude,
            _ if name.eq_ignore_ascii_case("coordinates") => &mut coordinates,
            _ if name.eq_ignore_ascii_case("geometry") => &mut geometry,
            _ if name.eq_ignore_ascii_case("type") => &mut kind,
            _ if name.eq_ignore_ascii_case("crs") => &mut system,
            _ => {
                others.push(name.as_ref());
                continue;
            }
        };
        if slot.replace(*raw).is_some() {
            return Err(Cow::Owned(format!("gives '{name}' twice")));
        }
    }
    if system.is_some_and(|system| JsonKind::of(system) != JsonKind::Null && !is_wgs84(system)) {
        return Err(Cow::Borrowed("has a crs that is not WGS84 (CRS84, EPSG:4326)"));
    }
    let kind = kind.and_then(|kind| json::text(kind).ok());
    let read = match (latitude.is_some() || longitude.is_some(), coordinates, geometry) {
        (true, None, None) => {
            let position = Position { latitude: degrees(latitude)?, longitude: degrees(longitude)? };
            Some(position).filter(|position| *position != Position::default())
        }
        (false, Some(coordinates), None) => {
            if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("Point")) {
                return Err(Cow::Owned(format!("is a {kind}, not a Point")));
            }
            of_array(coordinates)?
        }
        (false, None, Some(geometry)) if may_be_feature => match JsonKind::of(geometry) {
            JsonKind::Null => None,
            JsonKind::Object => {
                let members = json::members(geometry).map_err(|_| Cow::Borrowed(RULE))?;
                of_object(&members, false, unused)?
            }
            _ => return Err(Cow::Borrowed(RULE)),
        },
        (false, None, None) if members.is_empty() => None,
        (true, ..) => return Err(Cow::Borrowed("gives the position twice")),
        _ => return Err(Cow::Borrowed(RULE)),
    };
    others.into_iter().for_each(unused);
    Ok(read)
}

/// Half of a position in an object.
fn degrees(raw: Option<&str>) -> Result<Option<f64>, Cow<'static, str>> {
    match raw.map(|raw| (JsonKind::of(raw), raw)) {
        None | Some((JsonKind::Null, _)) => Ok(None),
        Some((JsonKind::Number, raw)) => {
            number::of_text(raw).map(Some).map_err(|rule| Cow::Owned(format!("has {raw}, which {rule}")))
        }
        Some((_, raw)) => {
            let shown: String = raw.chars().take(32).collect();
            Err(Cow::Owned(format!("has {shown} where a number of degrees belongs")))
        }
    }
}

/// The coordinates of a GeoJSON point: longitude, latitude, altitude if there is one. An empty array is no position (RFC 7946, 3.1).
fn of_array(raw: &str) -> Read {
    if JsonKind::of(raw) == JsonKind::Null {
        return Ok(None);
    }
    let rule = || Cow::Borrowed(COORDINATES_RULE);
    let items = json::items(raw).map_err(|_| rule())?;
    if items.iter().any(|item| JsonKind::of(item) != JsonKind::Number) {
        return Err(rule());
    }
    match items.as_slice() {
        [] => Ok(None),
        [longitude, latitude] | [longitude, latitude, _] => {
            let read = |raw| number::of_text(raw).map_err(Cow::Borrowed);
            Ok(Some(Position::of(read(latitude)?, read(longitude)?)))
        }
        _ => Err(rule()),
    }
}

/// Whether the `crs` of an older GeoJSON (2008) is the one that all of them have now.
fn is_wgs84(system: &str) -> bool {
    system.contains("CRS84") || system.contains(SRID)
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BERLIN: Position = Position { latitude: Some(52.5), longitude: Some(13.4) };

    #[test]
    fn every_form_is_the_same_position() {
        for text in [
            "52.5,13.4",
            " 52.5 , 13.4 ",
            "+52.5,1.34e1",
            "POINT(13.4 52.5)",
            "point ( 13.4   52.5 )",
            "Point Z (13.4 52.5 34)",
            "POINTZ(13.4 52.5 34)",
            "POINT M (13.4 52.5 1)",
            "POINT ZM (13.4 52.5 34 1)",
            "POINT(13.4 52.5 34)",
            "SRID=4326;POINT(13.4 52.5)",
            "srid=4326; Point(13.4 52.5)",
            r#"{"latitude": 52.5, "longitude": 13.4}"#,
            r#"{"LON":13.4,"LAT":52.5}"#,
            r#"{"type":"Point","coordinates":[13.4,52.5]}"#,
            r#"{"coordinates":[13.4,52.5,34],"type":"Point"}"#,
            r#"{"type":"Point","coordinates":[13.4,52.5],"crs":{"type":"name","properties":{"name":"EPSG:4326"}}}"#,
            r#"{"type":"Feature","geometry":{"type":"Point","coordinates":[13.4,52.5]},"properties":{}}"#,
            r#""52.5,13.4""#,
        ] {
            let read = match text.starts_with('"') {
                true => of_json(text, ArrayOrder::Unsaid, &mut |_| ()),
                false => of_text(text, ArrayOrder::Unsaid, &mut |_| ()),
            };
            assert_eq!(read, Ok(Some(BERLIN)), "{text}");
        }
        assert_eq!(of_text("[13.4, 52.5]", ArrayOrder::LonLat, &mut |_| ()), Ok(Some(BERLIN)));
    }

    #[test]
    fn nothing_is_no_position() {
        for text in [
            "",
            "  ",
            "POINT EMPTY",
            "POINT Z EMPTY",
            "{}",
            r#"{"lat":null,"lon":null}"#,
            r#"{"type":"Point","coordinates":[]}"#,
            r#"{"type":"Feature","geometry":null}"#,
        ] {
            assert_eq!(of_text(text, ArrayOrder::Unsaid, &mut |_| ()), Ok(None), "{text}");
        }
        assert_eq!(of_json("null", ArrayOrder::Unsaid, &mut |_| ()), Ok(None));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (text, rule) in [
            ("Berlin", "is not a position"),
            ("52.5", "is not a position"),
            ("52,5;13,4", "is not a position"),
            ("52.5,13.4,34", "is not a position"),
            ("52.5 13.4", "is not a position"),
            ("nan,nan", "is not a position"),
            ("POINT(13.4)", "is not a position"),
            ("POINT(13.4, 52.5)", "is not a position"),
            ("POINT Z (13.4 52.5)", "is not a position"),
            ("POINT(13.4 52.5", "is not a position"),
            ("POINTS(13.4 52.5)", "is not a position"),
            ("LINESTRING(13.4 52.5, 1 2)", "is not a position"),
            ("SRID=3857;POINT(1491681 6891041)", "is in SRID 3857"),
            ("[13.4, 52.5]", "order is not said"),
            (r#"{"city":"Berlin"}"#, "is not a position"),
            (r#"{"lat":1,"lat":2,"lon":3}"#, "gives 'lat' twice"),
            (r#"{"lat":1,"latitude":2,"lon":3}"#, "gives 'latitude' twice"),
            (r#"{"lat":"1","lon":3}"#, "where a number of degrees belongs"),
            (r#"{"lat":1e999,"lon":3}"#, "beyond the range"),
            (r#"{"lat":1,"lon":3,"coordinates":[3,1]}"#, "gives the position twice"),
            (r#"{"type":"Polygon","coordinates":[[[1,2]]]}"#, "is a Polygon, not a Point"),
            (r#"{"type":"Point","coordinates":[1]}"#, "[lon, lat]"),
            (r#"{"type":"Point","coordinates":[1,2,3,4]}"#, "[lon, lat]"),
            (r#"{"type":"Point","coordinates":["1",2]}"#, "[lon, lat]"),
            (r#"{"coordinates":[1,2],"crs":{"properties":{"name":"EPSG:3857"}}}"#, "not WGS84"),
            (r#"{"lat":1"#, "is not JSON"),
        ] {
            let found = of_text(text, ArrayOrder::Unsaid, &mut |_| ()).unwrap_err();
            assert!(found.contains(rule), "{text}: {found}");
        }
    }

    #[test]
    fn members_that_say_nothing_are_told() {
        let mut unused = Vec::new();
        let text = r#"{"lat":52.5,"alt":34,"lon":13.4,"accuracy":{"m":5}}"#;
        let read = of_text(text, ArrayOrder::Unsaid, &mut |name| unused.push(name.to_owned()));
        assert_eq!((read, unused), (Ok(Some(BERLIN)), vec!["alt".to_owned(), "accuracy".to_owned()]));
    }
}
