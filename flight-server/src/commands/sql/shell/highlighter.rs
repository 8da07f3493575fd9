//! Colours of what is typed: keywords, text, numbers, comments and commands.

use reedline::{Color, Highlighter, StyledText};

use super::vocabulary::is_keyword;
use crate::commands::sql::lexer::{LexemeKind, tokens};

/// See the module.
pub(super) struct SqlHighlighter;

impl Highlighter for SqlHighlighter {
    fn highlight(&self, line: &str, _cursor: usize) -> StyledText {
        let mut styled = StyledText::new();
        if line.trim_start().starts_with('\\') {
            styled.push((Color::Cyan.normal(), line.to_owned()));
            return styled;
        }
        for token in tokens(line) {
            let text = &line[token.range];
            let style = match token.kind {
                LexemeKind::Word if is_keyword(text) => Color::Blue.bold(),
                LexemeKind::Text => Color::Green.normal(),
                LexemeKind::Number => Color::Purple.normal(),
                LexemeKind::Comment => Color::DarkGray.normal(),
                _ => Default::default(),
            };
            styled.push((style, text.to_owned()));
        }
        styled
    }
}
