//! Workgroups as one caller sees and may change them.

use async_trait::async_trait;
use glaux_catalog::{
    metastore::{PutWorkgroup, Workgroups},
    model::Workgroup,
};

use super::Guarded;
use crate::{
    access::{rights::not_an_administrator_of_workgroups, workgroup::not_for},
    error::{Error, ErrorKind, Result},
};

#[async_trait]
impl Workgroups for Guarded {
    /// Those that the caller may use.
    async fn workgroups(&self) -> Result<Vec<Workgroup>> {
        let moment = self.moment();
        let mut workgroups = self.catalog.workgroups().await?;
        workgroups.retain(|workgroup| moment.caller.may_use(workgroup));
        Ok(workgroups)
    }

    async fn workgroup(&self, name: &str) -> Result<Workgroup> {
        let moment = self.moment();
        let found = self.catalog.workgroup(name).await;
        match found {
            Ok(workgroup) if moment.caller.may_use(&workgroup) => Ok(workgroup),
            Ok(_) => Err(Error::new(ErrorKind::Denied, not_for(&moment.caller.user, name)).with_hint(USABLE)),
            // Its hint may name one that the caller may not use.
            Err(error) if error.kind() == ErrorKind::NotFound && !self.is_administrator() => Err(error.with_hint(USABLE)),
            Err(error) => Err(error),
        }
    }

    async fn put_workgroup(&self, workgroup: Workgroup, mode: PutWorkgroup<'_>) -> Result<()> {
        match self.is_administrator() {
            true => self.catalog.put_workgroup(workgroup, mode).await,
            false => Err(not_an_administrator_of_workgroups()),
        }
    }

    async fn remove_workgroup(&self, name: &str) -> Result<()> {
        if !self.is_administrator() {
            return Err(not_an_administrator_of_workgroups());
        }
        if let Err(error) = self.catalog.workgroup(name).await
            && error.kind() == ErrorKind::NotFound
        {
            return Err(error);
        }
        let moment = self.moment();
        if let Some(in_use) = moment.caller.in_use.as_ref().filter(|_| name != Workgroup::PRIMARY) {
            in_use.check_unused(name)?;
        }
        self.catalog.remove_workgroup(name).await
    }
}

const USABLE: &str = "SHOW WORKGROUPS lists those that you may use";
