//! The names that members of an event may have, in any case: the same as for columns of Arrow batches. Keeps which one a row used and
//! which of its letters were capitals, so that an error points to the body as it was sent.

use std::{borrow::Cow, collections::HashMap};

use hexflight_engine::{ColumnRole, LOCATION, column, event_names, nearest};

/// Number of roles.
pub(super) const ROLES: usize = ColumnRole::ALL.len();

/// Longer names are not looked into. **Units**: bytes.
const NAME_BYTES_MAX: usize = 64;

/// Unknown names of a request that are looked into.
const GUESSES_MAX: usize = 256;

/// Where a row has the value of a role from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Spelling {
    source: Source,
    /// Which of the role's names.
    name: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Source {
    #[default]
    Nothing,
    Event,
    Location,
    /// The CloudEvent around the event.
    Attribute,
}

impl Spelling {
    /// An attribute of the CloudEvent around the event.
    pub(super) const ATTRIBUTE: Self = Self { source: Source::Attribute, name: 0 };

    /// The member of an event with this name; `location` is none, it has members of its own.
    pub(super) fn of_member(name: &str) -> Option<(ColumnRole, Self)> {
        Self::of(name, Source::Event)
    }

    /// The member of a `location` with this name.
    pub(super) fn of_location(name: &str) -> Option<(ColumnRole, Self)> {
        Self::of(name, Source::Location).filter(|(role, _)| role.is_half())
    }

    fn of(name: &str, source: Source) -> Option<(ColumnRole, Self)> {
        let (role, index) = ColumnRole::spelled(name)?;
        Some((role, Self { source, name: u8::try_from(index).ok()? }))
    }

    /// Path from the event, or for an attribute of a CloudEvent from that; empty if the row has none.
    pub(super) fn path(self, role: ColumnRole) -> Cow<'static, str> {
        let name = role.spellings()[usize::from(self.name)];
        match (self.source, role) {
            (Source::Nothing, _) => Cow::Borrowed(""),
            (Source::Event, _) => Cow::Borrowed(name),
            (Source::Location, _) => Cow::Owned(format!("{LOCATION}/{name}")),
            (Source::Attribute, ColumnRole::Timestamp) => Cow::Borrowed("time"),
            (Source::Attribute, ColumnRole::DeviceId) => Cow::Borrowed("subject"),
            (Source::Attribute, _) => Cow::Borrowed("type"),
        }
    }

    /// Whether the row has no value.
    pub(super) fn is_absent(self) -> bool {
        self.source == Source::Nothing
    }

    /// Whether the value is an attribute of the CloudEvent around the event.
    pub(super) fn is_attribute(self) -> bool {
        self.source == Source::Attribute
    }

    /// Whether the value is a member of `location`.
    pub(super) fn is_in_location(self) -> bool {
        self.source == Source::Location
    }
}

/// Which bytes of a path were sent as capitals; the lowest bit is the first byte. No path is longer than 32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Capitals(u32);

impl Capitals {
    /// Those of a name.
    pub(super) fn of(name: &str) -> Self {
        let bits = name.bytes().take(32).enumerate();
        Self(bits.fold(0, |bits, (place, byte)| bits | u32::from(byte.is_ascii_uppercase()) << place))
    }

    /// Those of a name behind `location/`, whose own are `self`.
    pub(super) fn before(self, name: &str) -> Self {
        Self(self.0 | Self::of(name).0 << (LOCATION.len() + 1))
    }

    /// A path as it was sent.
    pub(super) fn written(self, path: Cow<'static, str>) -> Cow<'static, str> {
        if self.0 == 0 {
            return path;
        }
        let is_capital = |place: usize| u32::try_from(place).is_ok_and(|place| self.0 >> place & 1 == 1);
        let letters = path.char_indices();
        Cow::Owned(
            letters
                .map(|(at, letter)| if is_capital(at) { letter.to_ascii_uppercase() } else { letter })
                .collect(),
        )
    }
}

/// The rule that an unknown member of an event breaks.
pub(super) fn unknown_field(name: &str) -> String {
    match &*name.to_ascii_lowercase() {
        column::H3 => "is derived from latitude and longitude; leave it out".to_owned(),
        "specversion" => {
            "is no field of an event; send CloudEvents as application/cloudevents+json".to_owned()
        }
        _ => unknown(name, event_names()),
    }
}

/// The rule that an unknown member of a `location` breaks.
pub(super) fn unknown_coordinate(name: &str) -> String {
    unknown(
        name,
        [ColumnRole::Latitude, ColumnRole::Longitude].into_iter().flat_map(ColumnRole::spellings).copied(),
    )
}

fn unknown(name: &str, known: impl Iterator<Item = &'static str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("is no field here; did you mean `{meant}`?"),
        None => format!("is no field here; those are {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// What unknown names were probably meant for. Senders repeat their mistakes: each is looked into once, and there is a limit to how many are.
#[derive(Debug, Default)]
pub(super) struct Guesses(HashMap<String, Option<ColumnRole>>);

impl Guesses {
    /// The role of the nearest name, if there is a near one.
    pub(super) fn role(&mut self, name: &str) -> Option<ColumnRole> {
        if let Some(guess) = self.0.get(name) {
            return *guess;
        }
        if name.len() > NAME_BYTES_MAX || self.0.len() >= GUESSES_MAX {
            return None;
        }
        let guess = nearest(name, event_names()).and_then(ColumnRole::of);
        self.0.insert(name.to_owned(), guess);
        guess
    }
}
