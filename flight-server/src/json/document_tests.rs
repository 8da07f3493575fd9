//! Tests of bodies: where events are found, what is said about the bad ones, and where.

use arrow::array::AsArray;

use super::document::{self, DocumentFormat, EVENTS_MAX, Events, Unreadable};
use hexflight_engine::time;

const GOOD: &str = r#"{"timestamp":1748779200,"device_id":"d","type":"t","value":1}"#;

fn read(body: &str) -> Events {
    document::read(body.as_bytes(), &DocumentFormat::Unknown).unwrap()
}

/// Pointers and rules of what is wrong with a body.
fn faults(body: &str) -> Vec<(String, String)> {
    read(body).faults.listed.into_iter().map(|fault| (fault.pointer, fault.rule)).collect()
}

/// An event with members added at its end.
fn with(members: &str) -> String {
    format!("{},{members}}}", &GOOD[..GOOD.len() - 1])
}

#[test]
fn shapes_are_found_out() {
    for (body, count) in [
        (GOOD.to_owned(), 1),
        (format!(" \n[{GOOD},{GOOD}]\n"), 2),
        (format!("{GOOD}\n{GOOD}"), 2),
        (format!("\n{GOOD}\n\n  \r\n{GOOD}\n"), 2),
        (GOOD.replace(',', ",\n"), 1),
        (format!("\u{feff}{GOOD}"), 1),
    ] {
        let events = read(&body);
        assert_eq!((events.count, events.origins.len()), (count, count), "{body}");
    }
}

#[test]
fn metadata_is_kept_as_it_was_sent() {
    let sent = "{ \"b\": 1.0e2,\n\"a\" :[ null,\"\\u00e4\" ], \"a\": 12345678901234567890123 }";
    let events = read(&format!("[{}]", with(&format!("\"metadata\" : {sent} "))));
    let batch = events.batch.unwrap();
    assert_eq!(batch.column(6).as_string::<i32>().value(0), sent);
}

