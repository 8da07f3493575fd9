//! Tests of logins, and of a file that changes.

use tempfile::TempDir;

use super::{super::password, *};

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
    guard.reload().await;
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
