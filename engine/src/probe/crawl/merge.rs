//! One type for a column that has several in several files, such that a scan can read all of them.
//!
//! The rules: integers widen to the wider one; integers and decimals to a decimal that holds both; integers and floats to double, float and double to
//! double; text to string; structs have the fields of all; elements, keys and values merge likewise. Nothing else goes together.

use glaux_catalog::HiveType;

/// The type as which values of both types are read; `None` if there is none.
pub(super) fn merged(one: &HiveType, other: &HiveType) -> Option<HiveType> {
    use HiveType as T;
    Some(match (one, other) {
        (one, other) if one == other => one.clone(),
        (T::Float | T::Double, T::Float | T::Double) => T::Double,
        (T::Varchar(one), T::Varchar(other)) => T::Varchar(*one.max(other)),
        (one, other) if is_text(one) && is_text(other) => match (one, other) {
            (T::Binary, T::Binary) => T::Binary,
            _ => T::String,
        },
        (T::Array(one), T::Array(other)) => T::Array(Box::new(merged(one, other)?)),
        (T::Map(key, value), T::Map(other_key, other_value)) => {
            T::Map(Box::new(merged(key, other_key)?), Box::new(merged(value, other_value)?))
        }
        (T::Struct(one), T::Struct(other)) => {
            let mut fields = one.clone();
            for (name, hive_type) in other {
                match fields.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = merged(known, hive_type)?,
                    None => fields.push((name.clone(), hive_type.clone())),
                }
            }
            T::Struct(fields)
        }
        (one, other) => match (digits(one), digits(other)) {
            (Some(_), None) if matches!(other, T::Float | T::Double) && is_integer(one) => T::Double,
            (None, Some(_)) if matches!(one, T::Float | T::Double) && is_integer(other) => T::Double,
            (Some(a), Some(b)) if is_integer(one) && is_integer(other) => {
                if a.0 >= b.0 {
                    one.clone()
                } else {
                    other.clone()
                }
            }
            (Some(a), Some(b)) => {
                let scale = a.1.max(b.1);
                let precision = a.0.max(b.0) + scale;
                T::Decimal(precision, i8::try_from(scale).ok().filter(|_| precision <= 38)?)
            }
            _ => return None,
        },
    })
}

fn is_text(hive_type: &HiveType) -> bool {
    matches!(hive_type, HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) | HiveType::Binary)
}

fn is_integer(hive_type: &HiveType) -> bool {
    matches!(hive_type, HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt)
}

/// Digits before and after the point of an exact number.
fn digits(hive_type: &HiveType) -> Option<(u8, u8)> {
    Some(match hive_type {
        HiveType::TinyInt => (3, 0),
        HiveType::SmallInt => (5, 0),
        HiveType::Int => (10, 0),
        HiveType::BigInt => (19, 0),
        HiveType::Decimal(precision, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            (precision.checked_sub(scale)?, scale)
        }
        _ => return None,
    })
}

/// Whether a table's column of a type need not change for files of another: all their values are read as it.
pub(super) fn covers(table: &HiveType, file: &HiveType) -> bool {
    is_text(table) && is_text(file) || merged(table, file).as_ref() == Some(table)
}

/// What the files say of one column.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub name: String,
    /// Each type that was seen, how often, and some of the files that have it.
    types: Vec<(HiveType, usize, Vec<String>)>,
}

/// Files of a conflict that are named.
const NAMED: usize = 3;

/// Types that do not go together with the column's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clash {
    pub hive_type: HiveType,
    pub count: usize,
    pub files: Vec<String>,
}

impl Seen {
    /// The type of most files, widened by those that go with it; and those that do not.
    pub(super) fn settle(&self) -> (HiveType, Vec<Clash>) {
        let mut types: Vec<&(HiveType, usize, Vec<String>)> = self.types.iter().collect();
        // Stable: of equally frequent types, the one seen first.
        types.sort_by_key(|(_, count, _)| std::cmp::Reverse(*count));
        let mut settled = types.first().map_or(HiveType::String, |(first, ..)| first.clone());
        let mut clashes = Vec::new();
        for (hive_type, count, files) in types.into_iter().skip(1) {
            match merged(&settled, hive_type) {
                Some(wider) => settled = wider,
                None => clashes.push(Clash { hive_type: hive_type.clone(), count: *count, files: files.clone() }),
            }
        }
        (settled, clashes)
    }

    /// All types that were seen, the first one first, and some of the files.
    pub(super) fn all(&self) -> (impl Iterator<Item = HiveType>, Vec<String>) {
        let files = self.types.iter().flat_map(|(.., files)| files.clone()).collect();
        (self.types.iter().map(|(hive_type, ..)| hive_type.clone()), files)
    }

