//! Cuts SQL text into tokens, also while it is still being typed: an open quote or comment reaches to the end. Knows what
//! hides a `;` in the server's dialect (PostgreSQL's): strings, quoted names, dollar quotes, comments. Never refuses anything.

use std::ops::Range;

/// What a token is, as far as splitting and colouring need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LexemeKind {
    /// White space.
    Space,
    /// `-- …` or `/* … */`.
    Comment,
    /// `'…'`, `E'…'` or `$tag$…$tag$`.
    Text,
    /// `"…"`.
    Name,
    /// A keyword or bare name.
    Word,
    /// Digits and what belongs to them.
    Number,
    /// `;`.
    End,
    /// Any other character.
    Sign,
}

impl LexemeKind {
    /// Whether the server would see nothing of it.
    pub(super) fn is_blank(self) -> bool {
        matches!(self, Self::Space | Self::Comment)
    }
}

/// A piece of the text; all of them together are the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: LexemeKind,
    /// **Units**: bytes.
    pub(super) range: Range<usize>,
}

/// The tokens of a text, in order and without gaps.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        let (kind, length) = first(rest)?;
        let range = start..start + length;
        start = range.end;
        Some(Token { kind, range })
    })
}

/// Kind and length of the token that a text begins with.
fn first(rest: &str) -> Option<(LexemeKind, usize)> {
    let head = rest.chars().next()?;
    let found = match head {
        c if c.is_whitespace() => (LexemeKind::Space, run(rest, char::is_whitespace)),
        '-' if rest.starts_with("--") => (LexemeKind::Comment, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (LexemeKind::Comment, block_comment(rest)),
        '\'' => (LexemeKind::Text, quoted(rest, '\'', false)),
        '"' => (LexemeKind::Name, quoted(rest, '"', false)),
        'e' | 'E' if rest[1..].starts_with('\'') => (LexemeKind::Text, 1 + quoted(&rest[1..], '\'', true)),
        '$' => dollar(rest),
        c if is_word(c) && !c.is_ascii_digit() => (LexemeKind::Word, run(rest, |c| is_word(c) || c == '$')),
        c if c.is_ascii_digit() => {
            (LexemeKind::Number, run(rest, |c| c == '.' || c == '_' || c.is_alphanumeric()))
        }
        ';' => (LexemeKind::End, 1),
        c => (LexemeKind::Sign, c.len_utf8()),
    };
    Some(found)
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Bytes at the start for which `wanted` holds.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// Bytes up to the closing quote; a doubled one stays inside, after a backslash too where that escapes.
fn quoted(text: &str, quote: char, backslash: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if backslash && c == '\\' {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

/// Comments nest, as in PostgreSQL.
fn block_comment(text: &str) -> usize {
    let (bytes, mut at, mut depth) = (text.as_bytes(), 0, 0_usize);
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

/// `$tag$ … $tag$`; a parameter such as `$1` is no quote.
fn dollar(text: &str) -> (LexemeKind, usize) {
    let tag = 1 + run(&text[1..], is_word);
    if !text[tag..].starts_with('$') {
        return (LexemeKind::Word, tag);
    }
    let (opening, body) = text.split_at(tag + 1);
    let length = body.find(opening).map_or(text.len(), |at| opening.len() + at + opening.len());
    (LexemeKind::Text, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_cover_the_text_whatever_it_is() {
        for text in ["", "a", "'", "\"", "/*", "$", "$$", "$a$ x", "E'\\", "é;ü'ß", "--", "a--b\nc", "1.5e3;"]
        {
            let tokens: Vec<_> = tokens(text).collect();
            let joined: String = tokens.iter().map(|token| &text[token.range.clone()]).collect();
            assert_eq!(joined, text);
            assert!(tokens.iter().all(|token| !token.range.is_empty()));
        }
    }

    #[test]
    fn what_hides_a_semicolon_is_one_token() {
        for (text, kind) in [
            ("'a;b'", LexemeKind::Text),
            ("'it''s; so'", LexemeKind::Text),
            (r"E'a\';b'", LexemeKind::Text),
            (r"e'\\'", LexemeKind::Text),
            ("\"a;\"\"b\"", LexemeKind::Name),
            ("$$a;'b$$", LexemeKind::Text),
            ("$tag$a;$$ $other$ $tag$", LexemeKind::Text),
            ("-- a;b", LexemeKind::Comment),
            ("/* a; /* b; */ c; */", LexemeKind::Comment),
        ] {
            assert_eq!(tokens(text).collect::<Vec<_>>(), [Token { kind, range: 0..text.len() }], "{text}");
        }
    }

    #[test]
    fn what_looks_like_a_quote_and_is_none() {
        let kinds = |text: &str| tokens(text).map(|token| token.kind).collect::<Vec<_>>();
        assert_eq!(kinds("$1;"), [LexemeKind::Word, LexemeKind::End]);
        assert_eq!(kinds("a$b;$"), [LexemeKind::Word, LexemeKind::End, LexemeKind::Word]);
        assert_eq!(kinds(r"'\';"), [LexemeKind::Text, LexemeKind::End]);
        assert_eq!(kinds("a-b"), [LexemeKind::Word, LexemeKind::Sign, LexemeKind::Word]);
        assert_eq!(kinds("se'x'"), [LexemeKind::Word, LexemeKind::Text]);
    }
}
