//! A workgroup: queries that share limits, a tariff, budgets and a queue, as in Athena. What its settings do is decided by the engine.

mod setting;
mod settings;
mod value;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::{
    setting::{SettingKind, WORKGROUP_SETTINGS, WorkgroupSetting},
    settings::WorkgroupSettings,
    value::SettingValue,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workgroup {
    /// As it was given: names that differ in case are different.
    pub name: String,
    /// `COMMENT`, Athena's `Description`.
    pub description: Option<String>,
    pub created_at: DateTime<Utc>,
    pub state: WorkgroupState,
    pub settings: WorkgroupSettings,
}

/// Whether queries can run in a workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WorkgroupState {
    #[default]
    Enabled,
    Disabled,
}

impl Workgroup {
    /// The workgroup that every catalog has, and in which sessions begin.
    pub const PRIMARY: &str = "primary";

    /// A workgroup without settings.
    #[must_use]
    pub fn new(name: impl Into<String>, created_at: DateTime<Utc>) -> Self {
        Self {
            name: name.into(),
            description: None,
            created_at,
            state: WorkgroupState::Enabled,
            settings: WorkgroupSettings::default(),
        }
    }

    /// Whether it is for a user: it names them or one of their groups, or nobody at all.
    #[must_use]
    pub fn is_for(&self, user: &str, groups: &[String]) -> bool {
        let WorkgroupSettings { allowed_users, allowed_groups, .. } = &self.settings;
        let names_nobody = allowed_users.is_empty() && allowed_groups.is_empty();
        let is_user = |name: &String| name == user;
        names_nobody || allowed_users.iter().any(is_user) || groups.iter().any(|group| allowed_groups.contains(group))
    }
}

impl WorkgroupState {
    /// As shown, and in Athena: `ENABLED`, `DISABLED`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workgroup_is_for_those_it_names_and_for_all_where_it_names_nobody() {
        let mut workgroup = Workgroup::new("bi", DateTime::UNIX_EPOCH);
        let groups = ["dev".to_owned(), "analysts".to_owned()];
        assert!(workgroup.is_for("eve", &[]));
        workgroup.settings.allowed_groups = vec!["analysts".to_owned()];
        assert!(workgroup.is_for("eve", &groups) && !workgroup.is_for("eve", &groups[..1]));
        workgroup.settings.allowed_users = vec!["ada".to_owned()];
        assert!(workgroup.is_for("ada", &[]) && workgroup.is_for("eve", &groups));
        assert!(!workgroup.is_for("Ada", &[]) && !workgroup.is_for("analysts", &[]));
    }

    #[test]
    fn a_setting_that_is_not_known_is_refused() {
        let workgroup = Workgroup::new("bi", DateTime::UNIX_EPOCH);
        let document = serde_json::to_string(&workgroup).unwrap();
        assert_eq!(serde_json::from_str::<Workgroup>(&document).unwrap(), workgroup);
        let of_a_newer_release = document.replace("\"tariff\"", "\"max_rows\"");
        assert!(serde_json::from_str::<Workgroup>(&of_a_newer_release).unwrap_err().to_string().contains("max_rows"));
        let short = r#"{"name":"bi","description":null,"created_at":"1970-01-01T00:00:00Z","state":"ENABLED","settings":{}}"#;
        assert_eq!(serde_json::from_str::<Workgroup>(short).unwrap(), workgroup);
    }
}
