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
                let queries = if count == 1 { "query runs or waits" } else { "queries run or wait" };
                let what = format!("{count} {queries} in it, such as {id} of user \"{user}\"");
                Err(refused(ErrorKind::Conflict, &what)
                    .with_hint("Wait until they have ended, or KILL QUERY. ALTER WORKGROUP ... DISABLE keeps others out of it"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accounting::Tariffs, clock::system_clock, lifecycle::History};

    /// What the workgroup `bi` is assigned to.
    #[derive(Debug)]
    struct Held(&'static [&'static str]);

    impl WorkgroupAssignments for Held {
        fn holders(&self, workgroup: &str) -> Result<Vec<String>> {
            let holders = self.0.iter().filter(|_| workgroup == "bi");
            Ok(holders.map(|holder| (*holder).to_owned()).collect())
        }
    }

    #[test]
    fn an_assigned_workgroup_is_in_use() {
        let history = Arc::new(History::in_memory().unwrap());
        let queries = Arc::new(QueryManager::new(history, Tariffs::default(), 4, system_clock()));
        let of = |holders: &'static [&'static str]| WorkgroupsInUse::new(&queries, Some(Arc::new(Held(holders))));
        of(&[]).check_unused("bi").unwrap();
        of(&["user \"ada\""]).check_unused("etl").unwrap();
        let error = of(&["user \"ada\"", "a", "b", "c", "d"]).check_unused("bi").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.message(), "workgroup \"bi\" is in use: it is assigned to user \"ada\", a, b and 2 more");
        WorkgroupsInUse::new(&queries, None).check_unused("bi").unwrap();
    }
}