#[test]
fn every_fault_of_every_event_is_found() {
    let body = format!(
        "[{GOOD},{},7,{},{{}}]",
        with(r#""colour":1,"value":2,"metadata":[]"#),
        with(r#""location":{"lat":"x","altitude":3}"#)
    );
    let pointers: Vec<String> = faults(&body).into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(
        pointers,
        [
            "/1/colour",
            "/1/value",
            "/1/metadata",
            "/2",
            "/3/location/lat",
            "/3/location/altitude",
            "/4/timestamp",
            "/4/device_id",
            "/4/type",
            "/4/value"
        ]
    );
}

#[test]
fn rules_say_what_to_send() {
    for (member, pointer, rule) in [
        (r#""devcie_id":"x""#, "/devcie_id", "did you mean `device_id`?"),
        (r#""h3":1"#, "/h3", "derived"),
        (r#""a/b~c":1"#, "/a~1b~0c", "no field"),
        (r#""value":2"#, "/value", "given twice"),
        (r#""metric_value":2"#, "/metric_value", "again, after `value`"),
        (r#""lat":1,"location":{"latitude":1,"longitude":2}"#, "/location/latitude", "again, after `lat`"),
        (r#""location":null,"location":null"#, "/location", "given twice"),
        (r#""location":[1,2]"#, "/location", "not an object"),
        (r#""location":{"lng":1,"lng":1}"#, "/location/lng", "given twice"),
        (r#""latitude":"91""#, "/latitude", "without quotes"),
        (r#""latitude":1e999"#, "/latitude", "beyond the range"),
        (r#""metadata":"{}""#, "/metadata", "not quoted"),
        (r#""\ud800":1"#, "", "surrogate"),
    ] {
        let found = faults(&with(member));
        assert_eq!(found.len(), 1, "{member}: {found:?}");
        assert_eq!(found[0].0, pointer, "{member}");
        assert!(found[0].1.contains(rule), "{member}: {}", found[0].1);
    }
}

#[test]
fn values_must_have_their_types() {
    for (field, value, rule) in [
        ("timestamp", "true", "neither"),
        ("timestamp", "null", "not allowed"),
        ("timestamp", "1748779200000", "milliseconds"),
        ("timestamp", "\"2025-06-01T12:00:00\"", "no zone"),
        ("device_id", "7", "quotes"),
        ("device_id", "null", "not allowed"),
        ("device_id", "\"\\udc00\"", "surrogate"),
        ("type", "{}", "quotes"),
        ("value", "\"NaN\"", "without quotes"),
        ("value", "null", "not allowed"),
        ("value", "-1e999", "beyond the range"),
        ("value", "[1]", "not a number"),
    ] {
        let parsed: serde_json::Value = serde_json::from_str(GOOD).unwrap();
        let body = GOOD.replace(&format!("\"{field}\":{}", parsed[field]), &format!("\"{field}\":{value}"));
        let found = faults(&body);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert_eq!(found[0].0, format!("/{field}"));
        assert!(found[0].1.contains(rule), "{body}: {}", found[0].1);
    }
}

#[test]
fn a_broken_line_is_one_bad_event_and_the_others_are_rows() {
    let events = read(&format!("{GOOD}\n{GOOD} x\n{{\"a\n\n{GOOD}\n[1]"));
    let found: Vec<_> = events.faults.listed.iter().map(|fault| (fault.index, fault.line)).collect();
    assert_eq!(found, [(1, Some(2)), (2, Some(3)), (4, Some(6))]);
    assert_eq!(events.count, 5);
    assert_eq!(events.batch.unwrap().num_rows(), 2);
    assert_eq!(events.origins[1].place.index, 3);
    let spot = events.malformed.unwrap();
    assert_eq!((spot.byte, spot.line, spot.column), (2 * GOOD.len() + 2, 2, GOOD.len() + 2));
}

#[test]
fn broken_json_is_placed_by_byte_line_and_column() {
    let body = format!("[{GOOD},\n {{\"ä\": nul}}]");
    let Err(Unreadable::Malformed(spot)) = document::read(body.as_bytes(), &DocumentFormat::Json) else {
        panic!("{body}")
    };
    assert_eq!((spot.byte, spot.line, spot.column), (body.find("nul").unwrap(), 2, 8));
    assert_eq!(spot.found, Some('n'));
}

#[test]
fn text_that_is_not_utf8_is_placed_too() {
    let mut body = GOOD.as_bytes().to_vec();
    body[30] = 0xff;
    let Err(Unreadable::Malformed(spot)) = document::read(&body, &DocumentFormat::Json) else {
        panic!("accepted")
    };
    assert_eq!((spot.byte, spot.column), (30, 31));
    let events = document::read(&body, &DocumentFormat::Lines).unwrap();
    assert_eq!((events.count, events.faults.total), (1, 1));
}

#[test]
fn bodies_without_events_are_told_apart() {
    assert_eq!(document::read(b" \n ", &DocumentFormat::Unknown).unwrap_err(), Unreadable::Blank);
    let none = document::read(b"[ ]", &DocumentFormat::Json).unwrap();
    assert_eq!((none.count, none.batch), (0, None));
    let most = format!("[{}{GOOD}]", format!("{GOOD},").repeat(EVENTS_MAX - 1));
    assert_eq!(document::read(most.as_bytes(), &DocumentFormat::Json).unwrap().count, EVENTS_MAX);
    let more = format!("[{GOOD},{}", &most[1..]);
    assert_eq!(document::read(more.as_bytes(), &DocumentFormat::Json).unwrap_err(), Unreadable::TooMany);
    let lines = "1\n".repeat(EVENTS_MAX + 1);
    assert_eq!(document::read(lines.as_bytes(), &DocumentFormat::Lines).unwrap_err(), Unreadable::TooMany);
}

#[test]
fn a_cloud_event_stands_in_for_what_its_data_lacks() {
    let body = r#"{"specversion":"1.0","id":"1","source":"/gateway","type":"humidity","subject":"d7",
        "time":"2025-06-01T12:00:00Z","comment":"an extension","data":{"value":3}}"#;
    let events = document::read(body.as_bytes(), &DocumentFormat::CloudEvent).unwrap();
    assert_eq!(events.faults.listed, []);
    let batch = events.batch.unwrap();
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "d7");
    assert_eq!(batch.column(2).as_string::<i32>().value(0), "humidity");
    assert_eq!(events.origins[0].fault("device_id", "is bad", "x").pointer, "/subject");
    assert_eq!(events.origins[0].fault("value", "is bad", "x").pointer, "/data/value");
}

#[test]
fn faults_of_cloud_events_point_into_the_batch() {
    let envelope = r#""specversion":"1.0","id":"1","source":"/s","type":"t""#;
    let body = format!(
        "[{{{envelope},\"data\":{GOOD}}},{{{envelope},\"data\":{{\"vlaue\":1,\"timestamp\":1,\"device_id\":\"d\"}}}},\
         {{{envelope}}},{{\"data\":{GOOD}}},{{{envelope},\"time\":\"noon\",\"subject\":\"d\",\"data\":{{\"value\":1}}}},\
         {{{envelope},\"data\":[]}},7,{{{},\"data\":{GOOD}}}]",
        envelope.replace("1.0", "0.3")
    );
    let events = document::read(body.as_bytes(), &DocumentFormat::CloudBatch).unwrap();
    let pointers: Vec<&str> = events.faults.listed.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/1/data/vlaue",
            "/2/data",
            "/3/specversion",
            "/3/id",
            "/3/source",
            "/3/type",
            "/4/time",
            "/5/data",
            "/6",
            "/7/specversion"
        ]
    );
    assert_eq!((events.count, events.batch.unwrap().num_rows()), (8, 1));
}

#[test]
fn data_of_a_cloud_event_may_be_base64() {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let cloud_event = |data: &str| {
        format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"{data}"}}"#)
    };
    let good =
        document::read(cloud_event(&BASE64_STANDARD.encode(GOOD)).as_bytes(), &DocumentFormat::CloudEvent)
            .unwrap();
    assert_eq!(good.batch.unwrap().num_rows(), 1);
    let outside = GOOD.replace("\"value\":1", "\"lat\":\"x\",\"value\":1");
    for data in [
        "?",
        &BASE64_STANDARD.encode(format!("{GOOD} 1")),
        &BASE64_STANDARD.encode(outside),
        &BASE64_STANDARD.encode("{"),
        &BASE64_STANDARD.encode([0xff]),
    ] {
        let bad = document::read(cloud_event(data).as_bytes(), &DocumentFormat::CloudEvent).unwrap();
        assert_eq!(bad.faults.listed[0].pointer, "/data_base64", "{data}");
        assert!(bad.batch.is_none(), "{data}");
    }
}

#[test]
fn a_misspelled_member_is_not_reported_as_missing_too() {
    let body = format!("[{}]", vec![GOOD.replace("device_id", "devcie_id"); 300].join(","));
    assert_eq!(read(&body).faults.total, 300);
}

#[test]
fn millions_of_unknown_names_are_counted_in_little_time() {
    let members: String = (0..200_000).map(|number| format!("\"device_{number}\":0,")).collect();
    let started = time::now();
    let events = read(&format!("{{{members}{}", &GOOD[1..]));
    assert_eq!((events.faults.total, events.faults.listed.len()), (200_000, 100));
    assert!(started.elapsed() < std::time::Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn names_count_in_any_case_and_faults_point_to_what_was_sent() {
    let shouted = r#"{"TIMESTAMP":1748779200,"Device_ID":"d","Metric_Name":"t","VALUE":1,"Location":{"LAT":1,"Lng":2}}"#;
    let events = read(&format!("[{shouted},{GOOD}]"));
    assert_eq!((events.count, events.origins.len()), (2, 2));
    let pointer = |index: usize, column| events.origins[index].fault(column, "rule", "1").pointer;
    for (column, expected) in [
        ("timestamp", "/0/TIMESTAMP"),
        ("device_id", "/0/Device_ID"),
        ("type", "/0/Metric_Name"),
        ("latitude", "/0/Location/LAT"),
        ("longitude", "/0/Location/Lng"),
    ] {
        assert_eq!(pointer(0, column), expected);
    }
    assert_eq!(pointer(1, "device_id"), "/1/device_id");
    let found = faults(&with(r#""Value":2,"LOCATION":{"Lat":"x","ALTITUDE":3},"location":null,"H3":1"#));
    let found: Vec<_> = found.iter().map(|(pointer, rule)| (pointer.as_str(), rule.as_str())).collect();
    assert_eq!(
        found,
        [
            ("/Value", "gives the value again, after `value`; send one of them"),
            ("/LOCATION/Lat", "is text; send a number, without quotes"),
            ("/LOCATION/ALTITUDE", "is no field here; did you mean `latitude`?"),
            ("/location", "is given twice"),
            ("/H3", "is derived from latitude and longitude; leave it out"),
        ]
    );
}
