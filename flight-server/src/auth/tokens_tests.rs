//! Tests of the life of tokens.

use super::{
    super::{scopes::Permission, users::Users},
    *,
};
use hexflight_engine::time;

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn the_token_of_a_login_lives_as_long_as_it_is_used() {
    let (tokens, ada) = (Tokens::default(), user("ada"));
    let start = time::now();
    let token = tokens.issue(Arc::clone(&ada), start);
    let owner = |now| tokens.owner(&token, now).map(|bearer| bearer.user);
    let almost = LOGIN_FOR - Duration::from_secs(1);
    assert_eq!(owner(start + almost), Some(Arc::clone(&ada)));
    assert_eq!(owner(start + 2 * almost), Some(ada));
    assert_eq!(owner(start + 3 * LOGIN_FOR), None);
    assert!(tokens.owner("guess", start).is_none());
}

#[test]
fn a_named_token_ends_when_it_was_said_and_has_its_scopes() {
    let (tokens, start) = (Tokens::default(), time::now());
    let (_, token) = tokens.create(user("ada"), named("gateway", 2 * HOUR), start).unwrap();
    assert_eq!(tokens.owner(&token, start + HOUR).unwrap().scopes.names(), ["write"]);
    assert!(tokens.owner(&token, start + 2 * HOUR).is_none());
}

#[test]
fn many_logins_of_a_user_end_the_users_own_and_no_named_one() {
    let (tokens, start) = (Tokens::default(), time::now());
    let (ada, bob) = (user("ada"), user("bob"));
    let of_bob = tokens.issue(bob, start);
    let (_, gateway) = tokens.create(Arc::clone(&ada), named("gateway", 2 * HOUR), start).unwrap();
    let issue = |index: usize| tokens.issue(Arc::clone(&ada), start + Duration::from_millis(index as u64));
    let (first, second) = (issue(0), issue(1));
    (2..LOGINS_MAX).for_each(|index| drop(issue(index)));
    let later = start + HOUR;
    assert!(tokens.owner(&first, later).is_some());
    issue(LOGINS_MAX);
    assert!(tokens.owner(&second, later).is_none());
    for kept in [&first, &gateway, &of_bob] {
        assert!(tokens.owner(kept, later).is_some());
    }
    assert_eq!(tokens.lock().0.len(), LOGINS_MAX + 2);
}

#[test]
fn too_many_named_tokens_are_refused() {
    let (tokens, ada, start) = (Tokens::default(), user("ada"), time::now());
    let create = |user: &Arc<User>, now| tokens.create(Arc::clone(user), named("t", HOUR), now);
    (0..NAMED_MAX).for_each(|_| assert!(create(&ada, start).is_some()));
    assert!(create(&ada, start).is_none());
    assert!(create(&user("bob"), start).is_some());
    assert!(create(&ada, start + HOUR).is_some());
}

#[test]
fn a_user_lists_and_revokes_the_own_tokens() {
    let (tokens, start) = (Tokens::default(), time::now());
    let (_, of_ada) = tokens.create(user("ada"), named("gateway", HOUR), start).unwrap();
    tokens.issue(user("bob"), start);
    assert_eq!(tokens.list(None, start).len(), 2);
    let [listed] = &tokens.list(Some("ada"), start)[..] else { panic!("not one") };
    assert_eq!((listed.name.as_deref(), listed.lasts), (Some("gateway"), HOUR));
    assert!(!tokens.revoke(listed.id, Some("bob")));
    assert!(tokens.revoke(listed.id, Some("ada")));
    assert!(tokens.owner(&of_ada, start).is_none());
    assert!(!tokens.revoke(listed.id, None));
}

#[test]
fn the_end_of_a_user_leaves_the_tokens_of_others() {
    let (tokens, start) = (Tokens::default(), time::now());
    let (ada, bob) = (user("ada"), user("bob"));
    let (of_ada, of_bob) = (tokens.issue(Arc::clone(&ada), start), tokens.issue(bob, start));
    tokens.end(&ada);
    assert!(tokens.owner(&of_ada, start).is_none());
    assert!(tokens.owner(&of_bob, start).is_some());
}

fn named(name: &str, lasts: Duration) -> NewToken {
    NewToken { name: name.to_owned(), scopes: [Permission::Write].into_iter().collect(), lasts }
}

fn user(name: &str) -> Arc<User> {
    let users = Users::parse(&format!("{name}:secret"), &[0; 32]).unwrap();
    Arc::clone(users.get(name).unwrap())
}
