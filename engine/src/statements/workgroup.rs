//! `CREATE`, `ALTER` and `DROP WORKGROUP`, and what is shown of workgroups. Who may is decided by `access`.

use glaux_catalog::{
    metastore::PutWorkgroup,
    model::{SettingValue, WORKGROUP_SETTINGS, Workgroup, WorkgroupSetting, WorkgroupSettings, WorkgroupState},
};

use super::{
    context::StatementContext,
    location,
    lookup::is_missing,
    pattern::matches,
    rows::{Row, row},
};
use crate::{
    error::{Error, ErrorKind, Result},
    sql::{AlterWorkgroup, CreateWorkgroup},
};

pub(super) async fn create(create: &CreateWorkgroup, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let mut workgroup = Workgroup::new(&create.name, context.now());
    workgroup.description = create.comment.clone().filter(|comment| !comment.is_empty());
    set(&create.settings, &mut workgroup.settings)?;
    check(&WorkgroupSettings::default(), &mut workgroup.settings, context)?;
    match context.metastore().put_workgroup(workgroup, PutWorkgroup::Create).await {
        Err(error) if !(create.if_not_exists && error.kind() == ErrorKind::AlreadyExists) => Err(error),
        _ => Ok(Vec::new()),
    }
}

pub(super) async fn alter(name: &str, action: &AlterWorkgroup, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let seen = context.metastore().workgroup(name).await?;
    let mut workgroup = seen.clone();
    match action {
        AlterWorkgroup::Set(settings) => set(settings, &mut workgroup.settings)?,
        AlterWorkgroup::Reset(names) => {
            for setting in names.iter().filter_map(|name| WorkgroupSetting::find(name)) {
                setting.clear(&mut workgroup.settings);
            }
        }
        AlterWorkgroup::SetComment(comment) => {
            workgroup.description = Some(comment.clone()).filter(|comment| !comment.is_empty());
        }
        AlterWorkgroup::Enable => workgroup.state = WorkgroupState::Enabled,
        AlterWorkgroup::Disable => workgroup.state = WorkgroupState::Disabled,
    }
    check(&seen.settings, &mut workgroup.settings, context)?;
    context.metastore().put_workgroup(workgroup, PutWorkgroup::Replace(&seen)).await?;
    Ok(Vec::new())
}

pub(super) async fn drop(name: &str, if_exists: bool, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let found = context.metastore().workgroup(name).await;
    if is_missing(&found) {
        return if if_exists { Ok(Vec::new()) } else { found.map(|_| Vec::new()) };
    }
    if name != Workgroup::PRIMARY && context.plan.session.workgroup == name {
        return Err(Error::invalid(format!("workgroup \"{name}\" is in use: this session runs in it"))
            .with_hint(format!("SET SESSION workgroup = '{}', and drop it again", Workgroup::PRIMARY)));
    }
    let dropped = context.metastore().remove_workgroup(name).await;
    if !(if_exists && is_missing(&dropped)) {
        dropped?;
    }
    Ok(Vec::new())
}

fn set(given: &[(&'static str, SettingValue)], settings: &mut WorkgroupSettings) -> Result<()> {
    for (name, value) in given {
        let setting = WorkgroupSetting::find(name)
            .ok_or_else(|| Error::internal(format!("workgroup setting \"{name}\" is in no table of settings")))?;
        setting.set(settings, value)?;
    }
    Ok(())
}

/// Refuses what a changed setting names and the configuration does not have. Settings that stay as they are are not checked: the configuration may have
/// changed since they were set.
fn check(before: &WorkgroupSettings, after: &mut WorkgroupSettings, context: &StatementContext<'_>) -> Result<()> {
    if after.result_location != before.result_location
        && let Some(written) = &after.result_location
    {
        after.result_location = Some(location::for_definition(written, context)?);
    }
    if after.tariff != before.tariff
        && let Some(tariff) = &after.tariff
    {
        context.queries.tariffs().get(tariff)?;
    }
    if after.hook != before.hook
        && let Some(hook) = &after.hook
        && !context.hooks.contains_key(hook)
    {
        let names: Vec<&str> = context.hooks.keys().map(String::as_str).collect();
        let error = Error::not_found(format!("hook \"{}\" does not exist", hook.escape_debug()));
        return Err(error.with_hint(match names[..] {
            [] => "Define it in the configuration, in a section of its own: [hooks.NAME]".to_owned(),
            _ => format!("Name one of these: {}", names.join(", ")),
        }));
    }
    Ok(())
}

/// `SHOW WORKGROUPS`.
pub(super) async fn show(pattern: Option<&str>, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let workgroups = context.metastore().workgroups().await?.into_iter();
    let shown = workgroups.filter(|workgroup| matches(pattern, &workgroup.name));
    let shown = shown.map(|workgroup| {
        let state = workgroup.state.as_str().to_owned();
        vec![Some(workgroup.name), Some(state), workgroup.description]
    });
    Ok(shown.collect())
}

/// `SHOW CREATE WORKGROUP`.
pub(super) async fn show_create(name: &str, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let workgroup = context.metastore().workgroup(name).await?;
    let settings = WORKGROUP_SETTINGS.iter().filter_map(|setting| Some((setting.name, setting.get(&workgroup.settings)?)));
    let Workgroup { name, description: comment, state, .. } = &workgroup;
    let create =
        CreateWorkgroup { name: name.clone(), if_not_exists: false, comment: comment.clone(), settings: settings.collect() };
    let mut lines: Vec<Row> = create.to_string().lines().map(|line| row([line])).collect();
    if *state == WorkgroupState::Disabled {
        lines.push(row(["-- It is disabled: ALTER WORKGROUP ... DISABLE"]));
    }
    Ok(lines)
}

/// `DESCRIBE WORKGROUP`.
pub(super) async fn describe(name: &str, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let Workgroup { description, state, settings, .. } = context.metastore().workgroup(name).await?;
    let described =
        |setting: &str, value: Option<String>, meaning: &str| vec![Some(setting.to_owned()), value, Some(meaning.to_owned())];
    let mut rows = vec![
        described("state", Some(state.as_str().to_owned()), "Whether queries can run in it: ENABLED or DISABLED"),
        described("description", description, "Comment"),
    ];
    rows.extend(
        WORKGROUP_SETTINGS
            .iter()
            .map(|setting| described(setting.name, setting.get(&settings).map(|value| value.to_string()), setting.meaning)),
    );
    Ok(rows)
}
