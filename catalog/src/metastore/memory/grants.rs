//! Grants in memory.

use async_trait::async_trait;

use super::state::MemoryMetastore;
use crate::{
    error::Result,
    metastore::{Grants, rules},
    model::{Access, Grant, GrantObject, Grantee},
};

#[async_trait]
impl Grants for MemoryMetastore {
    async fn grants(&self) -> Result<Vec<Grant>> {
        let grant = |((object, grantee), access): (&(GrantObject, Grantee), &Access)| Grant {
            object: object.clone(),
            grantee: grantee.clone(),
            access: *access,
        };
        Ok(self.read().grants.iter().map(grant).collect())
    }

    async fn set_grant(&self, grant: Grant) -> Result<()> {
        let grant = rules::checked_grant(grant)?;
        let mut state = self.write();
        match &grant.object {
            GrantObject::Catalog => {}
            GrantObject::Database(name) => {
                state.database(name)?;
            }
            GrantObject::Table(name) => {
                state.id(name)?;
            }
        }
        state.grants.insert((grant.object, grant.grantee), grant.access);
        Ok(())
    }

    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()> {
        let key = (object.folded(), grantee.clone());
        match self.write().grants.remove(&key) {
            Some(_) => Ok(()),
            None => Err(rules::no_grant(&key.0, grantee)),
        }
    }
}
