//! `glaux user`: manages who may log in to the server with a password, and their groups. A running server notices changes within a second.

use std::{
    io::{self, BufRead, IsTerminal},
    path::Path,
};

use clap::{Args, Subcommand};
use glaux_engine::{Error, ErrorKind, Result};

use super::{options::CommonOptions, say::say, stop::Stop};
use crate::auth::{
    passwords,
    users::{self, User, UserMap},
};

/// Add, change and list the users who may log in to the server
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  glaux user add ada --admin                            asks for a password, twice
  echo \"$PASSWORD\" | glaux user add bea --group analysts --workgroup bi --password-stdin
  glaux user add robot --no-password                    known by its client certificate alone
  glaux user disable bea                                also ends the tokens that bea has

Users are kept in users.toml in the data directory (auth.users_file), passwords as Argon2 hashes. The server asks for them if
auth.identity is \"users\". A server that runs takes changes up within a second.")]
pub(crate) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user; --workgroup binds their queries to a workgroup
    Add {
        /// The name that the user logs in with
        name: String,
        /// The user may do everything
        #[arg(long)]
        admin: bool,
        /// A group that the user is in; may be repeated
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        #[command(flatten)]
        password: PasswordArgs,
        /// Add a user without a password, who logs in with a client certificate
        #[arg(long, conflicts_with = "password_stdin")]
        no_password: bool,
    },
    /// Give a user another password; the tokens issued for the old one end
    Passwd {
        /// The user
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Remove a user; their tokens end
    Remove {
        /// The user
        name: String,
    },
    /// List the users
    List,
    /// Disable a user, and end their tokens
    Disable {
        /// The user
        name: String,
    },
    /// Let a disabled user in again
    Enable {
        /// The user
        name: String,
    },
}

#[derive(Debug, Args)]
struct PasswordArgs {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
}

pub(crate) fn run(options: &CommonOptions, args: &UserArgs) -> Result<(), Stop> {
    let loaded = options.load()?;
    let path = loaded.auth.users_path(&loaded.engine.data_dir);
    let done = match &args.command {
        UserCommand::Add { name, admin, groups, password, no_password } => {
            let workgroup = options.overrides().workgroup;
            let user = User { groups: groups.clone(), administrator: *admin, workgroup, ..User::default() };
            add(&path, name, user, (!no_password).then_some(password))?;
            format!("added user \"{name}\"")
        }
        UserCommand::Passwd { name, password } => {
            existing(&mut users::read(&path)?, name)?;
            let hash = passwords::hash(&ask(name, password)?)?;
            change(&path, name, |user| user.password = Some(hash))?;
            format!("changed the password of user \"{name}\"")
        }
        UserCommand::Remove { name } => {
            users::edit(&path, |users| {
                existing(users, name)?;
                users.remove(name);
                Ok(())
            })?;
            format!("removed user \"{name}\"")
        }
        UserCommand::Disable { name } => {
            change(&path, name, |user| user.disabled = true)?;
            format!("disabled user \"{name}\"")
        }
        UserCommand::Enable { name } => {
            change(&path, name, |user| user.disabled = false)?;
            format!("enabled user \"{name}\"")
        }
        UserCommand::List => return list(&users::read(&path)?),
    };
    Ok(say(&done)?)
}

fn add(path: &Path, name: &str, user: User, password: Option<&PasswordArgs>) -> Result<()> {
    users::check_name(name)?;
    for group in user.groups.iter().chain(&user.workgroup) {
        if group.is_empty() || group.trim() != group || group.contains(char::is_control) {
            return Err(Error::invalid(format!("\"{}\" is not a valid group or workgroup name", group.escape_debug())));
        }
    }
    // Refused before anybody types a password, and once more under the lock.
    absent(&users::read(path)?, name)?;
    let password = password.map(|password| passwords::hash(&ask(name, password)?)).transpose()?;
    users::edit(path, |users| {
        absent(users, name)?;
        users.insert(name.to_owned(), User { password, ..user });
        Ok(())
    })
}

fn absent(users: &UserMap, name: &str) -> Result<()> {
    if users.contains_key(name) {
        return Err(Error::already_exists(format!("user \"{name}\" already exists"))
            .with_hint("`glaux user passwd` changes the password; remove the user to start over"));
    }
    Ok(())
}

fn existing<'a>(users: &'a mut UserMap, name: &str) -> Result<&'a mut User> {
    let missing =
        || Error::not_found(format!("user \"{}\" does not exist", name.escape_debug())).with_hint("`glaux user list` lists them");
    users.get_mut(name).ok_or_else(missing)
}

fn change(path: &Path, name: &str, change: impl FnOnce(&mut User)) -> Result<()> {
    users::edit(path, |users| {
        change(existing(users, name)?);
        Ok(())
    })
}

/// The new password: from standard input, or asked for twice on a terminal.
fn ask(name: &str, args: &PasswordArgs) -> Result<String> {
    let unread = |error: io::Error| Error::new(ErrorKind::Unavailable, "cannot read the password").with_source(error);
    if args.password_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(unread)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    if !io::stdin().is_terminal() {
        return Err(Error::invalid("there is no terminal to ask for a password on")
            .with_hint("Send it on standard input with --password-stdin"));
    }
    let first = rpassword::prompt_password(format!("Password of {name}: ")).map_err(unread)?;
    let second = rpassword::prompt_password("Once more: ").map_err(unread)?;
    if first != second {
        return Err(Error::invalid("the two passwords differ").with_hint("Try again"));
    }
    Ok(first)
}

fn list(users: &UserMap) -> Result<(), Stop> {
    for (name, user) in users {
        let mut words = Vec::new();
        if user.administrator {
            words.push("administrator".to_owned());
        }
        if !user.groups.is_empty() {
            words.push(format!("groups: {}", user.groups.join(", ")));
        }
        words.extend(user.workgroup.as_ref().map(|workgroup| format!("workgroup: {workgroup}")));
        if user.password.is_none() {
            words.push("no password".to_owned());
        }
        if user.disabled {
            words.push("disabled".to_owned());
        }
        say(format!("{name}\t{}", words.join("; ")).trim_end())?;
    }
    Ok(())
}
