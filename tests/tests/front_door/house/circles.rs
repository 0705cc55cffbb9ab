//! No circle between the files of a crate, nor between the folders at its top: whoever reads a file should be able to read first what it uses.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use libtest_mimic::{Failed, Trial};

use super::{
    source::Crate,
    uses::{Uses, uses},
};

/// The crates that are looked at: those that others use, and the binary.
const CRATES: [&str; 4] = ["proto", "catalog", "engine", "server"];

/// Of the uses between two folders, so many are listed.
const MOST_EXAMPLES: usize = 5;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("house/no_file_or_folder_uses_itself_by_others", no_file_or_folder_uses_itself_by_others),
        Trial::test("house/circles_of_files_are_found", circles_of_files_are_found),
        Trial::test("house/circles_of_folders_are_found", circles_of_folders_are_found),
        Trial::test("house/circles_are_told_with_their_reasons", circles_are_told_with_their_reasons),
    ]
}

fn no_file_or_folder_uses_itself_by_others() -> Result<(), Failed> {
    let mut faults = String::new();
    for name in CRATES {
        let source = super::root().join(name).join("src");
        let uses = uses(&Crate::read(&|file: &str| fs::read_to_string(source.join(file)).ok())?);
        write!(faults, "{}{}", of_files(name, &uses)?, of_folders(name, &uses)?)?;
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

/// The circles between files, with what closes them.
fn of_files(name: &str, uses: &Uses) -> Result<String, Failed> {
    let mut told = String::new();
    for circle in circles(&graph(uses)) {
        writeln!(told, "\n{name}: these {} files use each other in a circle", circle.len())?;
        for (user, used, names) in between(uses, &circle, |file| file) {
            writeln!(told, "    {user} uses {used}: {}", list(names))?;
        }
    }
    Ok(told)
}

/// The circles between the folders at a crate's top, with some of what closes them.
fn of_folders(name: &str, uses: &Uses) -> Result<String, Failed> {
    let mut told = String::new();
    let mut graph = Graph::new();
    for (user, used) in uses {
        let others = used.keys().map(|used| folder(used)).filter(|used| *used != folder(user));
        graph.entry(folder(user)).or_default().extend(others);
    }
    for circle in circles(&graph) {
        writeln!(told, "\n{name}: these {} folders use each other in a circle", circle.len())?;
        let mut examples: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for (user, used, names) in between(uses, &circle, folder) {
            let of = examples.entry((folder(user), folder(used))).or_default();
            of.push(format!("{user} uses {used}: {}", list(names)));
        }
        for ((user, used), examples) in examples {
            writeln!(told, "    {user} uses {used}")?;
            for example in examples.iter().take(MOST_EXAMPLES) {
                writeln!(told, "        {example}")?;
            }
            if examples.len() > MOST_EXAMPLES {
                writeln!(told, "        and {} more", examples.len() - MOST_EXAMPLES)?;
            }
        }
    }
    Ok(told)
}

/// The folder below `src` that a file is in, or goes with: `scan` for `scan.rs` and `scan/leaf/file.rs`.
fn folder(file: &str) -> &str {
    let first = file.split('/').next().unwrap_or(file);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The uses between the files of a circle, or of its folders; not those within one.
fn between<'a>(
    uses: &'a Uses,
    circle: &BTreeSet<&str>,
    place: impl Fn(&str) -> &str,
) -> Vec<(&'a str, &'a str, &'a BTreeSet<String>)> {
    let mut between = Vec::new();
    for (user, all) in uses {
        for (used, names) in all {
            let (from, to) = (place(user), place(used));
            if from != to && circle.contains(from) && circle.contains(to) {
                between.push((user.as_str(), used.as_str(), names));
            }
        }
    }
    between
}

fn list(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// What each node uses.
type Graph<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn graph(uses: &Uses) -> Graph<'_> {
    uses.iter().map(|(user, used)| (user.as_str(), used.keys().map(String::as_str).collect())).collect()
}

/// The groups of nodes that reach each other, and so themselves.
fn circles<'a>(graph: &Graph<'a>) -> Vec<BTreeSet<&'a str>> {
    let from_each: Graph<'_> = graph.keys().map(|node| (*node, reached(graph, node))).collect();
    let reaches = |from: &str, to: &str| from_each.get(from).is_some_and(|reached| reached.contains(to));
    let mut circles: Vec<BTreeSet<&str>> = Vec::new();
    for node in graph.keys().filter(|node| reaches(node, node)) {
        if !circles.iter().any(|circle| circle.contains(node)) {
            circles.push(graph.keys().copied().filter(|other| reaches(node, other) && reaches(other, node)).collect());
        }
    }
    circles
}

