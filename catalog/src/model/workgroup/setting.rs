//! The one table of a workgroup's settings: their names, types, bounds and meanings. Parsing, showing, storing and documenting them goes by it.

use super::{
    settings::WorkgroupSettings,
    value::{Field, SettingValue},
};
use crate::{
    error::{Error, Result},
    ident::MAX_NAME_BYTES,
};

/// Digits before and after the point of an amount.
const PLACES: usize = 18;

/// Bytes of the longest text.
const MAX_TEXT: usize = 1024;

/// A setting of workgroups.
#[derive(Debug)]
pub struct WorkgroupSetting {
    /// The field of [`WorkgroupSettings`] that holds it.
    pub name: &'static str,
    pub kind: SettingKind,
    /// What it does, and what holds where it is not set.
    pub meaning: &'static str,
    get: fn(&WorkgroupSettings) -> Option<SettingValue>,
    /// Returns whether the field can hold the value; if not, it is as it was.
    put: fn(&mut WorkgroupSettings, &SettingValue) -> bool,
    clear: fn(&mut WorkgroupSettings),
}

/// Which values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    Text,
    OneOf(&'static [&'static str]),
    Boolean,
    /// A whole number, at least this.
    Whole(u64),
    /// An exact amount of USD, not negative.
    Usd,
    /// Whole numbers from 1 to 100.
    Percents,
    /// Names of users or groups.
    Names,
}

macro_rules! table {
    ($($field:ident: $kind:expr, $meaning:literal;)*) => {
        &[$(WorkgroupSetting {
            name: stringify!($field),
            kind: $kind,
            meaning: $meaning,
            get: |settings| settings.$field.value(),
            put: |settings, value| match Field::holding(value) {
                Some(field) => {
                    settings.$field = field;
                    true
                }
                None => false,
            },
            clear: |settings| settings.$field = Default::default(),
        }),*]
    };
}

/// All settings, in the order in which they are shown. A new one is a row here and a field of [`WorkgroupSettings`].
pub const WORKGROUP_SETTINGS: &[WorkgroupSetting] = table! {
    result_location: SettingKind::Text,
        "Location for results that are kept in storage";
    tariff: SettingKind::Text,
        "Tariff that its queries are billed by; otherwise engine.tariff of the configuration";
    bytes_scanned_cutoff_per_query: SettingKind::Whole(10_000_000),
        "Bytes of table data that one query may scan; it is cancelled before it scans more";
    refuse_over_quote: SettingKind::Boolean,
        "Whether a query whose quote is above a limit or budget does not begin. Otherwise it runs until it reaches the limit";
    budget_per_day_usd: SettingKind::Usd,
        "What its queries may cost in a day (UTC)";
    budget_per_month_usd: SettingKind::Usd,
        "What its queries may cost in a month (UTC)";
    budget_warning_levels: SettingKind::Percents,
        "Percentages of a budget at which a warning is logged and the hook is called";
    budget_hard_stop: SettingKind::Boolean,
        "Whether queries are refused and cancelled when a budget is used up; true by default";
    hook: SettingKind::Text,
        "What is called when a budget reaches a warning level: a hook of the configuration, by its name";
    max_concurrent_queries: SettingKind::Whole(1),
        "Queries that run at the same time; others wait in its queue";
    max_queued_queries: SettingKind::Whole(0),
        "Queries that wait in its queue; more are refused. 1000 by default";
    timeout_ms: SettingKind::Whole(1),
        "Milliseconds that one query may take";
    memory_limit: SettingKind::Whole(1),
        "Bytes of memory that one query may hold";
    dialect: SettingKind::OneOf(&["athena"]),
        "Dialect of its statements; athena is the only one";
    require_partition_filter: SettingKind::Boolean,
        "Whether a query of a partitioned table must have a filter on a partition key";
    allowed_users: SettingKind::Names,
        "Users who may use it. If neither users nor groups are named, everybody may";
    allowed_groups: SettingKind::Names,
        "Groups whose members may use it";
    enforce: SettingKind::Boolean,
        "Whether its limits hold whatever a session sets, which may only tighten them; true by default. Otherwise they are defaults";
};

