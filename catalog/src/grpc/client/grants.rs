//! Grants of a catalog service.

use async_trait::async_trait;
use glaux_proto::catalog::v1 as proto;

use super::{
    RemoteMetastore,
    connection::{change, read},
};
use crate::{
    error::Result,
    grpc::message::definition as message,
    metastore::Grants,
    model::{Grant, GrantObject, Grantee},
};

#[async_trait]
impl Grants for RemoteMetastore {
    async fn grants(&self) -> Result<Vec<Grant>> {
        let answer = read!(self.connection.list_grants(proto::ListGrantsRequest {}))?;
        answer.grants.into_iter().map(message::read_grant).collect()
    }

    async fn set_grant(&self, grant: Grant) -> Result<()> {
        change!(self.connection.set_grant(proto::SetGrantRequest { grant: Some(message::grant(grant)) })).map(drop)
    }

    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()> {
        let (object, grantee) = (message::grant_object(object.clone()), message::grantee(grantee.clone()));
        let asked = proto::RemoveGrantRequest { object: Some(object), grantee: Some(grantee) };
        change!(self.connection.remove_grant(asked)).map(drop)
    }
}
