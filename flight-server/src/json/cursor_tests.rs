//! Tests of `Cursor`, with serde_json as the judge of what is JSON.

use proptest::prelude::*;

use super::cursor::{Cursor, Value};

/// JSON and nearly JSON.
const TEXTS: &[&str] = &[
    "",
    " ",
    "null",
    "nul",
    "nullx",
    "true",
    "false",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "0",
    "-0",
    "-",
    "+1",
    "01",
    "1.",
    ".5",
    "1.5",
    "1e5",
    "1E+5",
    "1e",
    "1e-",
    "0x10",
    "1 2",
    "\"\"",
    "\"a\"",
    "\"",
    "\"a",
    "'a'",
    "\"\\n\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\u00e4\"",
    "\"\\",
    "\"\\\"",
    "\"\\\\\"",
    "\"\t\"",
    "\"\u{7f}ü\"",
    "[]",
    "[",
    "]",
    "[1]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1,2]",
    "[[]]",
    "[[],{}]",
    "{}",
    "{",
    "}",
    "{\"a\":1}",
    "{\"a\"}",
    "{\"a\":}",
    "{a:1}",
    "{\"a\":1,}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,\"b\":[{}]}",
    "{\"a\":[}]",
    "{\"a\":1]",
    "[1}",
    " \r\n\t{ \"a\" : [ 1 , { } ] } ",
    "\u{a0}1",
    "1\u{0}",
];

/// Reads a whole text as one value.
fn accepts(text: &str) -> bool {
    let mut cursor = Cursor::new(text, 0);
    cursor.value().and_then(|_| cursor.end()).is_ok()
}

/// What serde_json says, which allows neither deep nesting nor lone surrogates nor huge numbers: those are not asked.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text).is_ok()
}

#[test]
fn grammar_is_that_of_json() {
    for &text in TEXTS {
        assert_eq!(accepts(text), is_json(text), "{text}");
    }
}

#[test]
fn depth_has_no_limit() {
    for depth in [63, 64, 65, 127, 128, 129, 200_000] {
        let open: String = "[{\"a\":".repeat(depth);
        let close = "}]".repeat(depth);
        assert!(accepts(&format!("{open}1{close}")), "{depth}");
        assert!(!accepts(&format!("{open}1{}", &close[1..])), "{depth}");
        assert!(!accepts(&format!("{open}1{close}]")), "{depth}");
    }
}

#[test]
fn an_error_says_at_which_byte() {
    for (text, at) in
        [("", 0), ("{\"a\" 1}", 5), ("[1,,2]", 3), ("{\"ä\":x}", 6), ("[\"a\\x\"]", 3), ("[1.a]", 3)]
    {
        assert_eq!(Cursor::new(text, 0).value().unwrap_err().at, at, "{text}");
    }
}

#[test]
fn lone_surrogates_are_found() {
    for text in
        [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#""\ud800x""#, r#""\ud800\n""#, r#""a\uDFFFb""#]
    {
        let Ok(Value::Text(found)) = Cursor::new(text, 0).value() else { panic!("{text} is a string") };
        assert!(found.decode().is_err(), "{text}");
    }
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::vec((".*", inner), 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_json_is_read_to_its_end(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert!(accepts(&text));
    }

    #[test]
    fn strings_say_what_serde_json_says(text: String, ascii: bool) {
        let mut encoded = serde_json::to_string(&text).unwrap();
        if ascii {
            let escape = |c: char| {
                if c.is_ascii() {
                    return c.to_string();
                }
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            };
            encoded = encoded.chars().map(escape).collect();
        }
        let Ok(Value::Text(found)) = Cursor::new(&encoded, 0).value() else { panic!("{encoded} is a string") };
        prop_assert_eq!(found.decode().unwrap(), text);
    }

    #[test]
    fn damaged_json_is_judged_as_by_serde_json(value in json(), at: prop::sample::Index, byte in "[\\[\\]{}:,\"\\\\0-9a-z. ]") {
        let mut text = serde_json::to_string(&value).unwrap();
        let place = at.index(text.len());
        prop_assume!(text.is_char_boundary(place) && text.is_char_boundary(place + 1));
        text.replace_range(place..place + 1, &byte);
        // serde_json refuses numbers beyond Float64 and lone surrogates, which are JSON.
        let refusal = serde_json::from_str::<serde_json::Value>(&text).err().map(|error| error.to_string());
        let strict = |text: &String| text.contains("out of range") || text.contains("surrogate") || text.contains("hex escape");
        prop_assume!(!refusal.as_ref().is_some_and(strict));
        prop_assert_eq!(accepts(&text), refusal.is_none(), "{}", text);
    }
}