impl WorkgroupSetting {
    /// By its name, in any case.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        WORKGROUP_SETTINGS.iter().find(|setting| setting.name.eq_ignore_ascii_case(name))
    }

    /// Its value; `None` if it is not set.
    #[must_use]
    pub fn get(&self, settings: &WorkgroupSettings) -> Option<SettingValue> {
        match (self.kind, (self.get)(settings)?) {
            (SettingKind::Usd, SettingValue::Text(amount)) => Some(SettingValue::Number(amount)),
            (_, value) => Some(value),
        }
    }

    /// # Errors
    /// `Invalid` for a value that it does not take, naming the setting and those that it takes. Then nothing has changed.
    pub fn set(&self, settings: &mut WorkgroupSettings, value: &SettingValue) -> Result<()> {
        let is_set = self.canonical(value).is_some_and(|value| (self.put)(settings, &value));
        if is_set {
            return Ok(());
        }
        let message = format!("workgroup setting \"{}\" cannot be \"{}\"", self.name, value.to_string().escape_debug());
        Err(Error::invalid(message).with_hint(format!("Write {}", self.kind.values())))
    }

    pub fn clear(&self, settings: &mut WorkgroupSettings) {
        (self.clear)(settings);
    }

    /// A value in the form in which it is stored; `None` for one that the setting does not take.
    fn canonical(&self, value: &SettingValue) -> Option<SettingValue> {
        use SettingValue::{Boolean, List, Number, Text};
        Some(match (self.kind, value) {
            (SettingKind::Text, Text(text)) => Text(plain(text, MAX_TEXT)?),
            (SettingKind::OneOf(words), Text(text)) => {
                Text((*words.iter().find(|word| word.eq_ignore_ascii_case(text.trim()))?).to_owned())
            }
            (SettingKind::Boolean, Boolean(is_true)) => Boolean(*is_true),
            (SettingKind::Whole(least), Number(digits)) => Number(whole(digits).filter(|number| *number >= least)?.to_string()),
            (SettingKind::Usd, Number(amount) | Text(amount)) => Text(exact(amount)?),
            (SettingKind::Percents, List(items)) => List(percents(items)?),
            (SettingKind::Names, List(items)) => List(names(items)?),
            _ => return None,
        })
    }
}

impl SettingKind {
    /// The values that it takes, in words.
    #[must_use]
    pub fn values(self) -> String {
        match self {
            Self::Text => "a string".to_owned(),
            Self::OneOf(words) => words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" or "),
            Self::Boolean => "TRUE or FALSE".to_owned(),
            Self::Whole(least) => format!("a whole number, at least {least}"),
            Self::Usd => "an amount of USD such as 5 or 0.25, not negative, with at most 18 decimal places".to_owned(),
            Self::Percents => "percentages from 1 to 100, such as ARRAY[50, 90]".to_owned(),
            Self::Names => "names, such as ARRAY['ada', 'bea']".to_owned(),
        }
    }
}

impl WorkgroupSettings {
    /// The settings in the form in which they are stored.
    ///
    /// # Errors
    /// `Invalid` for a value that a setting does not take.
    pub fn checked(&self) -> Result<Self> {
        let mut checked = Self::default();
        for setting in WORKGROUP_SETTINGS {
            if let Some(value) = setting.get(self) {
                setting.set(&mut checked, &value)?;
            }
        }
        Ok(checked)
    }
}

/// A text without whitespace around it, if something is left of it.
fn plain(text: &str, most: usize) -> Option<String> {
    let text = text.trim();
    let is_plain = !text.is_empty() && text.len() <= most && !text.contains(char::is_control);
    is_plain.then(|| text.to_owned())
}

