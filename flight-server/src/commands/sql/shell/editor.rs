//! The line editor: reedline with our completion, colours, history, and the rule that a statement ends with `;`.

use std::sync::{Arc, atomic::AtomicBool};

use reedline::{
    ColumnarMenu, EditCommand, Emacs, KeyCode, KeyModifiers, MenuBuilder, Reedline, ReedlineEvent,
    ReedlineMenu, ValidationResult, Validator, default_emacs_keybindings,
};

use super::{completer::SqlCompleter, highlighter::SqlHighlighter, history, script_of};
use crate::{client::Client, sql::script::is_complete};

/// What reedline knows the completion menu by.
const MENU: &str = "completion";

/// Makes the editor. It gives up reading when `leave` is set.
pub(super) fn editor(client: Client, leave: Arc<AtomicBool>) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    let new_line = ReedlineEvent::Edit(vec![EditCommand::InsertNewline]);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, new_line);
    let menu = ColumnarMenu::default().with_name(MENU);
    Reedline::create()
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_history(Box::new(history::open()))
        .with_validator(Box::new(StatementValidator))
        .with_highlighter(Box::new(SqlHighlighter))
        .with_completer(Box::new(SqlCompleter::new(client)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_ansi_colors(wants_colours())
        .with_break_signal(leave)
        .use_bracketed_paste(true)
}

/// **Source**: <https://no-color.org>.
fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Enter runs what is complete, and begins another line of what is not.
struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, typed: &str) -> ValidationResult {
        if is_complete(script_of(typed)) { ValidationResult::Complete } else { ValidationResult::Incomplete }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enter_runs_what_is_complete() {
        let runs = |typed: &str| matches!(StatementValidator.validate(typed), ValidationResult::Complete);
        for typed in
            ["", "SELECT 1;", "SELECT ';';", "\\d", "\\d events", "quit", "exit", "help", "SELECT 1; -- x"]
        {
            assert!(runs(typed), "{typed}");
        }
        for typed in ["SELECT 1", "SELECT ';", "SELECT 1 -- ;", "SELECT $$;", "SELECT (\n  1", "quitter"] {
            assert!(!runs(typed), "{typed}");
        }
    }
}
