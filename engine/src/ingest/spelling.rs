//! What is said of the names of columns: which are accepted, and what an unknown one was probably meant for.

use super::bad_rows::shortened;
use crate::{
    error::EngineError,
    schema::{ColumnRole, LOCATION, event_names, nearest},
};

/// The names a batch may use, for errors.
pub(super) fn accepted_names() -> String {
    let described = ColumnRole::ALL.into_iter().flat_map(|role| {
        let location = (role == ColumnRole::Metadata).then(|| format!("{LOCATION} {{latitude, longitude}}"));
        location.into_iter().chain([role.described()])
    });
    described.collect::<Vec<_>>().join(", ")
}

/// The error for a column that has none of the accepted names.
pub(super) fn unknown_column(name: &str) -> EngineError {
    let hint = meant(name).map_or_else(String::new, |near| format!(", did you mean '{near}'?"));
    let name = shortened(name);
    let separator = if hint.is_empty() { ";" } else { "" };
    EngineError::InvalidBatch(format!(
        "column '{name}' is unknown{hint}{separator} accepted: {}",
        accepted_names()
    ))
}

/// The accepted spelling that somebody may have meant.
fn meant(name: &str) -> Option<&'static str> {
    nearest(name, event_names())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_ignores_case_and_gives_up_on_strangers() {
        assert_eq!(meant("deviceId"), Some("device_id"));
        assert_eq!(meant("Time-stamp"), Some("timestamp"));
        assert_eq!(meant("vlaue"), Some("value"));
        assert_eq!(meant("colour"), None);
        assert_eq!(meant(""), None);
        assert_eq!(meant(&"timestamp".repeat(100)), None);
    }
}
