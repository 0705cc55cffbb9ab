//! What workgroups are assigned to by the file of users and by the configuration, so that none of these is dropped.

use std::path::PathBuf;

use glaux_engine::{Result, WorkgroupAssignments};

use super::users;

/// The assignments of a data directory.
#[derive(Debug)]
pub(crate) struct Assigned {
    /// The file of users, read when it is asked for.
    pub(crate) users: PathBuf,
    /// The workgroup that new sessions begin in.
    pub(crate) of_sessions: Option<String>,
}

impl WorkgroupAssignments for Assigned {
    fn holders(&self, workgroup: &str) -> Result<Vec<String>> {
        let users = users::read(&self.users)?;
        let bound = users.iter().filter(|(_, user)| user.workgroup.as_deref() == Some(workgroup));
        let mut holders: Vec<String> = bound.map(|(name, _)| format!("user \"{name}\"")).collect();
        if self.of_sessions.as_deref() == Some(workgroup) {
            holders.push("new sessions (session.workgroup)".to_owned());
        }
        Ok(holders)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn users_and_new_sessions_hold_their_workgroups() {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users.toml");
        let assigned = Assigned { users: users.clone(), of_sessions: Some("etl".to_owned()) };
        assert!(assigned.holders("bi").unwrap().is_empty(), "there are no users yet");
        let file = "[users.ada]\nworkgroup = \"bi\"\n[users.bea]\n[users.eve]\nworkgroup = \"bi\"\ndisabled = true\n";
        fs::write(&users, file).unwrap();
        assert_eq!(assigned.holders("bi").unwrap(), ["user \"ada\"", "user \"eve\""]);
        assert_eq!(assigned.holders("etl").unwrap(), ["new sessions (session.workgroup)"]);
        assert!(assigned.holders("BI").unwrap().is_empty());
        fs::write(&users, "[users.ada]\nworkgroup = 5\n").unwrap();
        assert!(assigned.holders("bi").is_err());
    }
}
