//! `Ignored`: the columns and fields of a file that fill nothing. Text files show them only while they are read.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use parking_lot::Mutex;
/// Names that are listed; a file whose keys are data has any number of them.
const LISTED_MAX: usize = 100;

/// Characters of a name that are kept.
const NAME_CHARS_MAX: usize = 64;

/// Stands for the names beyond [`LISTED_MAX`].
const MORE: &str = "and more";

/// Names in the order in which they were met; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ignored(Arc<Mutex<Names>>);

#[derive(Debug, Default)]
struct Names {
    listed: Vec<String>,
    known: HashSet<String>,
    has_more: bool,
}

impl Ignored {
    /// Adds a name that may be known already.
    pub(crate) fn add(&self, name: &str) {
        let name = shortened(name);
        let mut names = self.0.lock();
        if names.has_more || names.known.contains(name.as_ref()) {
            return;
        }
        if names.listed.len() == LISTED_MAX {
            names.has_more = true;
            return;
        }
        let name = name.into_owned();
        names.known.insert(name.clone());
        names.listed.push(name);
    }

    /// The names so far.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.0.lock();
        let more = names.has_more.then(|| MORE.to_owned());
        names.listed.iter().cloned().chain(more).collect()
    }
}

/// For people: of some length, and without control characters.
fn shortened(name: &str) -> Cow<'_, str> {
    if name.is_empty() {
        return Cow::Borrowed("\"\"");
    }
    if name.contains(char::is_control) {
        let start: String = name.chars().take(NAME_CHARS_MAX).collect();
        return Cow::Owned(start.escape_debug().to_string());
    }
    match name.char_indices().nth(NAME_CHARS_MAX) {
        None => Cow::Borrowed(name),
        Some((end, _)) => Cow::Owned(format!("{}...", name.get(..end).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_once_and_up_to_a_bound() {
        let ignored = Ignored::default();
        for n in 0..1_000 {
            ignored.add(&format!("key-{}", n / 2));
        }
        let names = ignored.names();
        assert_eq!(names.len(), LISTED_MAX + 1);
        let strange = Ignored::default();
        for name in ["", "a\u{1b}[2J", &"x".repeat(100)] {
            strange.add(name);
        }
        assert_eq!(strange.names(), ["\"\"", "a\\u{1b}[2J", &format!("{}...", "x".repeat(64))]);
        assert_eq!(
            (names[0].as_str(), names[1].as_str(), names[LISTED_MAX].as_str()),
            ("key-0", "key-1", MORE)
        );
    }
}
