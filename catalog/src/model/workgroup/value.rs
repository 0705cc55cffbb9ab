//! Values of settings, as statements write and show them, and the fields that hold them.

use std::fmt;

/// A value of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    Text(String),
    /// As it was written: amounts are exact.
    Number(String),
    Boolean(bool),
    List(Vec<SettingValue>),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Number(text) => f.write_str(text),
            Self::Boolean(is_true) => write!(f, "{is_true}"),
            Self::List(items) => {
                for (position, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if position == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}

/// A field that holds a setting.
pub(super) trait Field: Sized {
    /// What it holds; `None` if the setting is not set.
    fn value(&self) -> Option<SettingValue>;

    /// The field with a value; `None` if it cannot hold it.
    fn holding(value: &SettingValue) -> Option<Self>;
}

impl Field for Option<String> {
    fn value(&self) -> Option<SettingValue> {
        self.clone().map(SettingValue::Text)
    }

    fn holding(value: &SettingValue) -> Option<Self> {
        match value {
            SettingValue::Text(text) => Some(Some(text.clone())),
            _ => None,
        }
    }
}

impl Field for Option<bool> {
    fn value(&self) -> Option<SettingValue> {
        self.map(SettingValue::Boolean)
    }

    fn holding(value: &SettingValue) -> Option<Self> {
        match value {
            SettingValue::Boolean(is_true) => Some(Some(*is_true)),
            _ => None,
        }
    }
}

macro_rules! number {
    ($($number:ty),+) => {$(
        impl Field for Option<$number> {
            fn value(&self) -> Option<SettingValue> {
                self.map(|number| SettingValue::Number(number.to_string()))
            }

            fn holding(value: &SettingValue) -> Option<Self> {
                match value {
                    SettingValue::Number(digits) => digits.parse().ok().map(Some),
                    _ => None,
                }
            }
        }
    )+};
}

number!(u32, u64);

impl Field for Vec<String> {
    fn value(&self) -> Option<SettingValue> {
        (!self.is_empty()).then(|| SettingValue::List(self.iter().cloned().map(SettingValue::Text).collect()))
    }

    fn holding(value: &SettingValue) -> Option<Self> {
        let text = |item: &SettingValue| match item {
            SettingValue::Text(text) => Some(text.clone()),
            _ => None,
        };
        match value {
            SettingValue::List(items) => items.iter().map(text).collect(),
            _ => None,
        }
    }
}

impl Field for Vec<u8> {
    fn value(&self) -> Option<SettingValue> {
        (!self.is_empty()).then(|| SettingValue::List(self.iter().map(|n| SettingValue::Number(n.to_string())).collect()))
    }

    fn holding(value: &SettingValue) -> Option<Self> {
        let number = |item: &SettingValue| match item {
            SettingValue::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        match value {
            SettingValue::List(items) => items.iter().map(number).collect(),
            _ => None,
        }
    }
}
