//! Words for a statement that failed: the server's, on one line, with the statement's place in its script, and the line of
//! the text with a caret below where the server says what is wrong.

use super::script::Item;
use crate::client::ClientError;

/// Characters shown on either side of the caret; statements can be one very long line.
const CONTEXT_CHARS: usize = 60;

/// Where a script came from, as errors name it.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// An argument or the prompt: nobody needs to be told where.
    Typed,
    /// A file or stdin.
    Named(String),
}

/// The text of a failed item.
pub(super) fn complaint(origin: &Origin, item: &Item<'_>, message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match origin {
        Origin::Typed if item.line == 1 => message,
        Origin::Typed => format!("line {}: {message}", item.line),
        Origin::Named(name) => format!("{name}:{}: {message}", item.line),
    }
}

/// The same with the caret, where the server named a place in the text.
pub(super) fn refusal(origin: &Origin, item: &Item<'_>, error: &ClientError) -> String {
    let message = error.to_string();
    let mut text = complaint(origin, item, &message);
    if let Some((line, column)) = position(&message)
        && let Some(pointed) = pointed(item, line, column)
    {
        text.push('\n');
        text.push_str(&pointed);
    }
    text
}

/// The line and column that a parser's message ends with: `… at Line: 1, Column: 8`.
fn position(message: &str) -> Option<(usize, usize)> {
    let (_, rest) = message.rsplit_once("Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((line.parse().ok()?, rest[..digits].parse().ok()?))
}

/// The line with a caret below its `column`, both from 1, as the server counts them: in characters of the statement.
fn pointed(item: &Item<'_>, line: usize, column: usize) -> Option<String> {
    let text = item.text.lines().nth(line.checked_sub(1)?)?;
    let at = column.checked_sub(1)?.min(text.chars().count());
    let first = at.saturating_sub(CONTEXT_CHARS);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let shown: String = text.chars().skip(first).take(2 * CONTEXT_CHARS).map(plain).collect();
    let label = format!("LINE {}: ", item.line + line - 1);
    let caret = " ".repeat(label.chars().count() + at - first);
    Some(format!("{label}{shown}\n{caret}^"))
}

#[cfg(test)]
mod tests {
    use tonic::Status;

    use super::*;
    use crate::commands::sql::script::items;

    #[test]
    fn a_caret_points_at_the_place() {
        let script = "SELECT 1;\nSELECT a,\n  FROM t;";
        let error = refused("sql parser error: Expected: an expression,\n found: FROM at Line: 2, Column: 3");
        assert_eq!(
            refusal(&Origin::Named("x.sql".to_owned()), &items(script)[1], &error),
            "x.sql:2: sql parser error: Expected: an expression, found: FROM at Line: 2, Column: 3 (INVALID_ARGUMENT)\n\
             LINE 3:   FROM t\n\
             \u{20}         ^"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let script = format!("SELECT {} FROM", "x + ".repeat(500));
        let error = refused("bad at Line: 1, Column: 1008");
        let text = refusal(&Origin::Typed, &items(&script)[0], &error);
        assert!(text.lines().all(|line| line.chars().count() < 140), "{text}");
        let (above, caret) = text.split_once("\nLINE 1: ").unwrap().1.split_once('\n').unwrap();
        assert_eq!(caret.len() - "LINE 1: ".len(), CONTEXT_CHARS + 1);
        assert!(above.contains("x + x"), "{above}");
    }

    #[test]
    fn a_message_without_a_place_stands_alone() {
        for message in ["no such column", "Line: x, Column: 3", "at Line: 9, Column: 1", "Line: 0, Column: 0"]
        {
            let text = refusal(&Origin::Typed, &items("SELECT y")[0], &refused(message));
            assert_eq!(text, format!("{message} (INVALID_ARGUMENT)"));
        }
    }

    fn refused(message: &str) -> ClientError {
        Status::invalid_argument(message).into()
    }
}
