//! `GRANT`, `DENY`, `REVOKE` and `SHOW GRANTS`. `access` decides what they mean.

use glaux_catalog::model::{GrantObject, Grantee};

use super::{
    context::StatementContext,
    lookup::{find, resolve},
    rows::{Row, row},
};
use crate::{
    error::Result,
    sql::{Grant, GrantOn, Revoke},
};

pub(super) async fn grant(grant: &Grant, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let object = object(&grant.on, context);
    let grant = glaux_catalog::model::Grant { object, grantee: grant.to.clone(), access: grant.access };
    context.metastore().set_grant(grant).await?;
    Ok(Vec::new())
}

pub(super) async fn revoke(revoke: &Revoke, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    context.metastore().remove_grant(&object(&revoke.on, context), &revoke.from).await?;
    Ok(Vec::new())
}

pub(super) async fn show(on: Option<&GrantOn>, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    match on {
        Some(GrantOn::Database(name)) => {
            context.metastore().database(name).await?;
        }
        Some(GrantOn::Table(table)) => {
            find(table, context).await?;
        }
        Some(GrantOn::Catalog) | None => {}
    }
    let wanted = on.map(|on| object(on, context));
    let grants = context.metastore().grants().await?.into_iter();
    let shown = grants.filter(|grant| wanted.as_ref().is_none_or(|object| *object == grant.object));
    Ok(shown.map(|grant| grant_row(&grant)).collect())
}

fn grant_row(grant: &glaux_catalog::model::Grant) -> Row {
    let (kind, database, table) = match &grant.object {
        GrantObject::Catalog => ("catalog", None, None),
        GrantObject::Database(name) => ("database", Some(name.clone()), None),
        GrantObject::Table(name) => ("table", Some(name.database.clone()), Some(name.table.clone())),
    };
    let (grantee_kind, name) = match &grant.grantee {
        Grantee::User(name) => ("user", name),
        Grantee::Group(name) => ("group", name),
    };
    let mut values = row([kind]);
    values.extend([database, table]);
    values.extend(row([grantee_kind, name, grant.access.as_str()]));
    values
}

fn object(on: &GrantOn, context: &StatementContext<'_>) -> GrantObject {
    match on {
        GrantOn::Catalog => GrantObject::Catalog,
        GrantOn::Database(name) => GrantObject::Database(name.clone()),
        GrantOn::Table(table) => GrantObject::Table(resolve(table, context)),
    }
}