/// All that can be reached from a node in one step or more.
fn reached<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for next in graph.get(node).into_iter().flatten() {
            if reached.insert(*next) {
                open.push(*next);
            }
        }
    }
    reached
}

/// A crate of a few lines: files by their paths below `src`.
type Tree = &'static [(&'static str, &'static str)];

fn uses_of(tree: Tree) -> Result<Uses, Failed> {
    let source = |file: &str| tree.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned());
    Ok(uses(&Crate::read(&source)?))
}

/// Trees, and which of their files go round in a circle.
const FILES: [(&str, Tree, &[&str]); 13] = [
    (
        "two, by a `use` and by a path in the code",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B(Vec<crate::a::A>);"),
        ],
        &["a.rs", "b.rs"],
    ),
    (
        "three",
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b; pub fn a() { b::b() }"),
            ("b.rs", "use super::c::c; pub fn b() { c() }"),
            ("c.rs", "use crate::{a::a as other}; pub fn c() { other() }"),
        ],
        &["a.rs", "b.rs", "c.rs"],
    ),
    (
        "through a re-export, whose own file is no part of it",
        &[
            ("main.rs", "mod a; mod b;"),
            ("a.rs", "mod inner; pub use inner::Thing;"),
            ("a/inner.rs", "pub struct Thing(Option<Box<crate::b::B>>);"),
            ("b.rs", "use crate::a::Thing; pub struct B(Thing);"),
        ],
        &["a/inner.rs", "b.rs"],
    ),
    (
        "through a re-export of all that a module has",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod inner; pub use self::inner::*;"),
            ("a/inner.rs", "use crate::b::B; pub struct Thing(Option<Box<B>>);"),
            ("b.rs", "use crate::a; pub struct B(a::Thing);"),
        ],
        &["a/inner.rs", "b.rs"],
    ),
    (
        "a parent and its child, through `super`",
        &[
            ("lib.rs", "mod a;"),
            ("a.rs", "mod child; pub struct Shared; pub fn run() -> Shared { child::go() }"),
            ("a/child.rs", "use super::Shared; pub fn go() -> Shared { Shared }"),
        ],
        &["a.rs", "a/child.rs"],
    ),
    (
        "a parent that uses what it passes on",
        &[
            ("lib.rs", "mod a;"),
            ("a.rs", "mod child; pub use child::Child; pub const MOST: usize = 1; pub fn run(_: Child) {}"),
            ("a/child.rs", "pub struct Child([u8; super::MOST]);"),
        ],
        &["a.rs", "a/child.rs"],
    ),
    (
        "in the tokens of a macro",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub const NAME: &str = \"a\"; pub fn a() -> String { format!(\"{}\", crate::b::b()) }"),
            ("b.rs", "pub fn b() -> String { String::from(crate::a::NAME) }"),
        ],
        &["a.rs", "b.rs"],
    ),
    (
        "within a function, and out of a module in braces",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub struct A; mod inner { pub fn a() { crate::b::b() } }"),
            ("b.rs", "pub fn b() { use crate::a::A; let _ = A; }"),
        ],
        &["a.rs", "b.rs"],
    ),
    (
        "none where a parent only passes its children on",
        &[
            ("lib.rs", "mod a;"),
            ("a.rs", "mod one; mod two; pub use one::One; pub(crate) use two::Two;"),
            ("a/one.rs", "use super::Two; pub struct One(Two);"),
            ("a/two.rs", "pub struct Two;"),
        ],
        &[],
    ),
    (
        "none where a module alone is used",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub mod leaf; pub fn a() { crate::b::b() }"),
            ("a/leaf.rs", "pub struct Leaf;"),
            ("b.rs", "use crate::a::{self, leaf}; pub fn b() { let _ = (leaf::Leaf, a::leaf::Leaf); }"),
        ],
        &[],
    ),
    (
        "none where only tests go round",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] mod more; #[cfg(test)] mod tests { use crate::a::A; }
                 #[cfg(all(test, unix))] use crate::a::A as Other;
                 impl B { #[cfg(test)] fn a() -> crate::a::A { crate::a::A(B) } }",
            ),
            ("b/more.rs", "use crate::a::A;"),
        ],
        &[],
    ),
    (
        "none where comments, texts and visibilities name it",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub struct A(crate::b::B);"),
            (
                "b.rs",
                "//! See [`crate::a::A`].\n/// As crate::a::A.\npub(in crate::b) struct B; // crate::a::A\n\
                 pub const TEXT: &str = \"crate::a::A\";",
            ),
        ],
        &[],
    ),
    (
        "none where a variable or another crate has the name",
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod url; pub use url::place; pub fn a(place: usize) -> usize { place }"),
            ("a/url.rs", "use url::Url; pub fn place() -> Option<Url> { ::a::a(); super::a(1); None }"),
            ("b.rs", "pub fn b() {}"),
        ],
        &[],
    ),
];

