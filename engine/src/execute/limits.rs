//! The limits that hold for a statement: those of its session, and those of the workgroup that it runs in, as the catalog has it now.

use std::time::Duration;

use glaux_catalog::model::{Workgroup, WorkgroupSettings};

use super::shared::Shared;
use crate::{
    access::workgroup_of,
    accounting::{Tariffs, Usd},
    error::{Error, ErrorKind, Result},
    lifecycle::{Budget, Limit, Limits, MAX_QUEUED},
    session::{Role, SessionOptions},
};

/// The limits that hold for what a session asks for now.
///
/// # Errors
/// `NotFound` and `Denied` for a workgroup that its user may not use; those of the catalog.
pub(super) async fn in_force(shared: &Shared, session: &SessionOptions) -> Result<Limits> {
    let workgroup = workgroup_of(session, shared.metastore.as_ref(), &shared.workgroups).await?;
    limits_of(&workgroup, session, shared.queries.tariffs())
}

/// Whether a session may carry out definitions although its workgroup is refused to it: an administrator's may, to put that right.
pub(super) fn may_define(session: &SessionOptions, refusal: &Error) -> bool {
    session.role == Role::Administrator && matches!(refusal.kind(), ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Invalid)
}

/// The limits of a workgroup and of a session in it together.
fn limits_of(workgroup: &Workgroup, session: &SessionOptions, tariffs: &Tariffs) -> Result<Limits> {
    let in_workgroup = |error: Error| error.with_context("workgroup", workgroup.name.clone());
    let settings = &workgroup.settings;
    let is_enforced = settings.enforce.unwrap_or(true);
    let count = |number: Option<u32>| number.map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    Ok(Limits {
        workgroup: workgroup.name.as_str().into(),
        max_scan: Limit::of(session.max_scan, settings.bytes_scanned_cutoff_per_query, is_enforced),
        refuse_over_quote: settings.refuse_over_quote.unwrap_or(false),
        timeout: Limit::of(session.timeout, settings.timeout_ms.map(Duration::from_millis), is_enforced),
        memory_limit: settings.memory_limit,
        require_partition_filter: settings.require_partition_filter.unwrap_or(false),
        tariff: settings.tariff.as_deref().map(|name| tariffs.get(name)).transpose().map_err(in_workgroup)?,
        max_concurrent_queries: count(settings.max_concurrent_queries).map(|most| most.max(1)),
        max_queued_queries: count(settings.max_queued_queries).unwrap_or(MAX_QUEUED),
        budget: budget_of(settings).map_err(in_workgroup)?,
    })
}

fn budget_of(settings: &WorkgroupSettings) -> Result<Budget> {
    let amount = |text: &Option<String>| text.as_deref().map(str::parse::<Usd>).transpose();
    Ok(Budget {
        per_day: amount(&settings.budget_per_day_usd)?,
        per_month: amount(&settings.budget_per_month_usd)?,
        warning_levels: settings.budget_warning_levels.clone(),
        is_hard: settings.budget_hard_stop.unwrap_or(true),
        hook: settings.hook.clone(),
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use glaux_catalog::model::WorkgroupState;

    use super::*;

    fn workgroup(settings: WorkgroupSettings) -> Workgroup {
        Workgroup {
            name: "bi".to_owned(),
            description: None,
            created_at: DateTime::default(),
            state: WorkgroupState::Enabled,
            settings,
        }
    }

    #[test]
    fn what_a_workgroup_sets_holds_unless_the_session_is_narrower() {
        let settings = WorkgroupSettings {
            bytes_scanned_cutoff_per_query: Some(10_000_000),
            timeout_ms: Some(2_000),
            budget_per_day_usd: Some("0.5".to_owned()),
            max_concurrent_queries: Some(3),
            tariff: Some("athena+s3".to_owned()),
            ..WorkgroupSettings::default()
        };
        let session =
            SessionOptions { max_scan: Some(20_000_000), timeout: Some(Duration::from_secs(1)), ..SessionOptions::default() };
        let of = |settings: &WorkgroupSettings| limits_of(&workgroup(settings.clone()), &session, &Tariffs::default()).unwrap();
        let limits = of(&settings);
        assert_eq!(limits.max_scan, Some(Limit { value: 10_000_000, is_workgroups: true }));
        assert_eq!(limits.timeout, Some(Limit { value: Duration::from_secs(1), is_workgroups: false }));
        assert_eq!((limits.max_concurrent_queries, limits.max_queued_queries), (Some(3), MAX_QUEUED));
        assert_eq!(limits.tariff.as_ref().map(|tariff| tariff.name.as_str()), Some("athena+s3"));
        assert_eq!(limits.budget.amounts().map(|(_, amount)| amount.to_string()).collect::<Vec<_>>(), ["0.5"]);
        assert!(limits.budget.is_hard && !limits.refuse_over_quote);
        let defaults = of(&WorkgroupSettings { enforce: Some(false), ..settings });
        assert_eq!(defaults.max_scan, Some(Limit { value: 20_000_000, is_workgroups: false }));
    }

    #[test]
    fn a_tariff_and_a_budget_that_cannot_be_read_name_the_workgroup() {
        for settings in [
            WorkgroupSettings { tariff: Some("cheap".to_owned()), ..WorkgroupSettings::default() },
            WorkgroupSettings { budget_per_month_usd: Some("-5".to_owned()), ..WorkgroupSettings::default() },
        ] {
            let error = limits_of(&workgroup(settings), &SessionOptions::default(), &Tariffs::default()).unwrap_err();
            assert!(error.to_string().contains("workgroup \"bi\""), "{error}");
        }
    }
}
