//! Grants: one for each object and grantee, dropped with the object.

use std::sync::Arc;

use super::fixtures::{database, partition, refused, table, view};
use crate::{
    error::ErrorKind,
    hive_type::HiveType,
    ident::TableName,
    metastore::Metastore,
    model::{Access, Grant, GrantObject, Grantee},
};

pub(super) async fn run(fresh: &impl Fn() -> Arc<dyn Metastore>) {
    grants_come_back_in_order(&*fresh()).await;
    a_grant_replaces_the_one_before(&*fresh()).await;
    what_is_missing_is_refused(&*fresh()).await;
    grants_go_with_their_object(&*fresh()).await;
    grants_follow_a_rename(&*fresh()).await;
    grants_stay_on_a_replaced_table(&*fresh()).await;
}

fn user(name: &str) -> Grantee {
    Grantee::User(name.to_owned())
}

fn group(name: &str) -> Grantee {
    Grantee::Group(name.to_owned())
}

fn on_database(name: &str) -> GrantObject {
    GrantObject::Database(name.to_owned())
}

fn on_table(database: &str, table: &str) -> GrantObject {
    GrantObject::Table(TableName { database: database.to_owned(), table: table.to_owned() })
}

fn grant(object: GrantObject, grantee: Grantee, access: Access) -> Grant {
    Grant { object, grantee, access }
}

async fn set(store: &dyn Metastore, object: GrantObject, grantee: Grantee, access: Access) {
    store.set_grant(grant(object, grantee, access)).await.expect("grant");
}

async fn grants_come_back_in_order(store: &dyn Metastore) {
    assert!(store.grants().await.expect("grants").is_empty());
    store.create_database(database("sales")).await.expect("create");
    store.create_table(table("sales", "orders", &[])).await.expect("create");
    store.create_table(view("default", "seen")).await.expect("create");
    set(store, on_table("Sales", "ORDERS"), group("analysts"), Access::Write).await;
    set(store, on_table("default", "seen"), user("ada"), Access::None).await;
    set(store, on_database("SALES"), user("ada"), Access::Read).await;
    set(store, on_database("default"), group("ada"), Access::Read).await;
    set(store, on_database("default"), user("Bob@example.org"), Access::Write).await;
    set(store, GrantObject::Catalog, group("analysts"), Access::None).await;
    let expected = [
        grant(GrantObject::Catalog, group("analysts"), Access::None),
        grant(on_database("default"), user("Bob@example.org"), Access::Write),
        grant(on_database("default"), group("ada"), Access::Read),
        grant(on_database("sales"), user("ada"), Access::Read),
        grant(on_table("default", "seen"), user("ada"), Access::None),
        grant(on_table("sales", "orders"), group("analysts"), Access::Write),
    ];
    assert_eq!(store.grants().await.expect("grants"), expected);
}

async fn a_grant_replaces_the_one_before(store: &dyn Metastore) {
    store.create_table(table("default", "t", &[])).await.expect("create");
    for object in [GrantObject::Catalog, on_database("default"), on_table("default", "t")] {
        for access in [Access::Read, Access::None, Access::Write] {
            set(store, object.clone(), user("ada"), access).await;
        }
        set(store, object.clone(), group("ada"), Access::Read).await;
        set(store, object.clone(), user("Ada"), Access::None).await;
        let found = store.grants().await.expect("grants");
        let expected = [(user("Ada"), Access::None), (user("ada"), Access::Write), (group("ada"), Access::Read)];
        assert_eq!(found, expected.map(|(grantee, access)| grant(object.clone(), grantee, access)));
        for name in [user("ada"), group("ada"), user("Ada")] {
            store.remove_grant(&object, &name).await.expect("remove");
        }
        assert!(store.grants().await.expect("grants").is_empty());
    }
}

