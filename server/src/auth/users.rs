//! The file of users: read at the start and whenever it changes, changed by `glaux user` under a lock. Passwords are checked elsewhere.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use argon2::password_hash::PasswordHash;
use chrono::{DateTime, TimeDelta, Utc};
use glaux_engine::{Error, Result, clock::Clock};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{
    passwords::{self, PasswordText},
    secret_file,
};
use crate::{diagnostic::io_error, file_stamp::FileStamp};

const HEADER: &str = "# Users of Glaux. `glaux user` writes this file, and comments in it are lost then.\n\n";

/// Bytes of the longest name.
const MAX_NAME: usize = 128;

/// A user as the file has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct User {
    /// Argon2id in PHC's format; a user without one comes with a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<PasswordText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) administrator: bool,
    /// The workgroup that the user is bound to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) workgroup: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) disabled: bool,
}

const fn is_false(value: &bool) -> bool {
    !*value
}

/// Users by name.
pub(crate) type UserMap = BTreeMap<String, User>;

/// The file as it is read: hashes know their place, so that a bad one can be pointed at without being shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    #[serde(default)]
    users: BTreeMap<Spanned<String>, WrittenUser>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUser {
    password: Option<Spanned<String>>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    administrator: bool,
    workgroup: Option<String>,
    #[serde(default)]
    disabled: bool,
}

/// The users of a server, which follow their file.
#[derive(Debug)]
pub(crate) struct Users {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    users: Arc<UserMap>,
    stamp: Option<FileStamp>,
    checked: DateTime<Utc>,
}

impl Users {
    /// Reads the file; one that does not exist has no users yet.
    ///
    /// # Errors
    /// `CorruptData`, naming file and line; what the file system says.
    pub(crate) fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self> {
        // The stamp is taken first: a change between the two is then seen again, rather than missed.
        let stamp = FileStamp::of(path);
        let state = State { users: Arc::new(read(path)?), stamp, checked: clock.now() };
        Ok(Self { path: path.to_owned(), clock, state: Mutex::new(state) })
    }

    /// The users as they are now, or were up to a second ago. A file that is damaged or gone leaves those that were read last.
    pub(crate) fn current(&self) -> Arc<UserMap> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        // A clock that was put back looks again, too.
        if (now - state.checked).abs() >= TimeDelta::seconds(1) {
            state.checked = now;
            self.reload_if_changed(&mut state);
        }
        Arc::clone(&state.users)
    }

    fn reload_if_changed(&self, state: &mut State) {
        let stamp = FileStamp::of(&self.path);
        if stamp == state.stamp {
            return;
        }
        // Noted even if the file is damaged: it is complained of once for each change.
        state.stamp = stamp;
        match read(&self.path) {
            Ok(_) if stamp.is_none() => {
                tracing::error!(file = %self.path.display(), "the file of users is missing; those read last stay in use");
            }
            Ok(users) => {
                tracing::info!(file = %self.path.display(), users = users.len(), "loaded the changed file of users");
                state.users = Arc::new(users);
            }
            Err(error) => tracing::error!("the users that were read last stay in use: {error:?}"),
        }
    }
}

/// Changes the file, one process at a time; nothing is written if the change fails.
///
/// # Errors
/// As the change, and as [`read`].
pub(crate) fn edit<T>(path: &Path, change: impl FnOnce(&mut UserMap) -> Result<T>) -> Result<T> {
    #[derive(Serialize)]
    struct File<'a> {
        users: &'a UserMap,
    }
    let _lock = secret_file::lock(path)?;
    let mut users = read(path)?;
    let answer = change(&mut users)?;
    let text = toml::to_string(&File { users: &users })
        .map_err(|error| Error::internal("cannot write the users as TOML").with_source(error))?;
    secret_file::replace(path, format!("{HEADER}{text}").as_bytes())?;
    Ok(answer)
}

/// Reads the file; one that does not exist has no users.
///
/// # Errors
/// `CorruptData`, naming file and line, never showing what stands there; what the file system says.
pub(crate) fn read(path: &Path) -> Result<UserMap> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(UserMap::new()),
        Err(error) => return Err(io_error("read the users in", path, error)),
    };
    if let Ok(metadata) = fs::metadata(path) {
        secret_file::warn_if_readable_by_others(path, &metadata);
    }
    let damaged = |at: Option<std::ops::Range<usize>>, what: &str| {
        let line =
            at.map_or(1, |at| text.as_bytes()[..at.start.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1);
        Error::corrupt(format!("the file of users \"{}\" is damaged in line {line}: {what}", path.display()))
            .with_hint("Correct the line, or put a copy of the file back")
    };
    // The parser's whole text would show the line, and with it a hash.
    let written: WrittenFile = toml::from_str(&text).map_err(|error| damaged(error.span(), error.message()))?;
    let mut users = UserMap::new();
    for (name, user) in written.users {
        check_name(name.get_ref()).map_err(|error| damaged(Some(name.span()), error.message()))?;
        if let Some(password) = &user.password {
            let known = PasswordHash::new(password.get_ref()).is_ok_and(|hash| passwords::is_usable(&hash));
            if !known {
                return Err(damaged(Some(password.span()), "the password is not an Argon2 hash"));
            }
        }
        let WrittenUser { password, groups, administrator, workgroup, disabled } = user;
        let password = password.map(|password| PasswordText(password.into_inner()));
        users.insert(name.into_inner(), User { password, groups, administrator, workgroup, disabled });
    }
    Ok(users)
}

/// Refuses names that would be misread in a log, a header or a list.
///
/// # Errors
/// `Invalid`.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let refused = |why: &str| Err(Error::invalid(format!("the user name \"{}\" {why}", name.escape_debug())));
    match name {
        "" => refused("is empty"),
        _ if name.len() > MAX_NAME => Err(Error::invalid(format!("a user name is longer than {MAX_NAME} bytes"))),
        _ if name.contains(char::is_control) => refused("has a control character"),
        _ if name.contains(':') => refused("contains a colon, which separates user and password"),
        _ if name.trim() != name => refused("begins or ends with a space"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