fn whole(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A decimal without zeros that say nothing.
fn exact(amount: &str) -> Option<String> {
    let amount = amount.trim();
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let has_digits = !(whole.is_empty() && fraction.is_empty());
    let is_number = has_digits && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    if !is_number || whole.len() > PLACES || fraction.len() > PLACES {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

fn percents(items: &[SettingValue]) -> Option<Vec<SettingValue>> {
    let percent = |item: &SettingValue| match item {
        SettingValue::Number(digits) => whole(digits).filter(|number| (1..=100).contains(number)),
        _ => None,
    };
    let mut percents: Vec<u64> = items.iter().map(percent).collect::<Option<_>>()?;
    percents.sort_unstable();
    percents.dedup();
    Some(percents.into_iter().map(|number| SettingValue::Number(number.to_string())).collect())
}

fn names(items: &[SettingValue]) -> Option<Vec<SettingValue>> {
    let mut names = Vec::with_capacity(items.len());
    for item in items {
        let SettingValue::Text(name) = item else { return None };
        let name = SettingValue::Text(plain(name, MAX_NAME_BYTES)?);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn text(text: &str) -> SettingValue {
        SettingValue::Text(text.to_owned())
    }

    fn number(digits: &str) -> SettingValue {
        SettingValue::Number(digits.to_owned())
    }

    fn list<const N: usize>(items: [SettingValue; N]) -> SettingValue {
        SettingValue::List(items.into())
    }

    /// What is shown of a setting after it was set.
    fn after(name: &str, value: &SettingValue) -> Result<String> {
        let mut settings = WorkgroupSettings::default();
        let setting = WorkgroupSetting::find(name).unwrap();
        setting.set(&mut settings, value)?;
        assert_eq!(settings.checked().unwrap(), settings);
        let shown = setting.get(&settings).map(|value| value.to_string()).unwrap_or_default();
        setting.clear(&mut settings);
        assert_eq!(settings, WorkgroupSettings::default());
        Ok(shown)
    }

    #[test]
    fn every_field_is_a_row_of_the_table() {
        let document = serde_json::to_value(WorkgroupSettings::default()).unwrap();
        let mut fields: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        let mut rows: Vec<&str> = WORKGROUP_SETTINGS.iter().map(|setting| setting.name).collect();
        fields.sort_unstable();
        rows.sort_unstable();
        assert_eq!(fields, rows);
    }

    #[test]
    fn values_are_stored_in_one_form() {
        for (name, value, shown) in [
            ("Tariff", text(" athena+s3 "), "athena+s3"),
            ("dialect", text("ATHENA"), "athena"),
            ("refuse_over_quote", SettingValue::Boolean(false), "false"),
            ("bytes_scanned_cutoff_per_query", number("10000000"), "10000000"),
            ("max_queued_queries", number("0"), "0"),
            ("max_concurrent_queries", number("4294967295"), "4294967295"),
            ("budget_per_day_usd", number("0200.50"), "200.5"),
            ("budget_per_day_usd", text("0"), "0"),
            ("budget_per_month_usd", number(".000000000000000001"), "0.000000000000000001"),
            ("budget_per_month_usd", number("999999999999999999."), "999999999999999999"),
            ("budget_warning_levels", list([number("90"), number("50"), number("90"), number("100")]), "50, 90, 100"),
            ("allowed_users", list([text("bea"), text("ada@example.org"), text("bea")]), "bea, ada@example.org"),
            ("allowed_groups", list([]), ""),
        ] {
            assert_eq!(after(name, &value).unwrap(), shown, "{name}");
        }
    }

    #[test]
    fn other_values_are_refused_with_those_that_fit() {
        for (name, value, hint) in [
            ("tariff", text(" "), "a string"),
            ("tariff", number("5"), "a string"),
            ("hook", text("a\nb"), "a string"),
            ("dialect", text("spark"), "'athena'"),
            ("enforce", text("true"), "TRUE or FALSE"),
            ("bytes_scanned_cutoff_per_query", number("9999999"), "at least 10000000"),
            ("bytes_scanned_cutoff_per_query", number("1e9"), "a whole number"),
            ("bytes_scanned_cutoff_per_query", number("18446744073709551616"), "a whole number"),
            ("max_concurrent_queries", number("0"), "at least 1"),
            ("max_concurrent_queries", number("4294967296"), "a whole number"),
            ("max_queued_queries", number("-1"), "at least 0"),
            ("timeout_ms", number("1.5"), "at least 1"),
            ("budget_per_day_usd", number("-5"), "not negative"),
            ("budget_per_day_usd", text("."), "an amount of USD"),
            ("budget_per_day_usd", number("1e3"), "an amount of USD"),
            ("budget_per_day_usd", number("0.0000000000000000001"), "at most 18 decimal places"),
            ("budget_per_day_usd", number("1000000000000000000"), "an amount of USD"),
            ("budget_warning_levels", list([number("0")]), "1 to 100"),
            ("budget_warning_levels", list([number("101")]), "1 to 100"),
            ("budget_warning_levels", number("50"), "ARRAY[50, 90]"),
            ("allowed_users", list([text("")]), "ARRAY['ada', 'bea']"),
            ("allowed_users", list([number("1")]), "ARRAY['ada', 'bea']"),
        ] {
            let error = after(name, &value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(&format!("\"{name}\"")) && error.hint().unwrap().contains(hint), "{error:?}");
        }
    }
}