    /// Those of the types that cannot be read as this one.
    pub(super) fn clashes_with(&self, table: &HiveType) -> Vec<Clash> {
        let clash = |(hive_type, count, files): &(HiveType, usize, Vec<String>)| {
            (!covers(table, hive_type) && merged(table, hive_type).is_none()).then(|| Clash {
                hive_type: hive_type.clone(),
                count: *count,
                files: files.clone(),
            })
        };
        self.types.iter().filter_map(clash).collect()
    }

    /// The type that a table's column needs for all files that go with it.
    pub(super) fn widen(&self, table: &HiveType) -> HiveType {
        self.types.iter().fold(table.clone(), |table, (hive_type, ..)| match covers(&table, hive_type) {
            true => table,
            false => merged(&table, hive_type).unwrap_or(table),
        })
    }
}

/// The columns of several files, by name, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(super) struct Columns(pub Vec<Seen>);

impl Columns {
    pub(super) fn add(&mut self, name: &str, hive_type: &HiveType, file: &str) {
        let at = match self.0.iter().position(|seen| seen.name == name) {
            Some(at) => at,
            None => {
                self.0.push(Seen { name: name.to_owned(), types: Vec::new() });
                self.0.len() - 1
            }
        };
        let types = &mut self.0[at].types;
        match types.iter_mut().find(|(known, ..)| known == hive_type) {
            Some((_, count, files)) => {
                *count += 1;
                if files.len() < NAMED {
                    files.push(file.to_owned());
                }
            }
            None => types.push((hive_type.clone(), 1, vec![file.to_owned()])),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Seen> {
        self.0.iter().find(|seen| seen.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> HiveType {
        text.parse().unwrap()
    }

    #[test]
    fn types_merge_to_what_reads_both() {
        for (one, other, both) in [
            ("int", "bigint", "bigint"),
            ("tinyint", "smallint", "smallint"),
            ("int", "double", "double"),
            ("bigint", "float", "double"),
            ("float", "double", "double"),
            ("int", "decimal(5,2)", "decimal(12,2)"),
            ("decimal(10,2)", "decimal(8,4)", "decimal(12,4)"),
            ("varchar(3)", "varchar(7)", "varchar(7)"),
            ("varchar(3)", "string", "string"),
            ("binary", "string", "string"),
            ("array<int>", "array<bigint>", "array<bigint>"),
            ("map<string,int>", "map<string,double>", "map<string,double>"),
            ("struct<a:int,b:string>", "struct<b:string,a:bigint,c:date>", "struct<a:bigint,b:string,c:date>"),
        ] {
            assert_eq!(merged(&parse(one), &parse(other)), Some(parse(both)), "{one} and {other}");
        }
        for (one, other) in [
            ("int", "string"),
            ("date", "timestamp"),
            ("decimal(10,2)", "double"),
            ("decimal(38,0)", "decimal(38,10)"),
            ("boolean", "int"),
            ("array<int>", "int"),
            ("struct<a:int>", "struct<a:string>"),
        ] {
            assert_eq!(merged(&parse(one), &parse(other)), None, "{one} and {other}");
            assert_eq!(merged(&parse(other), &parse(one)), None, "{other} and {one}");
        }
    }

    #[test]
    fn a_table_covers_what_it_reads() {
        for (table, file, covered) in [
            ("bigint", "int", true),
            ("int", "bigint", false),
            ("varchar(3)", "string", true),
            ("double", "int", true),
            ("decimal(12,2)", "int", true),
            ("struct<a:int,b:int>", "struct<b:int>", true),
            ("struct<b:int>", "struct<a:int,b:int>", false),
        ] {
            assert_eq!(covers(&parse(table), &parse(file)), covered, "{table} and {file}");
        }
    }

    #[test]
    fn the_type_of_most_files_settles_a_conflict() {
        let mut columns = Columns::default();
        for (file, hive_type) in [("1", "string"), ("2", "int"), ("3", "bigint"), ("4", "int"), ("5", "string"), ("6", "int")] {
            columns.add("a", &parse(hive_type), file);
        }
        let seen = columns.get("a").unwrap();
        let (settled, clashes) = seen.settle();
        assert_eq!(settled, HiveType::BigInt);
        let files = vec!["1".to_owned(), "5".to_owned()];
        assert_eq!(clashes, [Clash { hive_type: HiveType::String, count: 2, files }]);
        assert_eq!(seen.widen(&HiveType::Int), HiveType::BigInt);
        assert_eq!(seen.clashes_with(&HiveType::Int).len(), 1);
        assert_eq!(seen.widen(&HiveType::String), HiveType::String);
        assert_eq!(seen.clashes_with(&HiveType::String).len(), 2);
    }
}
