//! Tests of the lines of `auth_file`.

use super::*;

#[test]
fn lines_of_both_forms_are_read_and_verified() {
    let form = password::hash("se:cret \u{e9}!").unwrap();
    let text = format!("# readers\n\nada:se:cret \u{e9}!\r\n  # more\nbob:two words\neve:read:{form}\n");
    let users = Users::parse(&text, &random_key()).unwrap();
    let verified = |name, password| {
        users.verify(name, password, &mut Memory::default()).map(|user| (&*user.name, user.role))
    };
    assert_eq!(verified("ada", "se:cret \u{e9}!"), Some(("ada", Role::Admin)));
    assert_eq!(verified("bob", "two words"), Some(("bob", Role::Admin)));
    assert_eq!(verified("eve", "se:cret \u{e9}!"), Some(("eve", Role::Read)));
    let wrong = [("ada", "se"), ("ada", ""), ("Ada", "se:cret \u{e9}!"), ("", ""), ("ad", "ase:cret")];
    for (name, password) in wrong.into_iter().chain([("eve", "secret"), ("eve", &form), ("nobody", "nobody")])
    {
        assert_eq!(verified(name, password), None, "{name}");
    }
}

#[test]
fn a_password_may_look_a_little_like_a_hash() {
    let users = Users::parse("ada:read:secret\nbob:$argon2id$", &random_key()).unwrap();
    assert!(users.verify("ada", "read:secret", &mut Memory::default()).is_some());
    assert!(users.verify("bob", "$argon2id$", &mut Memory::default()).is_some());
}

#[test]
fn bad_lines_are_named_without_their_password() {
    let form = password::hash("hunter2").unwrap();
    let (cut, large) = (format!("ada:read:{}", &form[..40]), form.replace("m=19456", "m=99999"));
    let large = format!("ada:read:{large}");
    let cases = [
        ("ada:x\nbob", "line 2: must be name:role:hash"),
        (":hunter2", "line 1: the user before ':'"),
        (" ada:hunter2", "line 1: the user before ':'"),
        ("ada:", "line 1: the password of user 'ada' must not be empty"),
        ("ada:hunter2 ", "line 1: the password of user 'ada' must not"),
        ("ada:hunter2\n\nada:hunter2", "line 3: user 'ada' is on line 1 already"),
        (&cut, "line 1: the hash of user 'ada' cannot be read"),
        (&large, "line 1: the hash of user 'ada' takes more than 19 MiB"),
        ("# only comments\n", "names no user"),
    ];
    for (text, expected) in cases {
        let error = Users::parse(text, &random_key()).unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("hunter2") && !error.contains("$argon2id"), "{error}");
    }
}

#[test]
fn a_fingerprint_changes_with_the_line_and_the_password() {
    let key = random_key();
    let of = |text: &str| Arc::clone(Users::parse(text, &key).unwrap().get("ada").unwrap());
    let (first, again, changed) = (of("ada:one"), of("ada:one"), of("ada:two"));
    assert_eq!(first, again);
    assert_ne!(first, changed);
    assert_eq!(first.fingerprint(&key, "one"), again.fingerprint(&key, "one"));
    assert_ne!(first.fingerprint(&key, "one"), first.fingerprint(&key, "two"));
    assert_ne!(first.fingerprint(&key, "one"), changed.fingerprint(&key, "one"));
}
