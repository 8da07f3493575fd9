//! Changes of the file of users, as `hexflight user` asks for them. All lines that are not concerned stay as they are.

use std::path::Path;

use super::{
    password,
    role::Role,
    users::{Line, LineSecret, check_name, check_password, is_user},
    users_file,
};

/// A user of the file, for people.
#[derive(Debug)]
pub(crate) struct ListedUser {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whether the file has the password in the clear.
    pub(crate) is_in_the_clear: bool,
}

/// Adds a user, or gives one another password and, if one is given, another role; returns the role.
///
/// # Errors
/// What is wrong with the file, the name or the password.
pub(crate) fn add_user(path: &Path, name: &str, role: Option<Role>, password: &str) -> Result<Role, String> {
    check_name(name)?;
    check_password(password).map_err(|rule| format!("the password {rule}"))?;
    let text = if path.exists() { users_file::read(path)? } else { String::new() };
    check_lines(&text)?;
    let (text, role) = with_user(&text, name, role, &password::hash(password)?);
    users_file::replace(path, &text)?;
    Ok(role)
}

/// Removes a user.
///
/// # Errors
/// What is wrong with the file; a user that it does not have.
pub(crate) fn remove_user(path: &Path, name: &str) -> Result<(), String> {
    let text = users_file::read(path)?;
    check_lines(&text)?;
    users_file::replace(path, &without_user(&text, name)?)
}

/// The users, in the order of the file.
///
/// # Errors
/// What is wrong with the file.
pub(crate) fn list_users(path: &Path) -> Result<Vec<ListedUser>, String> {
    let text = users_file::read(path)?;
    check_lines(&text)?;
    let listed = users(&text).map(|line| ListedUser {
        name: line.name.to_owned(),
        role: line.role,
        is_in_the_clear: matches!(line.secret, LineSecret::Password(_)),
    });
    Ok(listed.collect())
}

fn check_lines(text: &str) -> Result<(), String> {
    for (index, line) in text.lines().enumerate().filter(|(_, line)| is_user(line)) {
        Line::parse(line).map_err(|rule| format!("line {}: {rule}", index + 1))?;
    }
    Ok(())
}

fn users(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter(|line| is_user(line)).filter_map(|line| Line::parse(line).ok())
}

fn is_of(line: &str, name: &str) -> bool {
    is_user(line) && Line::parse(line).is_ok_and(|line| line.name == name)
}

/// The text with a user added or changed, and the user's role.
fn with_user(text: &str, name: &str, role: Option<Role>, hash: &str) -> (String, Role) {
    let before = users(text).find(|line| line.name == name).map(|line| line.role);
    let role = role.or(before).unwrap_or(Role::Read);
    let new = format!("{name}:{role}:{hash}");
    let mut lines: Vec<&str> =
        text.lines().map(|line| if is_of(line, name) { new.as_str() } else { line }).collect();
    if before.is_none() {
        lines.push(&new);
    }
    (lines.join("\n") + "\n", role)
}

fn without_user(text: &str, name: &str) -> Result<String, String> {
    if !users(text).any(|line| line.name == name) {
        return Err(format!("has no user '{name}'"));
    }
    if users(text).count() == 1 {
        // A server that is told of no user at all takes the file for a mistake and goes on with those it knows.
        return Err(format!("'{name}' is its only user; add another one first"));
    }
    let lines: Vec<&str> = text.lines().filter(|line| !is_of(line, name)).collect();
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_added_changed_and_removed_and_all_else_stays() {
        let (one, two) = (password::hash("one").unwrap(), password::hash("two").unwrap());
        let text = "# people\n\nada:secret\n";
        let (text, role) = with_user(text, "bob", None, &one);
        assert_eq!(
            (text.as_str(), role),
            (format!("# people\n\nada:secret\nbob:read:{one}\n").as_str(), Role::Read)
        );
        let (text, role) = with_user(&text, "ada", None, &two);
        assert_eq!(role, Role::Admin);
        let (text, _) = with_user(&text, "bob", Some(Role::Write), &two);
        assert_eq!(text, format!("# people\n\nada:admin:{two}\nbob:write:{two}\n"));
        assert_eq!(without_user(&text, "ada").unwrap(), format!("# people\n\nbob:write:{two}\n"));
        assert!(without_user(&text, "eve").unwrap_err().contains("no user 'eve'"));
        assert!(without_user("ada:secret\n", "ada").unwrap_err().contains("only user"));
    }
}
