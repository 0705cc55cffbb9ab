//! The source is tidy: which crate may use which, no circles (`circles`), one version of each core crate, headers, and files that stay small.

mod circles;
mod source;
mod uses;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use libtest_mimic::{Failed, Trial};

/// Lines of production code that a file may have.
const MAX_LINES: usize = 500;

/// Crates that exist once, so that their types are one type.
const SINGLE: [&str; 10] =
    ["arrow", "arrow-array", "datafusion", "object_store", "parquet", "prost", "rusqlite", "sqlparser", "tonic", "arrow-flight"];

/// Each crate of ours, the ones of ours it may use, and what it may never use.
const ARROWS: [(&str, &[&str], &[&str]); 6] = [
    ("proto", &[], &["datafusion", "rusqlite", "axum", "clap"]),
    ("catalog", &["glaux-proto"], &["datafusion", "sqlparser", "parquet", "axum", "clap"]),
    ("engine", &["glaux-proto", "glaux-catalog"], &["tonic", "axum", "clap", "arrow-flight"]),
    ("server", &["glaux-proto", "glaux-catalog", "glaux-engine"], &["datafusion", "object_store", "rusqlite", "sqlparser"]),
    ("tests", &["glaux-proto", "glaux-catalog", "glaux-engine"], &[]),
    ("benches", &["glaux-proto", "glaux-catalog", "glaux-engine", "glaux-tests"], &[]),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("house/crates_use_only_those_below", crates_use_only_those_below),
        Trial::test("house/one_version_of_each_core_crate", one_version_of_each_core_crate),
        Trial::test("house/files_are_small_and_say_what_they_are", files_are_small_and_say_what_they_are),
    ];
    trials.extend(circles::trials());
    trials
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn crates_use_only_those_below() -> Result<(), Failed> {
    for (name, ours, never) in ARROWS {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml"))?;
        let dependencies = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for line in dependencies.lines() {
            let used = line.split(['.', ' ', '=']).next().unwrap_or_default();
            if used.starts_with("glaux-") && !ours.contains(&used) && line.contains("workspace") {
                return Err(format!("{name} may not use {used}").into());
            }
            if never.contains(&used) {
                return Err(format!("{name} may not know {used}").into());
            }
        }
    }
    Ok(())
}

fn one_version_of_each_core_crate() -> Result<(), Failed> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for name in lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')) {
        *versions.entry(name).or_default() += 1;
    }
    for name in SINGLE {
        if versions.get(name).is_some_and(|count| *count > 1) {
            return Err(format!("Cargo.lock has more than one {name}").into());
        }
    }
    Ok(())
}

fn files_are_small_and_say_what_they_are() -> Result<(), Failed> {
    let mut faults = Vec::new();
    let mut folders: Vec<PathBuf> = ARROWS.iter().map(|(name, ..)| root().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            if !text.starts_with("//!") {
                faults.push(format!("{} does not begin with //!", path.display()));
            }
            let production = text.split("\n#[cfg(test)]\nmod tests {").next().map_or(0, |code| code.lines().count());
            if production > MAX_LINES {
                faults.push(format!("{} has {production} lines, more than {MAX_LINES}", path.display()));
            }
            if path.file_stem().is_some_and(|stem| stem.to_string_lossy().contains("part2")) {
                faults.push(format!("{} is named after nothing", path.display()));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}
