//! Grants as one caller sees and may change them.

use async_trait::async_trait;
use glaux_catalog::{
    metastore::Grants,
    model::{Access, Grant, GrantObject, Grantee},
};

use super::Guarded;
use crate::{access::rights::not_an_administrator, error::Result, session::Role};

#[async_trait]
impl Grants for Guarded {
    /// Those for the caller, on what the caller sees.
    async fn grants(&self) -> Result<Vec<Grant>> {
        let (moment, rights) = (self.moment(), self.rights().await?);
        let mut grants = self.catalog.grants().await?;
        if moment.caller.role == Role::Administrator {
            return Ok(grants);
        }
        grants.retain(|grant| moment.caller.is_meant(&grant.grantee) && rights.on(&grant.object) > Access::None);
        Ok(grants)
    }

    async fn set_grant(&self, grant: Grant) -> Result<()> {
        if self.is_administrator() { self.catalog.set_grant(grant).await } else { Err(not_an_administrator()) }
    }

    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()> {
        if self.is_administrator() { self.catalog.remove_grant(object, grantee).await } else { Err(not_an_administrator()) }
    }
}
