//! `Cursor`: reads JSON (RFC 8259) where it lies, one token at a time, for `event` and `cloud_event`. Own code, because what is needed is the
//! text behind the values: a timestamp's digits, metadata as it was sent, the byte at which a body is broken. Nothing is allocated, and
//! nothing recurses: a body of nothing but brackets costs one bit each.

use std::borrow::Cow;

/// The rule that is broken when something follows where nothing may.
pub(crate) const END_EXPECTED: &str = "expected the end";

/// Where a text stops being JSON, and what should stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed {
    /// Byte from the start of the text.
    pub(super) at: usize,
    /// Completes "malformed JSON: …".
    pub(super) rule: &'static str,
}

/// One JSON value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'t> {
    Null,
    Boolean,
    /// Its digits.
    Number(&'t str),
    Text(Text<'t>),
    Object,
    Array,
}

/// A JSON string as it stands between its quotes; its escapes are well formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text<'t> {
    raw: &'t str,
    escaped: bool,
}

/// A `\ud800` without its other half: JSON, but no text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoneSurrogate;

impl<'t> Text<'t> {
    /// What the string says.
    pub(super) fn decode(self) -> Result<Cow<'t, str>, LoneSurrogate> {
        if self.escaped { unescape(self.raw).map(Cow::Owned) } else { Ok(Cow::Borrowed(self.raw)) }
    }
}

/// A position in a text.
#[derive(Debug)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    /// Starts at byte `at`.
    pub(super) fn new(text: &'t str, at: usize) -> Self {
        Self { text, at }
    }

    /// The byte that comes next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The text from a byte to here.
    pub(super) fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.at]
    }

    /// The whole text.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// Skips blanks and looks at what comes; `None` is the end.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Reads any value; objects and arrays as a whole.
    pub(super) fn value(&mut self) -> Result<Value<'t>, Malformed> {
        match self.peek() {
            Some(b'{') => self.skip().map(|()| Value::Object),
            Some(b'[') => self.skip().map(|()| Value::Array),
            _ => self.scalar(),
        }
    }

    /// Reads an object, `{` being next; `each` reads the value behind the name it is given.
    pub(super) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Text<'t>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.at += 1;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            let name = self.name()?;
            each(self, name)?;
            if !self.take(b',') {
                return self.expect(b'}', "expected ',' or '}'");
            }
        }
    }

    /// Reads an array, `[` being next; `each` reads an item.
    pub(super) fn array<E: From<Malformed>>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.at += 1;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            each(self)?;
            if !self.take(b',') {
                return Ok(self.expect(b']', "expected ',' or ']'")?);
            }
        }
    }

    /// Nothing but blanks may follow.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        self.peek().map_or(Ok(()), |_| Err(self.malformed(END_EXPECTED)))
    }

    /// Reads a value of any depth and forgets it.
    fn skip(&mut self) -> Result<(), Malformed> {
        let mut open = Nesting::default();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    let is_object = bracket == b'{';
                    self.at += 1;
                    if !self.take(if is_object { b'}' } else { b']' }) {
                        if is_object {
                            self.name()?;
                        }
                        open.push(is_object);
                        continue;
                    }
                }
                _ => drop(self.scalar()?),
            }
            // A value has ended: so may those around it.
            while let Some(is_object) = open.last() {
                if self.take(b',') {
                    if is_object {
                        self.name()?;
                    }
                    break;
                }
                let (bracket, rule) =
                    if is_object { (b'}', "expected ',' or '}'") } else { (b']', "expected ',' or ']'") };
                self.expect(bracket, rule)?;
                open.pop();
            }
            if open.depth == 0 {
                return Ok(());
            }
        }
    }

    fn scalar(&mut self) -> Result<Value<'t>, Malformed> {
        match self.peek() {
            Some(b'"') => self.string().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Boolean),
            Some(b'f') => self.word("false", Value::Boolean),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.malformed("expected a value")),
        }
    }

    fn name(&mut self) -> Result<Text<'t>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed("expected a name in double quotes"));
        }
        let name = self.string()?;
        self.expect(b':', "expected ':'")?;
        Ok(name)
    }

    fn string(&mut self) -> Result<Text<'t>, Malformed> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            match bytes.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += escape_length(&bytes[at..])
                        .ok_or(Malformed { at, rule: "this escape does not exist in JSON" })?;
                }
                Some(0..0x20) => {
                    return Err(Malformed { at, rule: "a control character in a string must be escaped" });
                }
                Some(_) => at += 1,
                None => return Err(Malformed { at, rule: "the string does not end" }),
            }
        }
        self.at = at + 1;
        Ok(Text { raw: &self.text[start..at], escaped })
    }

    fn number(&mut self) -> Result<&'t str, Malformed> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        self.at += usize::from(bytes.get(self.at) == Some(&b'-'));
        if bytes.get(self.at) == Some(&b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = bytes.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(self.since(start))
    }

    fn digits(&mut self) -> Result<(), Malformed> {
        let count = self.text.as_bytes()[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.malformed("expected a digit")) } else { Ok(()) }
    }

    fn word(&mut self, word: &str, value: Value<'t>) -> Result<Value<'t>, Malformed> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, rule: &'static str) -> Result<(), Malformed> {
        if self.take(byte) { Ok(()) } else { Err(self.malformed(rule)) }
    }

    /// An error here.
    pub(super) fn malformed(&self, rule: &'static str) -> Malformed {
        Malformed { at: self.at, rule }
    }
}

/// Which brackets are open: a bit each, `true` for an object.
#[derive(Debug, Default)]
struct Nesting {
    depth: usize,
    /// The innermost up to 64.
    bits: u64,
    outer: Vec<u64>,
}

impl Nesting {
    fn push(&mut self, is_object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }

    fn last(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}

/// Bytes of the escape at the start; `None` if it is none.
fn escape_length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

fn unescape(raw: &str) -> Result<String, LoneSurrogate> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut chars = after.chars();
        let escape = chars.next().unwrap_or_default();
        rest = chars.as_str();
        text.push(match escape {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => unicode_escape(&mut rest)?,
            other => other,
        });
    }
    text.push_str(rest);
    Ok(text)
}

/// The character of `XXXX`, or of `XXXX\uXXXX` when it takes two.
fn unicode_escape(rest: &mut &str) -> Result<char, LoneSurrogate> {
    let high = hex_unit(rest);
    if !(0xd800..0xe000).contains(&high) {
        return char::from_u32(high).ok_or(LoneSurrogate);
    }
    *rest = rest.strip_prefix("\\u").ok_or(LoneSurrogate)?;
    let low = hex_unit(rest);
    if high >= 0xdc00 || !(0xdc00..0xe000).contains(&low) {
        return Err(LoneSurrogate);
    }
    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)).ok_or(LoneSurrogate)
}

fn hex_unit(rest: &mut &str) -> u32 {
    let (digits, after) = rest.split_at_checked(4).unwrap_or_default();
    *rest = after;
    // The digits were seen when the string was read.
    u32::from_str_radix(digits, 16).unwrap_or(0xd800)
}
