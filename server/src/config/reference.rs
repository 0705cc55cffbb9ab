//! docs/configuration.md: generated from the table of keys and the defaults, and compared with the committed page. Tests check that the table has
//! every key, and that each accepts what it says.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use figment::{
    Figment,
    providers::{Format, Serialized, Toml},
    value::Value,
};

use super::{
    Config,
    origin::SECTIONS,
    schema::{self, Shape},
    sizes::Sizes,
};
use crate::{
    auth::Proof,
    setting::{KEYS, Key, Takes},
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

const INTRODUCTION: &str = r#"# Configuration

<!-- Generated from server/src/setting/keys.rs. To update it: UPDATE_DOCS=1 cargo test -p glaux config::reference -->

Every key, what it takes, its default and its meaning. `glaux config show` prints the values that hold, and where each comes from.
Later ones win:

1. the defaults on this page;
2. a TOML file: `glaux.toml` in the data directory, or the file that `--config` names;
3. environment variables: `GLAUX__ENGINE__MEMORY_LIMIT=4GiB` sets `engine.memory_limit`;
4. flags, and the variables that stand for them.

```toml
[engine]
memory_limit = "4GiB"

[session]
timeout = "5m"
```

A key has one name: `session.max_scan` is `max_scan` in the section `[session]` of the file, `GLAUX__SESSION__MAX_SCAN` in the
environment, `--max-scan` on the command line, and `SET SESSION max_scan` in SQL and in the session options of clients. An unknown key
is an error. Changes of the file take effect at the next start.

| Takes | Written as |
|---|---|
| bytes | a number, or a text with a unit: `"10MB"` (10^6 each), `"10MiB"` (2^20 each); k, M, G and T |
| time | a text with a unit: `"250ms"`, `"30s"`, `"5m"`, `"1h"`; or a number of seconds |
| text, path, URL, address:port, one of several texts | a text between quotes |
| list of texts | `["a", "b"]` |
| true or false, number, milliseconds, seconds, days | as it is |
| texts by name, sections by name | a section of its own, with names that you choose |
| lists of sections by name | `[[section.name]]`, once for each entry of the list |
"#;

/// The sections in the order of the page, each with what it is about.
const CHAPTERS: [(&str, &str); 11] = [
    ("session", "What a session begins with. The meaning ends with what else sets the key: for one command, or for one session."),
    (
        "engine",
        "How the engine works: memory, parallelism, caches, the history, and where tables may lie. See [scan.md](scan.md),\n\
         [access.md](access.md) and [security.md](security.md#where-tables-may-lie).",
    ),
    ("tariffs", "What scanned bytes and requests cost: [billing.md](billing.md). `engine.tariff` names the one that holds."),
    (
        "storage",
        "Stores, and how they are asked. `[storage.defaults]` is for every bucket. Keys that are not set come from the usual\n\
         environment variables of each provider: [stores.md](stores.md).",
    ),
    ("catalog", "The catalog service to use in place of the data directory's own catalog: [catalog.md](catalog.md)."),
    ("server", "Where `glaux serve` listens, and how it ends: [operations.md](operations.md)."),
    ("flight", "What `glaux serve` keeps for clients, and what it accepts: [operations.md](operations.md#limits)."),
    ("auth", "How callers of `glaux serve` prove who they are: [security.md](security.md)."),
    ("tls", "Encryption of the ports of `glaux serve`: [security.md](security.md)."),
    ("log", "The log of `glaux serve`. Other commands log warnings only, unless `GLAUX_LOG` asks for more."),
    ("telemetry", "Traces of `glaux serve`: [operations.md](operations.md#traces)."),
];

fn page() -> String {
    let defaults = Figment::from(Serialized::defaults(Config::default()));
    let mut page = INTRODUCTION.to_owned();
    for (section, about) in CHAPTERS {
        let _ = write!(page, "\n## {section}\n\n{about}\n\n| Key | Takes | Default | Meaning |\n|---|---|---|---|\n");
        let of_section = |key: &&Key| key.name.split('.').next() == Some(section);
        for key in KEYS.iter().filter(of_section) {
            let default = defaults.find_value(key.name).map_or_else(|_| NOT_SET.to_owned(), |value| written(&value, key.takes));
            let _ = writeln!(page, "| `{}` | {} | {default} | {}{} |", key.name, key.takes, key.meaning, set_by(key));
        }
    }
    page
}

const NOT_SET: &str = "not set";

/// A value as it stands in a file.
fn written(value: &Value, takes: Takes) -> String {
    let text = match (value, value.to_u128().and_then(|number| u64::try_from(number).ok())) {
        (Value::Empty(..), _) => return NOT_SET.to_owned(),
        (Value::Dict(_, entries), _) if entries.is_empty() => return NOT_SET.to_owned(),
        (_, Some(bytes)) if takes == Takes::Bytes => sized(bytes),
        (value, _) => toml::Value::try_from(value).unwrap().to_string(),
    };
    format!("`{text}`")
}

/// Bytes in the largest unit of which they are a whole number.
fn sized(bytes: u64) -> String {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    let unit = UNITS.into_iter().find(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(unit, size)| format!("\"{}{unit}\"", bytes / size))
}

/// How else a key is set.
fn set_by(key: &Key) -> String {
    let flag = key.flag.map(|flag| format!(" Flag `{flag}`."));
    let variable = key.variable.map(|variable| format!(" Variable `{variable}`."));
    let session = key.session().map(|name| format!(" `SET SESSION {name}`."));
    [flag, variable, session].into_iter().flatten().collect()
}

#[test]
fn the_page_is_what_the_keys_and_defaults_say() {
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let committed = fs::read_to_string(PAGE).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert!(
        page == committed,
        "docs/configuration.md is not what the code says: {differs:?}. \
         UPDATE_DOCS=1 cargo test -p glaux config::reference updates it"
    );
    for key in KEYS {
        assert_eq!(page.matches(&format!("\n| `{}` |", key.name)).count(), 1, "{}", key.name);
    }
}

#[test]
fn every_key_is_in_the_table_and_takes_what_it_says() {
    // The engine's options hold the sections of tariffs and of storage, which are not written there.
    let is_copy = |name: &str| name == "engine.tariffs" || name.starts_with("engine.storage.");
    let read: Vec<_> = schema::keys::<Config>().into_iter().filter(|(name, _)| !is_copy(name)).collect();
    let names: BTreeSet<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
    let known: BTreeSet<&str> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(known.len(), KEYS.len(), "a key stands there twice");
    let (unknown, gone): (Vec<_>, Vec<_>) = (names.difference(&known).collect(), known.difference(&names).collect());
    assert!(unknown.is_empty() && gone.is_empty(), "without a meaning in setting/keys: {unknown:?}; not read: {gone:?}");

    for (name, shape) in &read {
        let takes = KEYS.iter().find(|key| key.name == name).unwrap().takes;
        let fits = match *shape {
            Shape::Switch => takes == Takes::Switch,
            Shape::Choice(values) => takes == Takes::OneOf(values),
            Shape::Section(_) => false,
            Shape::Other => !matches!(takes, Takes::Switch | Takes::OneOf(_)),
        };
        assert!(fits, "{name} takes {shape:?}, not {takes:?}");
    }
    let identity = KEYS.iter().find(|key| key.name == "auth.identity").unwrap().takes;
    assert!(matches!((schema::shape::<Proof>(&[]), identity), (Shape::Choice(read), Takes::OneOrMoreOf(known)) if read == known));
}

#[test]
fn every_key_takes_a_value_of_its_kind() {
    for key in KEYS {
        for value in samples(key.takes) {
            let file = Sizes(Toml::string(&format!("{} = {value}", key.name)));
            let read = Figment::from(Serialized::defaults(Config::default())).merge(file).extract::<Config>();
            assert!(read.is_ok(), "{} = {value}: {:?}", key.name, read.err());
        }
    }
}

/// Values that a key takes, in all the ways to write them.
fn samples(takes: Takes) -> Vec<String> {
    let texts: &[&str] = match takes {
        Takes::Text | Takes::Url => &["\"x\""],
        Takes::Texts => &["[]", "[\"x\", \"y\"]"],
        Takes::TextOrTexts => &["\"x\"", "[\"x\", \"y\"]"],
        Takes::NamedTexts => &["{ a = \"x\" }"],
        Takes::NamedSections => &["{ a = { region = \"x\" } }"],
        Takes::NamedLists => &["{ a = [{ effective_from = \"2027-01-01\", usd_per_tb = \"4.5\" }] }"],
        Takes::Path => &["\"/x/y\""],
        Takes::Address => &["\"127.0.0.1:0\""],
        Takes::Bytes => &["7", "\"10MB\"", "\"10MiB\""],
        Takes::Time => &["7", "\"250ms\"", "\"30s\"", "\"5m\"", "\"1h\""],
        Takes::Milliseconds | Takes::Seconds | Takes::Days | Takes::Count => &["7"],
        Takes::Switch => &["true", "false"],
        Takes::OneOf(values) => return values.iter().map(|value| format!("\"{value}\"")).collect(),
        Takes::OneOrMoreOf(values) => {
            let one = values.iter().map(|value| format!("\"{value}\""));
            return one.clone().chain([format!("[{}]", one.collect::<Vec<_>>().join(", "))]).collect();
        }
    };
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn every_section_is_shown_and_described() {
    let Shape::Section(read) = schema::shape::<Config>(&[]) else { panic!("the configuration has sections") };
    let sorted = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<BTreeSet<_>>();
    let read = sorted(&mut read.iter().copied());
    assert_eq!(read, sorted(&mut SECTIONS.into_iter()));
    assert_eq!(read, sorted(&mut CHAPTERS.into_iter().map(|(section, _)| section)));
}