async fn what_is_missing_is_refused(store: &dyn Metastore) {
    store.create_table(table("default", "orders", &[])).await.expect("create");
    let on = |object| grant(object, user("ada"), Access::Read);
    refused(store.set_grant(on(on_database("defualt"))).await, ErrorKind::NotFound, "The nearest name is \"default\"");
    refused(store.set_grant(on(on_table("default", "order"))).await, ErrorKind::NotFound, "The nearest name is \"orders\"");
    refused(store.set_grant(on(on_table("nowhere", "t"))).await, ErrorKind::NotFound, "database \"nowhere\"");
    for name in ["", "a\nb", &"x".repeat(256)] {
        refused(
            store.set_grant(grant(GrantObject::Catalog, user(name), Access::Read)).await,
            ErrorKind::Invalid,
            "not a valid name of a user or group",
        );
    }
    set(store, on_table("default", "orders"), user("ada"), Access::Read).await;
    for (object, grantee) in [
        (on_table("default", "orders"), group("ada")),
        (on_table("default", "orders"), user("bob")),
        (on_table("default", "order"), user("ada")),
        (on_database("default"), user("ada")),
        (on_database("nowhere"), user("ada")),
        (GrantObject::Catalog, user("ada")),
    ] {
        refused(store.remove_grant(&object, &grantee).await, ErrorKind::NotFound, "nothing is granted on");
    }
    store.remove_grant(&on_table("DEFAULT", "Orders"), &user("ada")).await.expect("remove");
    refused(store.remove_grant(&on_table("default", "orders"), &user("ada")).await, ErrorKind::NotFound, "user \"ada\"");
}

async fn grants_go_with_their_object(store: &dyn Metastore) {
    store.create_database(database("sales")).await.expect("create");
    for (database, name) in [("sales", "a"), ("sales", "b"), ("default", "a")] {
        store.create_table(table(database, name, &[])).await.expect("create");
        set(store, on_table(database, name), user("ada"), Access::Read).await;
    }
    set(store, on_database("sales"), user("ada"), Access::Write).await;
    set(store, GrantObject::Catalog, user("ada"), Access::None).await;
    store.drop_table(&TableName::new("Sales", "A")).await.expect("drop");
    assert_eq!(store.grants().await.expect("grants").len(), 4);
    store.drop_database("Sales", true).await.expect("drop");
    let left =
        [grant(GrantObject::Catalog, user("ada"), Access::None), grant(on_table("default", "a"), user("ada"), Access::Read)];
    assert_eq!(store.grants().await.expect("grants"), left);
    store.create_database(database("sales")).await.expect("create again");
    store.create_table(table("sales", "a", &[])).await.expect("create again");
    assert_eq!(store.grants().await.expect("grants"), left, "what is new begins without grants");
}

async fn grants_follow_a_rename(store: &dyn Metastore) {
    store.create_database(database("archive")).await.expect("create");
    let mut given = store.create_table(table("default", "orders", &[])).await.expect("create");
    store.create_table(table("default", "other", &[])).await.expect("create");
    set(store, on_table("default", "orders"), group("analysts"), Access::Write).await;
    set(store, on_table("default", "other"), user("ada"), Access::None).await;
    given.name = TableName::new("archive", "old_orders");
    store.replace_table(given).await.expect("rename");
    store.create_table(table("default", "orders", &[])).await.expect("create another");
    let expected = [
        grant(on_table("archive", "old_orders"), group("analysts"), Access::Write),
        grant(on_table("default", "other"), user("ada"), Access::None),
    ];
    assert_eq!(store.grants().await.expect("grants"), expected);
}

async fn grants_stay_on_a_replaced_table(store: &dyn Metastore) {
    let orders = || table("default", "orders", &[("dt", HiveType::Int)]);
    let first = store.install_table(orders(), vec![partition(&["1"])], false).await.expect("install");
    set(store, on_table("default", "orders"), user("ada"), Access::None).await;
    let second = store.install_table(orders(), vec![partition(&["3"])], true).await.expect("replace");
    assert!(second.version > first.version);
    let expected = [grant(on_table("default", "orders"), user("ada"), Access::None)];
    assert_eq!(store.grants().await.expect("grants"), expected);
}
