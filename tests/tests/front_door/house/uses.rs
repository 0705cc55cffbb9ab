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
    let globs = globs(of);
    for (at, module) in of.modules.iter().enumerate() {
        // A `pub use` is there for others, and what comes by `*` shows where it is used.
        let own = module.imports.iter().filter(|import| !import.is_public && import.name != GLOB);
        for path in own.map(|import| &import.path).chain(&module.paths) {
            let Some(Named::Item(used, name)) = look_up(of, &globs, at, path, 0) else { continue };
            let file = &of.modules[used].file;
            if *file != module.file {
                uses.entry(module.file.clone()).or_default().entry(file.clone()).or_default().insert(name);
            }
        }
    }
    uses
}

/// By module, the modules of which it takes in all names by `*`.
type Globs = Vec<Vec<usize>>;

/// The globs of a crate. A path before a `*` is taken to lead there by names that are written.
fn globs(of: &Crate) -> Globs {
    let none = vec![Vec::new(); of.modules.len()];
    let target = |at: usize, import: &Import| match look_up(of, &none, at, &import.path, 0) {
        Some(Named::Module(other)) if other != at => Some(other),
        _ => None,
    };
    let of_module = |(at, module): (usize, &super::source::Module)| {
        module.imports.iter().filter(|import| import.name == GLOB).filter_map(|import| target(at, import)).collect()
    };
    of.modules.iter().enumerate().map(of_module).collect()
}

/// What a path leads to that stands in a module; nothing if it is another crate's.
fn look_up(of: &Crate, globs: &Globs, from: usize, path: &[String], steps: usize) -> Option<Named> {
    let (mut at, mut rest) = (from, path);
    match path.first()?.as_str() {
        "crate" => (at, rest) = (0, &path[1..]),
        "self" => rest = &path[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                (at, rest) = (of.modules[at].parent?, &rest[1..]);
            }
        }
        name if has(of, at, name) || through_glob(of, globs, at, name).is_some() => {}
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
                return follow(of, globs, at, import, after, steps);
            }
        }
        if let Some(child) = child {
            (at, rest) = (child, after);
        } else if let Some(other) = through_glob(of, globs, at, name) {
            at = other;
        } else {
            // A macro has made it.
            return Some(Named::Item(at, name.clone()));
        }
    }
    Some(Named::Module(at))
}

/// What an imported name leads to, with what stands behind it.
fn follow(of: &Crate, globs: &Globs, at: usize, import: &Import, after: &[String], steps: usize) -> Option<Named> {
    let module = &of.modules[at];
    // `use name;` and `use name::{self, ...}` of another crate.
    let is_foreign = import.path.first() == Some(&import.name) && !module.children.contains_key(&import.name);
    if is_foreign || steps >= MOST_STEPS {
        return None;
    }
    look_up(of, globs, at, &[import.path.as_slice(), after].concat(), steps + 1)
}

/// Whether a module has a name of its own, or imports it by name.
fn has(of: &Crate, at: usize, name: &str) -> bool {
    let module = &of.modules[at];
    module.children.contains_key(name) || module.items.contains(name) || module.imports.iter().any(|import| import.name == name)
}

/// The module out of which a `*` brings in a name, by itself or by further ones.
fn through_glob(of: &Crate, globs: &Globs, at: usize, name: &str) -> Option<usize> {
    let mut seen = BTreeSet::from([at]);
    let mut open = vec![at];
    while let Some(module) = open.pop() {
        for other in &globs[module] {
            if has(of, *other, name) {
                return Some(*other);
            }
            if seen.insert(*other) {
                open.push(*other);
            }
        }
    }
    None
}
