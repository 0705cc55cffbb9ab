//! Workgroups in memory.

use async_trait::async_trait;

use super::state::MemoryMetastore;
use crate::{
    error::Result,
    metastore::{PutWorkgroup, Workgroups, rules},
    model::Workgroup,
};

#[async_trait]
impl Workgroups for MemoryMetastore {
    async fn workgroups(&self) -> Result<Vec<Workgroup>> {
        Ok(self.read().workgroups.values().cloned().collect())
    }

    async fn workgroup(&self, name: &str) -> Result<Workgroup> {
        let state = self.read();
        state.workgroups.get(name).cloned().ok_or_else(|| rules::no_workgroup(name, state.workgroups.keys().map(String::as_str)))
    }

    async fn put_workgroup(&self, workgroup: Workgroup, mode: PutWorkgroup<'_>) -> Result<()> {
        let workgroup = rules::checked_workgroup(workgroup)?;
        let mut state = self.write();
        match (mode, state.workgroups.get(&workgroup.name)) {
            (PutWorkgroup::Create, Some(_)) => return Err(rules::workgroup_exists(&workgroup.name)),
            (PutWorkgroup::Replace(seen), Some(now)) if seen != now => return Err(rules::workgroup_changed(&workgroup.name)),
            (PutWorkgroup::Replace(_), None) => {
                return Err(rules::no_workgroup(&workgroup.name, state.workgroups.keys().map(String::as_str)));
            }
            (PutWorkgroup::Create, None) | (PutWorkgroup::Replace(_), Some(_)) => {}
        }
        state.workgroups.insert(workgroup.name.clone(), workgroup);
        Ok(())
    }

    async fn remove_workgroup(&self, name: &str) -> Result<()> {
        if name == Workgroup::PRIMARY {
            return Err(rules::keep_primary_workgroup());
        }
        let mut state = self.write();
        match state.workgroups.remove(name) {
            Some(_) => Ok(()),
            None => Err(rules::no_workgroup(name, state.workgroups.keys().map(String::as_str))),
        }
    }
}
