//! "did you mean", as a hint of a problem.

use hexflight_engine::nearest;

/// The hint for a name that is none of `known`.
pub(super) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|meant| format!("did you mean `{meant}`?"))
}
