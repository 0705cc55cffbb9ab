//! Which file of a crate uses which. A name counts for the file that defines it, by whichever `use` and `pub use` it comes: so `mod` lines and
//! files that only pass names on use nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Crate, GLOB, Import};

/// By the file that uses, the files that it uses, with what of theirs.
pub(super) type Uses = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Beyond so many steps from `use` to `use` a name is given up.
const MOST_STEPS: usize = 32;

/// What a path leads to.
enum Named {
    /// What a module defines, by its name.
    Item(usize, String),
    Module(usize),
}

/// The uses between the files of a crate.
pub(super) fn uses(of: &Crate) -> Uses {
    let mut uses = Uses::new();
    for (at, module) in of.modules.iter().enumerate() {
        // A `pub use` is there for others, and what comes by `*` shows where it is used.
        let own = module.imports.iter().filter(|import| !import.is_public && import.name != GLOB);
        for path in own.map(|import| &import.path).chain(&module.paths) {
            let Some(Named::Item(used, name)) = look_up(of, at, path, 0) else { continue };
            let file = &of.modules[used].file;
            if *file != module.file {
                uses.entry(module.file.clone()).or_default().entry(file.clone()).or_default().insert(name);
            }
        }
    }
    uses
}

/// What a path leads to that stands in a module; nothing if it is another crate's.
fn look_up(of: &Crate, from: usize, path: &[String], steps: usize) -> Option<Named> {
    let (mut at, mut rest) = (from, path);
    match path.first()?.as_str() {
        "crate" => (at, rest) = (0, &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                (at, rest) = (of.modules[at].parent?, &rest[1..]);
            }
        }
        name if knows(of, at, name, steps) => {}
        _ => return None,
    }
    while let Some((name, after)) = rest.split_first() {
        let module = &of.modules[at];
        let child = module.children.get(name).copied();
        // At the end of a path an item is meant rather than a module of the same name.
        if after.is_empty() || child.is_none() {
            if module.items.contains(name) {
                return Some(Named::Item(at, name.clone()));
            }
            if let Some(import) = module.imports.iter().find(|import| import.name == *name) {
                return follow(of, at, import, after, steps);
            }
        }
        if let Some(child) = child {
            (at, rest) = (child, after);
        } else if let Some(other) = through_glob(of, at, name, steps) {
            at = other;
        } else {
            // A macro has made it.
            return Some(Named::Item(at, name.clone()));
        }
    }
    Some(Named::Module(at))
}

/// What an imported name leads to, with what stands behind it.
fn follow(of: &Crate, at: usize, import: &Import, after: &[String], steps: usize) -> Option<Named> {
    let module = &of.modules[at];
    // `use name;` and `use name::{self, ...}` of another crate.
    let is_foreign = import.path.first() == Some(&import.name) && !module.children.contains_key(&import.name);
    if is_foreign || steps >= MOST_STEPS {
        return None;
    }
    look_up(of, at, &[import.path.as_slice(), after].concat(), steps + 1)
}

/// Whether a name can stand at the beginning of a path in a module, but for the names of other crates.
fn knows(of: &Crate, at: usize, name: &str, steps: usize) -> bool {
    has(of, at, name) || through_glob(of, at, name, steps).is_some()
}

/// Whether a module has a name of its own, or imports it by name.
fn has(of: &Crate, at: usize, name: &str) -> bool {
    let module = &of.modules[at];
    module.children.contains_key(name) || module.items.contains(name) || module.imports.iter().any(|import| import.name == name)
}

/// The module out of which a `*` brings in a name, by itself or by further ones.
fn through_glob(of: &Crate, at: usize, name: &str, steps: usize) -> Option<usize> {
    if steps >= MOST_STEPS {
        return None;
    }
    let mut seen = BTreeSet::from([at]);
    let mut open = vec![at];
    while let Some(module) = open.pop() {
        for import in of.modules[module].imports.iter().filter(|import| import.name == GLOB) {
            // The path before the `*` begins with a name that is written there, or with another crate's.
            let is_written = import
                .path
                .first()
                .is_some_and(|first| matches!(first.as_str(), "crate" | "self" | "super") || has(of, module, first));
            let target = if is_written { look_up(of, module, &import.path, steps + 1) } else { None };
            let Some(Named::Module(other)) = target else { continue };
            if has(of, other, name) {
                return Some(other);
            }
            if seen.insert(other) {
                open.push(other);
            }
        }
    }
    None
}
