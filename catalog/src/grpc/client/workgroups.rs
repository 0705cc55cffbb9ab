//! Workgroups of a catalog service. A service of a release that has none has the primary one alone, without settings.

use async_trait::async_trait;
use chrono::DateTime;
use glaux_proto::catalog::v1 as proto;

use super::{
    RemoteMetastore,
    connection::{change, read},
};
use crate::{
    error::{ErrorKind, Result},
    grpc::message::workgroup::{read_workgroup, workgroup as message},
    metastore::{PutWorkgroup, Workgroups},
    model::Workgroup,
};

#[async_trait]
impl Workgroups for RemoteMetastore {
    async fn workgroups(&self) -> Result<Vec<Workgroup>> {
        match read!(self.connection.list_workgroups(proto::ListWorkgroupsRequest {})) {
            Ok(answer) => answer.workgroups.into_iter().map(|workgroup| read_workgroup(Some(workgroup))).collect(),
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(vec![primary()]),
            Err(error) => Err(error),
        }
    }

    async fn workgroup(&self, name: &str) -> Result<Workgroup> {
        match read!(self.connection.get_workgroup(proto::GetWorkgroupRequest { name: name.to_owned() })) {
            Ok(answer) => read_workgroup(answer.workgroup),
            Err(error) if error.kind() == ErrorKind::Unsupported && name == Workgroup::PRIMARY => Ok(primary()),
            Err(error) => Err(error),
        }
    }

    async fn put_workgroup(&self, workgroup: Workgroup, mode: PutWorkgroup<'_>) -> Result<()> {
        let seen = match mode {
            PutWorkgroup::Create => None,
            PutWorkgroup::Replace(seen) => Some(message(seen.clone())?),
        };
        let asked = proto::PutWorkgroupRequest { workgroup: Some(message(workgroup)?), seen };
        change!(self.connection.put_workgroup(asked)).map(drop)
    }

    async fn remove_workgroup(&self, name: &str) -> Result<()> {
        change!(self.connection.remove_workgroup(proto::RemoveWorkgroupRequest { name: name.to_owned() })).map(drop)
    }
}

fn primary() -> Workgroup {
    Workgroup::new(Workgroup::PRIMARY, DateTime::UNIX_EPOCH)
}
