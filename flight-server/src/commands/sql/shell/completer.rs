//! Completion: what can stand where the cursor is, by a few rules of thumb.

use std::sync::Arc;

use clap::ValueEnum;
use reedline::{Completer, CompletionResult, Span, Suggestion};

use super::vocabulary::{KEYWORDS, Vocabulary};
use crate::{
    client::Client,
    commands::sql::{
        format::OutputFormat,
        lexer::{LexemeKind, Token, tokens},
    },
};

/// Commands that completion offers.
const COMMANDS: &[&str] =
    &[r"\d", r"\x", r"\format", r"\timing", r"\o", r"\i", r"\kill", r"\?", r"\h", r"\q"];

/// Suggestions offered at once.
const SUGGESTIONS_MAX: usize = 100;

/// See the module.
pub(super) struct SqlCompleter {
    vocabulary: Vocabulary,
}

impl SqlCompleter {
    pub(super) fn new(client: Client) -> Self {
        Self { vocabulary: Vocabulary::new(client) }
    }
}

impl Completer for SqlCompleter {
    fn complete(&mut self, line: &str, cursor: usize) -> CompletionResult {
        let before = line.get(..cursor).unwrap_or(line);
        let Some((begun, wanted)) = wanted(before) else {
            return CompletionResult::fresh(Vec::new());
        };
        self.vocabulary.refresh();
        let start = before.len() - begun.len();
        let mut found = matching(&self.vocabulary, begun, wanted);
        found.truncate(SUGGESTIONS_MAX);
        let suggestions: Arc<[Suggestion]> = found
            .into_iter()
            .map(|value| Suggestion {
                // Behind a name a comma or a bracket may follow as well.
                append_whitespace: KEYWORDS.iter().any(|word| word.eq_ignore_ascii_case(&value)),
                value,
                span: Span::new(start, before.len()),
                ..Suggestion::default()
            })
            .collect();
        CompletionResult::fresh(suggestions)
    }
}

/// Which words can follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Commands,
    Formats,
    Tables,
    Anything,
}

/// The word that was begun, and what it may become; `None` where nothing can be guessed, as inside text.
fn wanted(before: &str) -> Option<(&str, Wanted)> {
    let typed = before.trim_start();
    if typed.starts_with('\\') {
        return Some(match typed.split_once(char::is_whitespace) {
            None => (typed, Wanted::Commands),
            Some((r"\d", table)) => (table.trim_start(), Wanted::Tables),
            Some((r"\format", format)) => (format.trim_start(), Wanted::Formats),
            Some(_) => return None,
        });
    }
    let all: Vec<Token> = tokens(before).collect();
    let (begun, rest) = match all.split_last() {
        Some((last, rest)) if last.kind == LexemeKind::Word => (&before[last.range.clone()], rest),
        Some((last, _)) if matches!(last.kind, LexemeKind::Text | LexemeKind::Comment | LexemeKind::Name) => {
            return None;
        }
        _ => ("", all.as_slice()),
    };
    let mut previous = rest.iter().rev().filter(|token| !token.kind.is_blank());
    let previous = previous.next().map(|token| before[token.range.clone()].to_ascii_uppercase());
    let tables = matches!(previous.as_deref(), Some("FROM" | "JOIN" | "DESCRIBE" | "TABLE"));
    match (tables, begun) {
        (true, begun) => Some((begun, Wanted::Tables)),
        // Everything is no help.
        (false, "") => None,
        (false, begun) => Some((begun, Wanted::Anything)),
    }
}

fn matching(vocabulary: &Vocabulary, begun: &str, wanted: Wanted) -> Vec<String> {
    let lower = begun.to_lowercase();
    let fits = |word: &&str| word.to_lowercase().starts_with(&lower);
    let of = |words: &[String]| words.iter().map(|word| quoted(word)).collect::<Vec<_>>();
    let candidates: Vec<String> = match wanted {
        Wanted::Commands => COMMANDS.iter().map(|word| (*word).to_owned()).collect(),
        Wanted::Formats => {
            let values = OutputFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            values.map(|value| value.get_name().to_owned()).collect()
        }
        Wanted::Tables => of(&vocabulary.tables),
        Wanted::Anything => {
            let mut words = of(&vocabulary.columns);
            words.extend(of(&vocabulary.tables));
            // Keywords in the case in which the user writes.
            let small = begun.chars().next().is_some_and(char::is_lowercase);
            words.extend(
                KEYWORDS.iter().map(|word| if small { word.to_lowercase() } else { (*word).to_owned() }),
            );
            words.extend(vocabulary.functions.iter().map(|name| format!("{name}(")));
            words
        }
    };
    candidates.into_iter().filter(|word| fits(&word.as_str())).collect()
}

/// As SQL has to write it.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_decides_what_is_offered() {
        for (before, expected) in [
            ("SEL", Some(("SEL", Wanted::Anything))),
            ("SELECT * FROM ev", Some(("ev", Wanted::Tables))),
            ("SELECT * FROM\n  ", Some(("", Wanted::Tables))),
            ("SELECT a. ", None),
            ("SELECT 'ev", None),
            ("SELECT 1 -- ev", None),
            (r"\for", Some((r"\for", Wanted::Commands))),
            (r"\d ev", Some(("ev", Wanted::Tables))),
            (r"\format j", Some(("j", Wanted::Formats))),
            (r"\o fi", None),
            ("", None),
        ] {
            assert_eq!(wanted(before), expected, "{before}");
        }
    }

    #[test]
    fn names_that_need_quotes_get_them() {
        for (name, text) in [("events", "events"), ("Odd", "\"Odd\""), ("a\"b", "\"a\"\"b\"")] {
            assert_eq!(quoted(name), text);
        }
    }
}
