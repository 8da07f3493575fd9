//! Splits a script into its items: SQL statements that end with `;`, and commands of the shell, which begin with `\` and end
//! with their line. Used for files, arguments, pipes and what is typed at the prompt.

use super::lexer::{LexemeKind, tokens};

/// A statement or command, where it stands, and whether it is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item<'a> {
    /// Without the `;` and the blanks and comments around it.
    pub(super) text: &'a str,
    /// Line of the script on which it begins, from 1.
    pub(super) line: usize,
    /// Whether its `;` was there; a command always is.
    pub(super) finished: bool,
}

impl<'a> Item<'a> {
    /// The command behind the `\`, if it is one.
    pub(super) fn command(&self) -> Option<&'a str> {
        self.text.strip_prefix('\\')
    }
}

/// The items of a script. The last one may be unfinished; empty statements are left out.
pub(super) fn items(script: &str) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let mut skip_to = 0;
    let mut lines = Lines { script, line: 1, counted: 0 };
    for token in tokens(script) {
        let (start, end) = (token.range.start, token.range.end);
        if start < skip_to || token.kind.is_blank() {
            continue;
        }
        if open.is_none() && script[start..].starts_with('\\') {
            skip_to = start + script[start..].find('\n').unwrap_or(script.len() - start);
            let text = script[start..skip_to].trim_end();
            items.push(Item { text, line: lines.of(start), finished: true });
        } else if token.kind != LexemeKind::End {
            open = Some((open.map_or(start, |(begin, _)| begin), end));
        } else if let Some((begin, end)) = open.take() {
            items.push(Item { text: &script[begin..end], line: lines.of(begin), finished: true });
        }
    }
    if let Some((begin, end)) = open {
        items.push(Item { text: &script[begin..end], line: lines.of(begin), finished: false });
    }
    items
}

/// Whether all that was typed can be run: nothing is left open.
pub(super) fn is_complete(script: &str) -> bool {
    items(script).last().is_none_or(|item| item.finished)
}

/// Counts lines, each once: asked for positions in ascending order.
struct Lines<'a> {
    script: &'a str,
    line: usize,
    counted: usize,
}

impl Lines<'_> {
    fn of(&mut self, position: usize) -> usize {
        let passed = &self.script.as_bytes()[self.counted..position];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.counted = position;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_semicolons_outside_quotes_and_comments() {
        let script = "SELECT ';', \"a;b\" -- not; here\n FROM t; /* nor; */ SELECT $$;$$;";
        assert_eq!(texts(script), ["SELECT ';', \"a;b\" -- not; here\n FROM t", "SELECT $$;$$"]);
    }

    #[test]
    fn an_item_knows_its_line() {
        let script = "-- a note\nSELECT 1;\n\n/* two\nlines */ SELECT\n2; SELECT 3";
        let lines: Vec<_> = items(script).iter().map(|item| (item.line, item.finished)).collect();
        assert_eq!(lines, [(2, true), (5, true), (6, false)]);
    }

    #[test]
    fn blanks_comments_and_empty_statements_are_nothing() {
        for script in ["", "  \n", ";;", "-- only a note", "/* ; */ ;"] {
            assert_eq!(texts(script), Vec::<&str>::new(), "{script}");
            assert!(is_complete(script), "{script}");
        }
    }

    #[test]
    fn a_command_ends_with_its_line() {
        let script = "\\d events\nSELECT '\\d';\n  \\timing on";
        assert_eq!(texts(script), ["\\d events", "SELECT '\\d'", "\\timing on"]);
        let commands: Vec<_> = items(script).iter().map(Item::command).collect();
        assert_eq!(commands, [Some("d events"), None, Some("timing on")]);
    }

    #[test]
    fn what_is_open_is_incomplete() {
        for script in
            ["SELECT 1", "SELECT 'a;", "SELECT \"a;", "SELECT $$;", "SELECT 1; SELECT 2", "SELECT 1 /* ;"]
        {
            assert!(!is_complete(script), "{script}");
        }
        for script in ["SELECT 1;", "SELECT 1; -- done", "\\d", "SELECT ';';", "SELECT 1;;\n"] {
            assert!(is_complete(script), "{script}");
        }
    }

    fn texts(script: &str) -> Vec<&str> {
        items(script).iter().map(|item| item.text).collect()
    }
}
