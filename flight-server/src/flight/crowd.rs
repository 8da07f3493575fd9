//! Who gives way where many users keep something and there is no more room: whoever keeps most, with what one more adds.

use hexflight_engine::time::Instant;
use std::{cmp::Reverse, collections::HashMap};

/// Something that is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept<'a, K> {
    pub(super) key: K,
    pub(super) user: Option<&'a str>,
    /// How much of the room it takes.
    pub(super) weight: usize,
    pub(super) used: Instant,
}

/// What was used longest ago of the user who keeps most, when `newcomer` wants to keep so much more. Among users who keep as much, the
/// newcomer's own goes first, then what was used longest ago.
pub(super) fn gives_way<'a, K>(
    kept: impl Iterator<Item = Kept<'a, K>>,
    (newcomer, weight): (Option<&str>, usize),
) -> Option<K> {
    let mut by_user: HashMap<Option<&str>, (usize, Kept<'a, K>)> = HashMap::new();
    for entry in kept {
        let (all, oldest) = match by_user.remove(&entry.user) {
            None => (entry.weight, entry),
            Some((all, oldest)) => {
                (all + entry.weight, if entry.used < oldest.used { entry } else { oldest })
            }
        };
        by_user.insert(oldest.user, (all, oldest));
    }
    let rank = |(all, oldest): &(usize, Kept<'a, K>)| {
        let is_own = oldest.user == newcomer;
        (all + if is_own { weight } else { 0 }, is_own, Reverse(oldest.used))
    };
    by_user.into_values().max_by_key(rank).map(|(_, oldest)| oldest.key)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use hexflight_engine::time;

    #[test]
    fn nobody_loses_what_he_keeps_to_one_who_keeps_more() {
        let start = time::now();
        let kept = |key: u64, user, weight, seconds| Kept {
            key,
            user,
            weight,
            used: start + Duration::from_secs(seconds),
        };
        let (ada, eve) = (Some("ada"), Some("eve"));
        let many = [kept(1, ada, 1, 0), kept(2, eve, 1, 5), kept(3, eve, 1, 4), kept(4, None, 1, 1)];
        assert_eq!(gives_way(many.into_iter(), (ada, 0)), Some(3));
        assert_eq!(gives_way(many.into_iter(), (ada, 1)), Some(1), "with one more ada has as many");
        assert_eq!(gives_way(many[..2].iter().copied(), (Some("bob"), 1)), Some(1), "the oldest of equals");
        let large = [kept(1, ada, 9, 5), kept(2, eve, 1, 0), kept(3, eve, 1, 0)];
        assert_eq!(gives_way(large.into_iter(), (None, 1)), Some(1));
        assert_eq!(gives_way(large[..0].iter().copied(), (None, 1)), None);
    }
}
