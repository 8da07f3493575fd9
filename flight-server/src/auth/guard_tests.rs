//! Tests of logins, and of a file that changes.

use tempfile::TempDir;

use super::{super::password, *};

#[tokio::test]
async fn a_login_gives_a_token_that_is_good_for_calls_and_logins() {
    let (_folder, guard) = guard("ada:secret");
    let token = guard.login(basic("ada", "secret"), None).await.unwrap();
    let bearer = Credentials::Bearer(token.clone());
    assert_eq!(&*guard.check(bearer.clone(), None).await.unwrap().name, "ada");
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
    assert_eq!(guard.check(Credentials::Bearer(ada), None).await, Err(Denied::StaleToken));
    assert!(guard.check(Credentials::Bearer(bob), None).await.is_ok());
    assert_eq!(guard.check(basic("ada", "one"), None).await, Err(Denied::WrongLogin));
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_users() {
    let (_folder, guard) = guard("ada:one");
    for bad in ["ada", "", "# nobody"] {
        rewrite(&guard, bad).await;
        assert!(guard.check(basic("ada", "one"), None).await.is_ok(), "{bad}");
    }
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
