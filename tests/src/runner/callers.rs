//! The users of a `.slt` file: `connection ada@analysts+more` is the user `ada` in two groups, who is no administrator.

use std::path::Path;

use sqllogictest::{Connection, DefaultColumnType, Record};

/// A user and the groups they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) user: String,
    pub(super) groups: Vec<String>,
}

impl Caller {
    fn parse(name: &str) -> Self {
        let (user, groups) = name.split_once('@').unwrap_or((name, ""));
        let groups = groups.split('+').filter(|group| !group.is_empty()).map(str::to_owned).collect();
        Self { user: user.to_owned(), groups }
    }
}

/// Who connects, in the order of the file, which is that in which the runner makes its connections; `None` is the administrator of the
/// default connection.
///
/// # Errors
/// What does not parse; a user who is in other groups at another place, which a server's users cannot be.
pub(super) fn of(file: &Path) -> Result<Vec<Option<Caller>>, String> {
    let records = sqllogictest::parse_file::<DefaultColumnType>(file).map_err(|error| error.to_string())?;
    let mut callers: Vec<Option<Caller>> = Vec::new();
    for record in records {
        let (Record::Statement { connection, .. } | Record::Query { connection, .. }) = record else { continue };
        let caller = match connection {
            Connection::Default => None,
            Connection::Named(name) => Some(Caller::parse(&name)),
        };
        if callers.contains(&caller) {
            continue;
        }
        if let Some(caller) = &caller
            && callers.iter().flatten().any(|other| other.user == caller.user)
        {
            return Err(format!("user {} is in other groups elsewhere in the file", caller.user));
        }
        callers.push(caller);
    }
    Ok(callers)
}
