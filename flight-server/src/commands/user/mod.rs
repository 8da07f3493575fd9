//! `hexflight user`: adds, changes, removes and lists the users of `auth_file`. A running server takes the change over by itself.

mod terminal;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::terminal::ask_password;
use crate::{
    auth::{Role, add_user, list_users, remove_user},
    console::{self, CliError},
};

/// What to do with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or give one a new password
    ///
    /// The password is asked for, or read from stdin: one line.
    Add(AddArgs),
    /// Remove a user; a running server ends its tokens and connections
    Remove(RemoveArgs),
    /// List users and their roles
    List(ListArgs),
}

/// Arguments of `user add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Name of the user
    name: String,
    /// What the user may do: ask, also send events, also see and end what others do [default: as before, or read]
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// File of the users
    #[arg(long, value_name = "FILE", env = "HEXFLIGHT_AUTH_FILE")]
    auth_file: PathBuf,
}

/// Arguments of `user remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Name of the user
    name: String,
    /// File of the users
    #[arg(long, value_name = "FILE", env = "HEXFLIGHT_AUTH_FILE")]
    auth_file: PathBuf,
}

/// Arguments of `user list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// File of the users
    #[arg(long, value_name = "FILE", env = "HEXFLIGHT_AUTH_FILE")]
    auth_file: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// `AuthFile` with what is wrong and what to do.
pub(crate) fn run(command: UserCommand) -> Result<(), CliError> {
    let (path, done) = match command {
        UserCommand::Add(args) => (args.auth_file.clone(), add(&args)),
        UserCommand::Remove(args) => (args.auth_file.clone(), remove(&args)),
        UserCommand::List(args) => (args.auth_file.clone(), list(&args)),
    };
    for line in done.map_err(|detail| CliError::AuthFile { path, detail })? {
        console::say(&line)?;
    }
    Ok(())
}

fn add(args: &AddArgs) -> Result<Vec<String>, String> {
    let password = ask_password(&args.name).map_err(|error| format!("no password was given: {error}"))?;
    let role = add_user(&args.auth_file, &args.name, args.role, &password)?;
    Ok(vec![format!("user '{}' has the role {role}", args.name)])
}

fn remove(args: &RemoveArgs) -> Result<Vec<String>, String> {
    remove_user(&args.auth_file, &args.name)?;
    Ok(vec![format!("user '{}' is removed", args.name)])
}

fn list(args: &ListArgs) -> Result<Vec<String>, String> {
    let note = |is_in_the_clear| if is_in_the_clear { "  (password in the clear)" } else { "" };
    let users = list_users(&args.auth_file)?.into_iter();
    Ok(users.map(|user| format!("{:<6}{}{}", user.role, user.name, note(user.is_in_the_clear))).collect())
}
