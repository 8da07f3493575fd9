//! `Scopes`: what a caller may do. A user has those of a role, a token has some of its user's.

use super::role::Role;

/// What a call needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Permission {
    /// To ask.
    Read,
    /// To send events and load files.
    Write,
    /// To see and end what others do.
    Admin,
}

impl Permission {
    /// All there are.
    pub(crate) const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scopes(u8);

impl Scopes {
    /// Everything.
    pub(crate) fn all() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Those of a role.
    pub(crate) fn of(role: Role) -> Self {
        use Permission::{Read, Write};
        match role {
            Role::Read => [Read].into_iter().collect(),
            Role::Write => [Read, Write].into_iter().collect(),
            Role::Admin => Self::all(),
        }
    }

    /// Whether a permission is among them.
    pub(crate) fn allow(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether all of them are among others.
    pub(crate) fn are_within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    /// Whether there is none.
    pub(crate) fn are_none(self) -> bool {
        self.0 == 0
    }

    /// As they are written.
    pub(crate) fn names(self) -> Vec<&'static str> {
        let held = Permission::ALL.into_iter().filter(|permission| self.allow(*permission));
        held.map(Permission::name).collect()
    }
}

impl FromIterator<Permission> for Scopes {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_what_those_before_it_may() {
        let of = |role| Scopes::of(role).names();
        assert_eq!(of(Role::Read), ["read"]);
        assert_eq!(of(Role::Write), ["read", "write"]);
        assert_eq!(of(Role::Admin), ["read", "write", "admin"]);
        assert!(Scopes::of(Role::Read).are_within(Scopes::of(Role::Write)));
        assert!(!Scopes::of(Role::Write).are_within(Scopes::of(Role::Read)));
        let devices: Scopes = [Permission::Write].into_iter().collect();
        assert!(devices.allow(Permission::Write) && !devices.allow(Permission::Read));
    }
}