fn circles_of_files_are_found() -> Result<(), Failed> {
    for (what, tree, expected) in FILES {
        let uses = uses_of(tree)?;
        let found: Vec<Vec<&str>> = circles(&graph(&uses)).into_iter().map(|circle| circle.into_iter().collect()).collect();
        let expected = if expected.is_empty() { Vec::new() } else { vec![expected.to_vec()] };
        if found != expected {
            return Err(format!("{what}: {found:?} instead of {expected:?}").into());
        }
    }
    Ok(())
}

/// Folders that use each other, by files that do not.
const FOLDERS: Tree = &[
    ("lib.rs", "mod below; mod scan; mod session;"),
    ("scan.rs", "pub mod policy; mod provider;"),
    ("scan/policy.rs", "use crate::below::LOW; pub const POLICY: usize = LOW;"),
    ("scan/provider.rs", "use crate::session; pub fn provider() { session::open() }"),
    ("session.rs", "use crate::scan::policy::POLICY; pub fn open() { let _ = POLICY; }"),
    ("below.rs", "pub const LOW: usize = 1;"),
];

fn circles_of_folders_are_found() -> Result<(), Failed> {
    let uses = uses_of(FOLDERS)?;
    let (files, folders) = (of_files("lake", &uses)?, of_folders("lake", &uses)?);
    let expected = "
lake: these 2 folders use each other in a circle
    scan uses session
        scan/provider.rs uses session.rs: open
    session uses scan
        session.rs uses scan/policy.rs: POLICY
";
    if files.is_empty() && folders == expected { Ok(()) } else { Err(format!("{files}{folders}").into()) }
}

fn circles_are_told_with_their_reasons() -> Result<(), Failed> {
    let uses = uses_of(FILES[1].1)?;
    let expected = "
lake: these 3 files use each other in a circle
    a.rs uses b.rs: b
    b.rs uses c.rs: c
    c.rs uses a.rs: a
";
    let told = of_files("lake", &uses)?;
    if told == expected { Ok(()) } else { Err(told.into()) }
}
