//! Statements about workgroups, and how they are written back.

use std::fmt::{self, Display, Formatter};

use glaux_catalog::model::SettingValue;

use crate::sql::quote::{trino_name, trino_string};

/// `CREATE WORKGROUP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateWorkgroup {
    /// Not folded if it was quoted.
    pub name: String,
    pub if_not_exists: bool,
    pub comment: Option<String>,
    /// Values by the names of settings, each of which exists and takes its value.
    pub settings: Vec<(&'static str, SettingValue)>,
}

/// What `ALTER WORKGROUP` changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlterWorkgroup {
    /// As in [`CreateWorkgroup`].
    Set(Vec<(&'static str, SettingValue)>),
    Reset(Vec<&'static str>),
    SetComment(String),
    Enable,
    Disable,
}

/// The layout of `SHOW CREATE WORKGROUP`: a setting a line.
impl Display for CreateWorkgroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let exists = if self.if_not_exists { "IF NOT EXISTS " } else { "" };
        write!(f, "CREATE WORKGROUP {exists}{}", trino_name(&self.name))?;
        if let Some(comment) = &self.comment {
            write!(f, "\nCOMMENT {}", trino_string(comment))?;
        }
        if !self.settings.is_empty() {
            let lines: Vec<_> = self.settings.iter().map(|setting| format!("  {}", assignment(setting))).collect();
            write!(f, "\nWITH (\n{}\n)", lines.join(",\n"))?;
        }
        Ok(())
    }
}

impl Display for AlterWorkgroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(settings) => {
                write!(f, "SET ({})", settings.iter().map(assignment).collect::<Vec<_>>().join(", "))
            }
            Self::Reset(names) => write!(f, "RESET ({})", names.join(", ")),
            Self::SetComment(comment) => write!(f, "SET COMMENT {}", trino_string(comment)),
            Self::Enable => f.write_str("ENABLE"),
            Self::Disable => f.write_str("DISABLE"),
        }
    }
}

fn assignment((name, value): &(&'static str, SettingValue)) -> String {
    format!("{name} = {}", literal(value))
}

/// A value as statements write it.
fn literal(value: &SettingValue) -> String {
    match value {
        SettingValue::Text(text) => trino_string(text),
        SettingValue::Number(number) => number.clone(),
        SettingValue::Boolean(is_true) => is_true.to_string(),
        SettingValue::List(items) => format!("ARRAY[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
    }
}
