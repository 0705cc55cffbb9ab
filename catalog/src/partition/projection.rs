//! Partition projection, as Athena defines it: a table's partitions are computed from its properties, not stored in the catalog. Values excluded by a
//! query's filters are never enumerated.

mod date;
mod filter;
mod format;
mod rule;
mod unit;

use chrono::{DateTime, Utc};

pub use self::filter::KeyFilter;
use self::rule::Rule;
use super::{
    index::{PartitionIndex, PartitionIndexBuilder},
    path::hive_name,
};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{Column, Table},
};

/// Partitions of one scan, at most, as in Athena.
const MOST_PARTITIONS: usize = 1_000_000;

/// The property with the template of locations.
const TEMPLATE: &str = "storage.location.template";

/// How a table's partitions are computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {
    table: String,
    root: String,
    keys: Vec<Column>,
    rules: Vec<Rule>,
    template: Option<String>,
}

impl Projection {
    /// Whether a table's partitions are computed (`projection.enabled`), so that those in the catalog are ignored.
    #[must_use]
    pub fn is_enabled(table: &Table) -> bool {
        let enabled = table.properties.get("projection.enabled");
        table.is_partitioned() && enabled.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// The projection of a table that has enabled it (`projection.enabled`); `None` for others.
    ///
    /// # Errors
    /// `Invalid` for properties that are missing or not valid, naming them.
    pub fn of(table: &Table) -> Result<Option<Self>> {
        let property = |name: &str| table.properties.get(name).map(String::as_str);
        if !Self::is_enabled(table) {
            return Ok(None);
        }
        let kind = |key: &Column| property(&format!("projection.{}.type", key.name));
        let missing: Vec<&str> =
            table.partition_keys.iter().filter(|key| kind(key).is_none()).map(|key| key.name.as_str()).collect();
        if !missing.is_empty() {
            return Err(Error::invalid(format!(
                "table {} is configured for partition projection, but the following partition columns are missing projection \
                 configuration: [{}]",
                table.name,
                missing.join(", ")
            ))
            .with_hint("Set projection.<column>.type, and the properties of that type, with ALTER TABLE ... SET TBLPROPERTIES"));
        }
        let rules = table
            .partition_keys
            .iter()
            .map(|key| Rule::of(key, &table.properties).map_err(|error| error.with_context("table", table.name.to_string())));
        let rules = rules.collect::<Result<Vec<_>>>()?;
        let template = property(TEMPLATE).map(str::to_owned);
        if let Some(template) = &template {
            let lacking = table.partition_keys.iter().find(|key| !template.contains(&format!("${{{}}}", key.name)));
            if let Some(key) = lacking {
                return Err(Error::invalid(format!("\"{TEMPLATE}\" of table \"{}\" lacks ${{{}}}", table.name, key.name))
                    .with_hint("The template must contain every partition column"));
            }
        }
        let (keys, root) = (table.partition_keys.clone(), table.root());
        Ok(Some(Self { table: table.name.to_string(), root, keys, rules, template }))
    }

    /// The folder that contains all locations of a table's template, whatever the values of its keys; `None` for a table without a template. If values
    /// determine the store there is no such folder, and the text is empty or ends before the store's name.
    #[must_use]
    pub fn template_folder(table: &Table) -> Option<String> {
        Some(fixed_folder(table.properties.get(TEMPLATE)?, &table.root()))
    }

    /// The same of this projection's table.
    #[must_use]
    pub fn folder(&self) -> Option<String> {
        self.template.as_ref().map(|template| fixed_folder(template, &self.root))
    }

    /// The table's full name.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The keys, in order.
    #[must_use]
    pub fn keys(&self) -> &[Column] {
        &self.keys
    }

    /// The values of the key at `at` that satisfy a filter.
    ///
    /// # Errors
    /// `LimitExceeded` for more than a scan may have; `Invalid` for a key of type `injected` without values.
    pub fn values(&self, at: usize, filter: &KeyFilter, now: DateTime<Utc>) -> Result<Vec<String>> {
        let (key, rule) = (&self.keys[at], &self.rules[at]);
        rule.values(key, filter, now.naive_utc(), MOST_PARTITIONS)
            .map_err(|error| error.with_context("table", self.table.clone()))
    }

    /// The index of all combinations of these values: one list for each key.
    ///
    /// # Errors
    /// `LimitExceeded` for more than a scan may have; `Invalid` for values that are not of their key's type.
    pub fn index(&self, values: &[Vec<String>]) -> Result<PartitionIndex> {
        let total = values.iter().try_fold(1_usize, |total, values| total.checked_mul(values.len()));
        let total = total.filter(|total| *total <= MOST_PARTITIONS).ok_or_else(|| {
            Error::new(
                ErrorKind::LimitExceeded,
                format!("partition projection of table \"{}\" results in more than {MOST_PARTITIONS} partitions", self.table),
            )
            .with_hint("Add filters on more of its partition keys")
        })?;
        let mut partitions = Vec::with_capacity(total);
        for mut number in 0..total {
            let mut row: Vec<Option<String>> = vec![None; values.len()];
            for (value, choices) in row.iter_mut().zip(values).rev() {
                *value = Some(choices[number % choices.len()].clone());
                number /= choices.len();
            }
            let location = self.template.as_ref().map(|template| self.location(template, &row)).transpose()?;
            partitions.push((hive_name(&self.keys, &row), location));
        }
        partitions.sort_unstable();
        partitions.dedup_by(|one, other| one.0 == other.0);
        let mut builder = PartitionIndexBuilder::new(&self.keys);
        for (name, location) in &partitions {
            builder.push(name, location.as_deref(), None)?;
        }
        builder.finish().map_err(|error| error.with_context("table", self.table.clone()))
    }

    fn location(&self, template: &str, row: &[Option<String>]) -> Result<String> {
        let template = whole_template(template, &self.root);
        let filled = self.keys.iter().zip(row).fold(template, |filled, (key, value)| {
            filled.replace(&format!("${{{}}}", key.name), value.as_deref().unwrap_or_default())
        });
        // Adjacent values may form a segment that none of them is.
        if filled.split('/').any(|segment| segment.to_ascii_lowercase().replace("%2e", ".") == "..") {
            let message = format!("\"{TEMPLATE}\" of table \"{}\" results in a location with \"..\": \"{filled}\"", self.table);
            return Err(Error::invalid(message).with_hint("Remove .. from the template, and separate its placeholders"));
        }
        Ok(filled)
    }
}

fn fixed_folder(template: &str, root: &str) -> String {
    let whole = whole_template(template, root);
    let fixed = whole.split("${").next().unwrap_or_default();
    fixed[..fixed.rfind('/').map_or(0, |slash| slash + 1)].to_owned()
}

/// The template as a URL: it may be relative to the table's location. A value cannot make it absolute.
fn whole_template(template: &str, root: &str) -> String {
    let is_whole = template.contains("://") || template.starts_with('/');
    if is_whole { template.to_owned() } else { format!("{root}{template}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{hive_type::HiveType, ident::TableName, model::StorageDescriptor};

    fn table(keys: &[(&str, HiveType)], properties: &[(&str, &str)]) -> Table {
        let now = DateTime::UNIX_EPOCH;
        {
            let storage = StorageDescriptor { location: "s3://lake/t".to_owned(), ..StorageDescriptor::default() };
            let keys = keys.iter().map(|(name, hive_type)| Column::new(*name, hive_type.clone())).collect();
            let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Table { properties, ..Table::external(TableName::new("default", "t"), storage, keys, now) }
        }
    }

    fn now() -> DateTime<Utc> {
        "2024-03-10T15:20:00Z".parse().unwrap()
    }

    #[test]
    fn combines_the_keys_and_fills_the_template() {
        let table = table(
            &[("region", HiveType::String), ("year", HiveType::Int)],
            &[
                ("projection.enabled", "true"),
                ("projection.region.type", "enum"),
                ("projection.region.values", "eu,us"),
                ("projection.year.type", "integer"),
                ("projection.year.range", "2022,2024"),
                ("storage.location.template", "s3://lake/x/${region}/y${year}"),
            ],
        );
        let projection = Projection::of(&table).unwrap().unwrap();
        let years = KeyFilter { low: Some("2023".to_owned()), ..KeyFilter::default() };
        let values = [projection.values(0, &KeyFilter::default(), now()).unwrap(), projection.values(1, &years, now()).unwrap()];
        let index = projection.index(&values).unwrap();
        let found: Vec<_> = (0..index.len()).map(|row| (index.name(row), index.location(row, "s3://lake/t/"))).collect();
        let expected = [("eu", 2023), ("eu", 2024), ("us", 2023), ("us", 2024)]
            .map(|(region, year)| (format!("region={region}/year={year}"), format!("s3://lake/x/{region}/y{year}/")));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_value_does_not_lead_out_of_the_table() {
        let properties = [
            ("projection.enabled", "true"),
            ("projection.tenant.type", "injected"),
            ("storage.location.template", "${tenant}/data"),
        ];
        let projection = Projection::of(&table(&[("tenant", HiveType::String)], &properties)).unwrap().unwrap();
        let values = |value: &str| {
            let filter = KeyFilter { values: Some(vec![value.to_owned()]), ..KeyFilter::default() };
            projection.values(0, &filter, now())
        };
        let index = projection.index(&[values("s3://other/x").unwrap()]).unwrap();
        assert_eq!(index.location(0, "s3://lake/t/"), "s3://lake/t/s3://other/x/data/");
        for value in ["..", "../other", "a/../../other", "."] {
            assert_eq!(values(value).unwrap_err().kind(), ErrorKind::Invalid, "{value}");
        }
        assert_eq!(values("a..b/c").unwrap(), ["a..b/c"]);
    }

    #[test]
    fn a_template_has_a_folder() {
        for (template, folder) in [
            ("s3://lake/x/${region}/y${year}", "s3://lake/x/"),
            ("s3://lake/x${region}", "s3://lake/"),
            ("s3://lake${region}/x", "s3://"),
            ("${region}://lake/x", ""),
            ("${region}/data", "s3://lake/t/"),
            ("../${region}", "s3://lake/t/../"),
            ("/data/${region}/", "/data/"),
        ] {
            let table = table(&[("region", HiveType::String)], &[("storage.location.template", template)]);
            assert_eq!(Projection::template_folder(&table).unwrap(), folder, "{template}");
        }
        let properties = [
            ("projection.enabled", "true"),
            ("projection.a.type", "enum"),
            ("projection.a.values", "x,"),
            ("storage.location.template", "/data/.${a}./other"),
        ];
        let projection = Projection::of(&table(&[("a", HiveType::String)], &properties)).unwrap().unwrap();
        assert_eq!(projection.index(&[vec![String::new()]]).unwrap_err().kind(), ErrorKind::Invalid);
        assert!(projection.index(&[vec!["x".to_owned()]]).is_ok());
    }

    #[test]
    fn names_what_is_missing() {
        let keys = [("a", HiveType::String), ("b", HiveType::String)];
        let error =
            Projection::of(&table(&keys, &[("projection.enabled", "TRUE"), ("projection.a.type", "injected")])).unwrap_err();
        assert!(error.to_string().contains("missing projection configuration: [b]"), "{error}");
        let both = [
            ("projection.enabled", "true"),
            ("projection.a.type", "injected"),
            ("projection.b.type", "injected"),
            ("storage.location.template", "s3://lake/${a}"),
        ];
        assert!(Projection::of(&table(&keys, &both)).unwrap_err().to_string().contains("${b}"));
        assert_eq!(Projection::of(&table(&keys, &[("projection.enabled", "false")])).unwrap(), None);
    }

    #[test]
    fn too_many_are_refused() {
        let keys = [("a", HiveType::Int), ("b", HiveType::Int)];
        let properties = [
            ("projection.enabled", "true"),
            ("projection.a.type", "integer"),
            ("projection.a.range", "1,2000"),
            ("projection.b.type", "integer"),
            ("projection.b.range", "1,1000000"),
        ];
        let projection = Projection::of(&table(&keys, &properties)).unwrap().unwrap();
        let all = |at: usize| projection.values(at, &KeyFilter::default(), now()).unwrap();
        assert_eq!(projection.index(&[all(0), all(1)]).unwrap_err().kind(), ErrorKind::LimitExceeded);
    }
}
