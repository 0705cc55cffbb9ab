//! Workgroups: the primary one, names, settings, and changes that somebody else has not seen.

use std::sync::Arc;

use chrono::DateTime;

use super::fixtures::refused;
use crate::{
    error::ErrorKind,
    metastore::{Metastore, PutWorkgroup},
    model::{Workgroup, WorkgroupSettings, WorkgroupState},
};

pub(super) async fn run(fresh: &impl Fn() -> Arc<dyn Metastore>) {
    the_primary_workgroup_is_there(&*fresh()).await;
    workgroups_come_back_as_given(&*fresh()).await;
    names_and_settings_are_checked(&*fresh()).await;
    missing_and_existing_are_refused(&*fresh()).await;
    a_change_of_what_was_not_seen_is_refused(&*fresh()).await;
}

fn workgroup(name: &str) -> Workgroup {
    Workgroup {
        name: name.to_owned(),
        description: Some("a \"comment\"".to_owned()),
        created_at: DateTime::from_timestamp_nanos(1_700_000_000_123_456_789),
        state: WorkgroupState::Enabled,
        settings: WorkgroupSettings {
            tariff: Some("athena+s3".to_owned()),
            bytes_scanned_cutoff_per_query: Some(10_000_000),
            budget_per_month_usd: Some("200.5".to_owned()),
            budget_warning_levels: vec![50, 90],
            max_queued_queries: Some(0),
            require_partition_filter: Some(true),
            allowed_users: vec!["ada@example.org".to_owned(), "Bea".to_owned()],
            ..WorkgroupSettings::default()
        },
    }
}

async fn create(store: &dyn Metastore, name: &str) -> Workgroup {
    store.put_workgroup(workgroup(name), PutWorkgroup::Create).await.expect("create");
    store.workgroup(name).await.expect("workgroup")
}

async fn names(store: &dyn Metastore) -> Vec<String> {
    store.workgroups().await.expect("workgroups").into_iter().map(|workgroup| workgroup.name).collect()
}

async fn the_primary_workgroup_is_there(store: &dyn Metastore) {
    let primary = store.workgroup("primary").await.expect("primary");
    assert_eq!(primary, Workgroup::new("primary", primary.created_at));
    assert_eq!(store.workgroups().await.expect("workgroups"), std::slice::from_ref(&primary));
    refused(store.remove_workgroup("primary").await, ErrorKind::Invalid, "\"primary\" cannot be dropped");
    refused(store.put_workgroup(workgroup("primary"), PutWorkgroup::Create).await, ErrorKind::AlreadyExists, "\"primary\"");
    let mut changed = primary.clone();
    changed.settings.timeout_ms = Some(1_000);
    store.put_workgroup(changed.clone(), PutWorkgroup::Replace(&primary)).await.expect("replace");
    assert_eq!(store.workgroup("primary").await.expect("primary"), changed);
    create(store, "zebras").await;
    assert_eq!(names(store).await, ["primary", "zebras"]);
    refused(store.remove_workgroup("primary").await, ErrorKind::Invalid, "\"primary\" cannot be dropped");
}

async fn workgroups_come_back_as_given(store: &dyn Metastore) {
    assert_eq!(create(store, "bi").await, workgroup("bi"));
    // Names that differ in case are different.
    assert_eq!(create(store, "BI").await, workgroup("BI"));
    create(store, "team-1.x_y").await;
    assert_eq!(names(store).await, ["BI", "bi", "primary", "team-1.x_y"]);
    let changed = Workgroup {
        description: None,
        state: WorkgroupState::Disabled,
        settings: WorkgroupSettings::default(),
        ..workgroup("bi")
    };
    store.put_workgroup(changed.clone(), PutWorkgroup::Replace(&workgroup("bi"))).await.expect("replace");
    assert_eq!(store.workgroup("bi").await.expect("workgroup"), changed);
    assert_eq!(store.workgroup("BI").await.expect("workgroup"), workgroup("BI"));
    store.remove_workgroup("bi").await.expect("remove");
    assert_eq!(names(store).await, ["BI", "primary", "team-1.x_y"]);
    assert_eq!(create(store, "bi").await, workgroup("bi"));
}

async fn names_and_settings_are_checked(store: &dyn Metastore) {
    create(store, &"x".repeat(128)).await;
    for name in ["", "a b", "é", "a/b", "a\n", &"x".repeat(129)] {
        let outcome = store.put_workgroup(workgroup(name), PutWorkgroup::Create).await;
        refused(outcome, ErrorKind::Invalid, "is not a valid name of a workgroup");
    }
    let with = |settings| Workgroup { settings, ..workgroup("w") };
    let none = WorkgroupSettings::default;
    for (settings, part) in [
        (WorkgroupSettings { bytes_scanned_cutoff_per_query: Some(9_999_999), ..none() }, "at least 10000000"),
        (WorkgroupSettings { budget_per_day_usd: Some("-1".to_owned()), ..none() }, "budget_per_day_usd"),
        (WorkgroupSettings { budget_warning_levels: vec![101], ..none() }, "budget_warning_levels"),
        (WorkgroupSettings { max_concurrent_queries: Some(0), ..none() }, "at least 1"),
        (WorkgroupSettings { dialect: Some("spark".to_owned()), ..none() }, "'athena'"),
    ] {
        refused(store.put_workgroup(with(settings), PutWorkgroup::Create).await, ErrorKind::Invalid, part);
    }
    assert_eq!(names(store).await.len(), 2, "nothing of them is kept");
    let settings = WorkgroupSettings { budget_per_day_usd: Some("0010.10".to_owned()), ..none() };
    store.put_workgroup(with(settings), PutWorkgroup::Create).await.expect("create");
    let budget = store.workgroup("w").await.expect("workgroup").settings.budget_per_day_usd;
    assert_eq!(budget.as_deref(), Some("10.1"));
}

async fn missing_and_existing_are_refused(store: &dyn Metastore) {
    let bi = create(store, "analysts").await;
    refused(store.put_workgroup(workgroup("analysts"), PutWorkgroup::Create).await, ErrorKind::AlreadyExists, "\"analysts\"");
    refused(store.workgroup("anaylsts").await, ErrorKind::NotFound, "The nearest name is \"analysts\"");
    refused(store.workgroup("primray").await, ErrorKind::NotFound, "The nearest name is \"primary\"");
    refused(store.workgroup("elsewhere").await, ErrorKind::NotFound, "SHOW WORKGROUPS");
    refused(store.remove_workgroup("Analysts").await, ErrorKind::NotFound, "The nearest name is \"analysts\"");
    let outcome = store.put_workgroup(workgroup("elsewhere"), PutWorkgroup::Replace(&bi)).await;
    refused(outcome, ErrorKind::NotFound, "\"elsewhere\" does not exist");
    assert_eq!(names(store).await, ["analysts", "primary"]);
}

async fn a_change_of_what_was_not_seen_is_refused(store: &dyn Metastore) {
    let seen = create(store, "bi").await;
    let mut first = seen.clone();
    first.settings.budget_per_day_usd = Some("5".to_owned());
    store.put_workgroup(first.clone(), PutWorkgroup::Replace(&seen)).await.expect("replace");
    let second = Workgroup { state: WorkgroupState::Disabled, ..seen.clone() };
    let outcome = store.put_workgroup(second, PutWorkgroup::Replace(&seen)).await;
    refused(outcome, ErrorKind::Conflict, "\"bi\" was changed by someone else");
    assert_eq!(store.workgroup("bi").await.expect("workgroup"), first);
}
