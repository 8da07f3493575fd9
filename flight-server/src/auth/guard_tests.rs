//! Tests of logins, and of a file that changes.

use std::net::IpAddr;

use tempfile::TempDir;

use super::{
    super::{password, scopes::Scopes},
    *,
};
use hexflight_engine::time;

#[tokio::test]
async fn a_login_gives_a_token_that_is_good_for_calls_and_logins() {
    let (_folder, guard) = guard("ada:secret");
    let token = guard.login(basic("ada", "secret"), None).await.unwrap();
    let bearer = Credentials::Bearer(token.clone());
    assert_eq!(&*guard.check(bearer.clone(), None).await.unwrap().user.name, "ada");
    assert_eq!(guard.login(bearer, None).await, Ok(token));
    assert_eq!(guard.login(basic("ada", "Secret"), None).await, Err(Denied::WrongLogin));
    let guess = Credentials::Bearer("guess".to_owned());
    assert_eq!(guard.login(guess, None).await, Err(Denied::StaleToken));
}

#[tokio::test]
async fn a_right_password_is_remembered_until_the_line_changes() {
    let (_folder, guard) = guard(&line("ada", "secret"));
    assert!(guard.logins.recall(&guard.users(), "ada", "secret").is_none());
    guard.check(basic("ada", "secret"), None).await.unwrap();
    assert!(guard.logins.recall(&guard.users(), "ada", "secret").is_some());
    assert!(guard.logins.recall(&guard.users(), "ada", "Secret").is_none());
    rewrite(&guard, &line("ada", "secret")).await;
    assert!(guard.logins.recall(&guard.users(), "ada", "secret").is_none());
}

#[tokio::test]
async fn who_is_removed_loses_tokens_and_connections_and_nobody_else_does() {
    let (_folder, guard) = guard("ada:one\nbob:two");
    let (of_ada, of_bob) = (peer(), peer());
    let ada = guard.login(basic("ada", "one"), Some(&of_ada)).await.unwrap();
    let bob = guard.login(basic("bob", "two"), Some(&of_bob)).await.unwrap();
    rewrite(&guard, "bob:two").await;
    assert!(of_ada.is_closed() && !of_bob.is_closed());
    assert_eq!(refusal(&guard, Credentials::Bearer(ada)).await, Some(Denied::StaleToken));
    assert!(guard.check(Credentials::Bearer(bob), None).await.is_ok());
    assert_eq!(refusal(&guard, basic("ada", "one")).await, Some(Denied::WrongLogin));
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_users() {
    let (_folder, guard) = guard("ada:one");
    for bad in ["ada", "", "# nobody"] {
        rewrite(&guard, bad).await;
        assert!(guard.check(basic("ada", "one"), None).await.is_ok(), "{bad}");
    }
}

#[tokio::test]
async fn guesses_are_slowed_and_a_password_that_was_right_is_not() {
    let (_folder, guard) = guard("ada:one\nbob:two");
    let peer = peer();
    guard.check(basic("ada", "one"), Some(&peer)).await.unwrap();
    for _ in 0..10 {
        let refused = guard.check(basic("ada", "guess"), Some(&peer)).await.err();
        assert_eq!(refused, Some(Denied::WrongLogin));
    }
    let slowed = guard.check(basic("ada", "guess"), Some(&peer)).await.err();
    assert!(matches!(slowed, Some(Denied::TooManyFailures(_))), "{slowed:?}");
    assert!(guard.check(basic("ada", "one"), Some(&peer)).await.is_ok());
    assert!(guard.check(basic("bob", "two"), Some(&peer)).await.is_ok());
}

#[tokio::test]
async fn a_token_that_ends_takes_its_connections_along() {
    let (_folder, guard) = guard("ada:one");
    let new = |lasts| NewToken { name: "gateway".to_owned(), scopes: Scopes::all(), lasts };
    let by_password = peer();
    guard.check(basic("ada", "one"), Some(&by_password)).await.unwrap();

    let (id, token) = guard.create_token("ada", new(Duration::from_hours(1))).unwrap();
    let (by_token, bearer) = (peer(), Credentials::Bearer(token));
    assert_eq!(guard.check(bearer.clone(), Some(&by_token)).await.unwrap().token, Some(id));
    assert!(guard.revoke(id, Some("ada")));
    assert!(by_token.is_closed());
    assert_eq!(refusal(&guard, bearer).await, Some(Denied::StaleToken));

    let (_, short) = guard.create_token("ada", new(Duration::from_millis(50))).unwrap();
    let by_short = peer();
    guard.check(Credentials::Bearer(short), Some(&by_short)).await.unwrap();
    time::sleep(Duration::from_millis(60)).await;
    guard.end_tokens();
    assert!(by_short.is_closed() && !by_password.is_closed());
}

#[tokio::test]
async fn guesses_that_came_together_are_not_all_looked_at() {
    let (_folder, guard) = guard("ada:one");
    let peer = peer();
    let guesses = (0..40).map(|guess| {
        let guess = basic("ada", &format!("guess {guess}"));
        let (guard, peer) = (&guard, &peer);
        async move { guard.check(guess, Some(peer)).await.err() }
    });
    let refusals = futures::future::join_all(guesses).await;
    let looked_at = refusals.iter().filter(|refusal| **refusal == Some(Denied::WrongLogin)).count();
    assert!((10..14).contains(&looked_at), "{looked_at}");
}

#[test]
fn one_network_leaves_places_to_others() {
    let (_folder, guard) = guard("ada:one");
    let at = |host| Some(IpAddr::from([10, 0, 0, host]));
    let places: Vec<_> = std::iter::from_fn(|| guard.logins.place(at(1))).collect();
    assert_eq!(places.len(), 128);
    assert!(guard.logins.place(at(2)).is_some());
    drop(places);
    assert!(guard.logins.place(at(1)).is_some());
}

async fn refusal(guard: &Guard, credentials: Credentials) -> Option<Denied> {
    guard.check(credentials, None).await.err()
}

fn guard(text: &str) -> (TempDir, Arc<Guard>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users");
    users_file::replace(&path, text).unwrap();
    (folder, Arc::new(Guard::of_file(path).unwrap()))
}

async fn rewrite(guard: &Arc<Guard>, text: &str) {
    users_file::replace(&guard.path, text).unwrap();
    // What is wrong is said by who looks at the file.
    let _refused = guard.reload().await;
}

fn line(name: &str, password: &str) -> String {
    format!("{name}:read:{}", password::hash(password).unwrap())
}

fn basic(user: &str, password: &str) -> Credentials {
    Credentials::Basic { user: user.to_owned(), password: password.to_owned() }
}

fn peer() -> Peer {
    Peer::new(([127, 0, 0, 1], 1).into())
}
