//! `OnError`: what happens to a request or a load when a row breaks a rule, as users of every door say it.

use clap::ValueEnum;
use hexflight_engine::OnBadRow;
use serde::Deserialize;
use utoipa::ToSchema;

/// What happens when a row breaks a rule
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// Nothing is written
    #[default]
    Abort,
    /// The others are written
    Skip,
}

impl OnError {
    /// As the user said it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Skip => "skip",
        }
    }

    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Abort, Self::Skip].into_iter().find(|known| known.name() == name)
    }
}

impl From<OnError> for OnBadRow {
    fn from(on_error: OnError) -> Self {
        match on_error {
            OnError::Abort => Self::Refuse,
            OnError::Skip => Self::Skip,
        }
    }
}
