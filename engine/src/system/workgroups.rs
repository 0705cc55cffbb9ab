//! `system.workgroups`: the workgroups that the user may use, a column a setting.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanArray, Decimal128Array, RecordBatch},
    datatypes::{DataType, SchemaRef},
};
use futures::{StreamExt, stream, stream::BoxStream};
use glaux_catalog::{
    Metastore,
    model::{SettingKind, SettingValue, WORKGROUP_SETTINGS, Workgroup, WorkgroupSetting},
};

use super::{
    columns::{Column, MONEY, batch, count, counts, money, schema, text, texts, time, times},
    source::{RowSource, Wanted},
};
use crate::{accounting::Usd, error::Result};

/// `system.workgroups`.
#[derive(Debug)]
pub(super) struct Workgroups(pub(super) Arc<dyn Metastore>);

impl Workgroups {
    pub(super) fn columns() -> Vec<Column> {
        let mut columns = vec![
            text("name", "Name of the workgroup"),
            text("state", "ENABLED or DISABLED"),
            text("description", "Comment"),
            time("created_at", "When it was created"),
        ];
        columns.extend(WORKGROUP_SETTINGS.iter().map(column));
        columns
    }
}

impl RowSource for Workgroups {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns())
    }

    fn name(&self) -> &'static str {
        "system.workgroups"
    }

    fn rows(self: Arc<Self>, _wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let all = self.0.workgroups().await?;
            let mut columns = vec![
                texts(all.iter().map(|workgroup| Some(&workgroup.name))),
                texts(all.iter().map(|workgroup| Some(workgroup.state.as_str()))),
                texts(all.iter().map(|workgroup| workgroup.description.as_ref())),
                times(all.iter().map(|workgroup| Some(workgroup.created_at))),
            ];
            columns.extend(WORKGROUP_SETTINGS.iter().map(|setting| values(setting, &all)));
            batch(&self.schema(), columns)
        };
        stream::once(rows).boxed()
    }
}

fn column(setting: &WorkgroupSetting) -> Column {
    let WorkgroupSetting { name, meaning, .. } = *setting;
    match setting.kind {
        SettingKind::Text | SettingKind::OneOf(_) | SettingKind::Percents | SettingKind::Names => text(name, meaning),
        SettingKind::Boolean => Column { name, data_type: DataType::Boolean, meaning },
        SettingKind::Whole(_) => count(name, meaning),
        SettingKind::Usd => money(name, meaning),
    }
}

/// The values of a setting in these workgroups. Lists are JSON arrays.
fn values(setting: &WorkgroupSetting, workgroups: &[Workgroup]) -> ArrayRef {
    let values = workgroups.iter().map(|workgroup| setting.get(&workgroup.settings));
    match setting.kind {
        SettingKind::Text | SettingKind::OneOf(_) => texts(values.map(|value| value.map(|value| value.to_string()))),
        SettingKind::Percents | SettingKind::Names => texts(values.map(|value| value.map(|value| json(&value)))),
        SettingKind::Boolean => {
            let is_true = |value: Option<SettingValue>| Some(value? == SettingValue::Boolean(true));
            Arc::new(values.map(is_true).collect::<BooleanArray>())
        }
        SettingKind::Whole(_) => counts(values.map(|value| value?.to_string().parse().ok())),
        SettingKind::Usd => {
            let atto = |value: Option<SettingValue>| i128::try_from(value?.to_string().parse::<Usd>().ok()?.atto()).ok();
            Arc::new(values.map(atto).collect::<Decimal128Array>().with_data_type(MONEY))
        }
    }
}

fn json(value: &SettingValue) -> String {
    match value {
        SettingValue::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        SettingValue::Number(_) | SettingValue::Boolean(_) => value.to_string(),
        SettingValue::List(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(",")),
    }
}
