//! `Role`: what a user of the file may do.

use std::{fmt, str::FromStr};

/// Each may what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Role {
    /// Ask.
    Read,
    /// Send events and load files, too.
    Write,
    /// See and end what others do, too.
    Admin,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As `clap` and tables pad it.
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Read, Self::Write, Self::Admin].into_iter().find(|role| role.name() == text).ok_or(())
    }
}
