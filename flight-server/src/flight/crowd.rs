//! Who gives way where many users keep something and places run out: whoever keeps most.

use std::{collections::HashMap, time::Instant};

/// What was used longest ago of the user who keeps most; each entry with its user and its last use.
pub(super) fn gives_way<'a, K>(entries: impl Iterator<Item = (K, Option<&'a str>, Instant)>) -> Option<K> {
    let mut by_user: HashMap<Option<&str>, (usize, Instant, K)> = HashMap::new();
    for (key, user, used) in entries {
        let (kept, oldest) = match by_user.remove(&user) {
            None => (1, (used, key)),
            Some((kept, before, oldest)) => {
                (kept + 1, if used < before { (used, key) } else { (before, oldest) })
            }
        };
        by_user.insert(user, (kept, oldest.0, oldest.1));
    }
    by_user.into_values().max_by_key(|(kept, ..)| *kept).map(|(.., key)| key)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn nobody_loses_what_he_keeps_to_one_who_keeps_more() {
        let start = Instant::now();
        let entry = |key: u64, user, seconds| (key, user, start + Duration::from_secs(seconds));
        let entries =
            [entry(1, Some("ada"), 0), entry(2, Some("eve"), 5), entry(3, Some("eve"), 4), entry(4, None, 1)];
        assert_eq!(gives_way(entries.into_iter()), Some(3));
        assert_eq!(gives_way(std::iter::empty::<(u64, Option<&str>, Instant)>()), None);
    }
}
