//! What a workgroup is in use by, which keeps it from being dropped.

use std::{
    fmt::Debug,
    sync::{Arc, Weak},
};

use crate::{
    error::{Error, ErrorKind, Result},
    lifecycle::QueryManager,
};

/// Holders that an error names.
const SHOWN: usize = 3;

/// What a front end assigns workgroups to.
pub trait WorkgroupAssignments: Debug + Send + Sync {
    /// What a workgroup is assigned to, in the words of an error: `user "ada"`.
    ///
    /// # Errors
    /// What keeps it from being known.
    fn holders(&self, workgroup: &str) -> Result<Vec<String>>;
}

/// What the workgroups of a catalog are in use by, as far as this process knows.
#[derive(Debug)]
pub(crate) struct WorkgroupsInUse {
    /// Of an engine that may have ended.
    queries: Weak<QueryManager>,
    assignments: Option<Arc<dyn WorkgroupAssignments>>,
}

impl WorkgroupsInUse {
    pub(crate) fn new(queries: &Arc<QueryManager>, assignments: Option<Arc<dyn WorkgroupAssignments>>) -> Arc<Self> {
        Arc::new(Self { queries: Arc::downgrade(queries), assignments })
    }

    /// # Errors
    /// `Invalid` for a workgroup that is assigned, `Conflict` for one in which queries run or wait.
    pub(super) fn check_unused(&self, workgroup: &str) -> Result<()> {
        let refused = |kind, what: &str| Error::new(kind, format!("workgroup \"{workgroup}\" is in use: {what}"));
        let holders = self.assignments.as_ref().map_or_else(|| Ok(Vec::new()), |known| known.holders(workgroup))?;
        if !holders.is_empty() {
            let shown = holders.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if holders.len() > SHOWN { format!(" and {} more", holders.len() - SHOWN) } else { String::new() };
            return Err(refused(ErrorKind::Invalid, &format!("it is assigned to {shown}{more}"))
                .with_hint("Assign another workgroup to them first. ALTER WORKGROUP ... DISABLE keeps queries out of it"));
        }
        let mut running = self.queries.upgrade().map(|queries| queries.list_running()).unwrap_or_default();
        running.retain(|query| query.workgroup == workgroup);
        match &running[..] {
            [] => Ok(()),
            [first, ..] => {
                let (count, id, user) = (running.len(), first.query_id, &first.user);
                let what = format!("{count} queries run or wait in it, such as {id} of user \"{user}\"");
                Err(refused(ErrorKind::Conflict, &what)
                    .with_hint("Wait until they have ended, or KILL QUERY. ALTER WORKGROUP ... DISABLE keeps others out of it"))
            }
        }
    }
}
