//! The source of a crate as its modules: what each defines, brings in with `use`, and names in its code. What is there for tests alone is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    slice,
};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::{
    Attribute, Field, ImplItemFn, Item, ItemMod, ItemUse, Meta, PatIdent, Path, Token, UseTree, Visibility,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// What [`Import::name`] is where a `use` brings in all that a module has.
pub(super) const GLOB: &str = "*";

/// A crate. Its first module is the root.
pub(super) struct Crate {
    pub(super) modules: Vec<Module>,
}

/// A module: a file, or a module in braces within a file.
#[derive(Default)]
pub(super) struct Module {
    /// The path of its file below `src`.
    pub(super) file: String,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    /// The names of what is defined here.
    pub(super) items: BTreeSet<String>,
    /// Those within functions come last.
    pub(super) imports: Vec<Import>,
    /// The paths that stand in its code, in macros and attributes too.
    pub(super) paths: BTreeSet<Vec<String>>,
}

/// A name that a `use` brings in.
pub(super) struct Import {
    /// The name that it has here, or [`GLOB`].
    pub(super) name: String,
    pub(super) path: Vec<String>,
    /// Whether it is there for others.
    pub(super) is_public: bool,
}

impl Crate {
    /// Reads a crate from its root, `lib.rs` or `main.rs`, along its `mod` lines. `source` has the text of a file by its path below `src`.
    ///
    /// # Errors
    /// The file that is missing or does not parse.
    pub(super) fn read(source: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let root = ["lib.rs", "main.rs"].into_iter().find_map(|file| Some((file, source(file)?)));
        let (file, text) = root.ok_or("there is neither a lib.rs nor a main.rs")?;
        let mut all = Self { modules: Vec::new() };
        all.add_file(source, None, &[], file, &text)?;
        Ok(all)
    }

    /// Adds a file's module with all that is in it, and returns its number.
    fn add_file(
        &mut self,
        source: &dyn Fn(&str) -> Option<String>,
        parent: Option<usize>,
        path: &[String],
        file: &str,
        text: &str,
    ) -> Result<usize, String> {
        let parsed = syn::parse_file(text).map_err(|error| format!("{file} does not parse: {error}"))?;
        self.add_module(source, parent, path, file, &parsed.items)
    }

    fn add_module(
        &mut self,
        source: &dyn Fn(&str) -> Option<String>,
        parent: Option<usize>,
        path: &[String],
        file: &str,
        items: &[Item],
    ) -> Result<usize, String> {
        let at = self.modules.len();
        self.modules.push(Module { file: file.to_owned(), parent, ..Module::default() });
        let mut code = Code::default();
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            let Item::Mod(ItemMod { ident, content, .. }) = item else {
                code.take(item);
                continue;
            };
            let name = word(ident);
            let path = [path, slice::from_ref(&name)].concat();
            let child = match content {
                Some((_, items)) => self.add_module(source, Some(at), &path, file, items)?,
                None => {
                    let place = path.join("/");
                    let files = [format!("{place}.rs"), format!("{place}/mod.rs")];
                    let found = files.into_iter().find_map(|file| source(&file).map(|text| (file, text)));
                    let (file, text) = found.ok_or_else(|| format!("the module {} has no file", path.join("::")))?;
                    self.add_file(source, Some(at), &path, &file, &text)?
                }
            };
            self.modules[at].children.insert(name, child);
        }
        code.paths.retain(|path| !is_bound(path, &code.bound));
        code.imports.append(&mut code.inner_imports);
        let module = &mut self.modules[at];
        (module.items, module.imports, module.paths) = (code.items, code.imports, code.paths);
        Ok(at)
    }
}

/// What was seen of a module's code.
#[derive(Default)]
struct Code {
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Those within functions.
    inner_imports: Vec<Import>,
    paths: BTreeSet<Vec<String>>,
    /// The names of variables.
    bound: BTreeSet<String>,
}

impl Code {
    /// Takes an item that stands in the module itself.
    fn take(&mut self, item: &Item) {
        if let Item::Use(item) = item {
            self.imports.extend(imports(item));
            return;
        }
        self.items.extend(defined(item).map(word));
        self.visit_item(item);
    }

    /// Takes the paths among tokens, which are not parsed: those of macros and attributes.
    fn take_tokens(&mut self, tokens: &TokenStream) {
        let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
        let is = |at: usize, sign: char| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == sign);
        let is_after = |at: usize, sign: char| at.checked_sub(1).is_some_and(|before| is(before, sign));
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => self.take_tokens(&group.stream()),
                TokenTree::Ident(first) => {
                    let begin = at;
                    let mut path = vec![word(first)];
                    while is(at + 1, ':')
                        && is(at + 2, ':')
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        path.push(word(next));
                        at += 3;
                    }
                    // Fields and methods, lifetimes, a macro's own variables, and paths that begin with `::` or go on behind `<...>`.
                    let is_variable = is_after(begin, '$') && path[0] != "crate";
                    let goes_on = is_after(begin, ':') && begin.checked_sub(2).is_some_and(|before| is(before, ':'));
                    if !(is_after(begin, '.') || is_after(begin, '\'') || is_variable || goes_on) {
                        self.paths.insert(path);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Code {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.inner_imports.extend(imports(item));
    }

    /// `pub(in crate::a)` uses nothing of `a`.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.bound.insert(word(&pattern.ident));
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        if path.leading_colon.is_none() {
            self.paths.insert(path.segments.iter().map(|segment| word(&segment.ident)).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.take_tokens(tokens);
    }
}

fn word(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// Whether a path is the name of a variable alone.
fn is_bound(path: &[String], bound: &BTreeSet<String>) -> bool {
    matches!(path, [name] if bound.contains(name) && name.starts_with(|first: char| first.is_lowercase() || first == '_'))
}

fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    // `::name` is always another crate's.
    if item.leading_colon.is_none() {
        spread(&item.tree, &[], &mut found);
    }
    let is_public = !matches!(item.vis, Visibility::Inherited);
    found.into_iter().map(|(name, path)| Import { name, path, is_public }).collect()
}

/// The names that a tree of `use` brings in, each with its path.
fn spread(tree: &UseTree, before: &[String], into: &mut Vec<(String, Vec<String>)>) {
    let with = |ident: &Ident| [before, &[word(ident)]].concat();
    match tree {
        UseTree::Path(path) => spread(&path.tree, &with(&path.ident), into),
        UseTree::Group(group) => group.items.iter().for_each(|tree| spread(tree, before, into)),
        UseTree::Glob(_) => into.push((GLOB.to_owned(), before.to_vec())),
        UseTree::Name(name) if name.ident == "self" => {
            into.push((before.last().cloned().unwrap_or_default(), before.to_vec()));
        }
        UseTree::Name(name) => into.push((word(&name.ident), with(&name.ident))),
        UseTree::Rename(name) if name.ident == "self" => into.push((word(&name.rename), before.to_vec())),
        UseTree::Rename(name) => into.push((word(&name.rename), with(&name.ident))),
    }
}

/// Whether attributes say that something is there for tests alone: `#[cfg(test)]`, `#[cfg(all(test, unix))]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions.filter_map(|attribute| attribute.parse_args::<Meta>().ok()).any(|condition| needs_test(&condition))
}

fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") => {
            let all = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
            all.is_ok_and(|all| all.iter().any(needs_test))
        }
        Meta::List(_) | Meta::NameValue(_) => false,
    }
}

/// The name that an item defines.
fn defined(item: &Item) -> Option<&Ident> {
    match item {
        Item::Const(item) => Some(&item.ident),
        Item::Enum(item) => Some(&item.ident),
        Item::Fn(item) => Some(&item.sig.ident),
        Item::Macro(item) => item.ident.as_ref(),
        Item::Static(item) => Some(&item.ident),
        Item::Struct(item) => Some(&item.ident),
        Item::Trait(item) => Some(&item.ident),
        Item::TraitAlias(item) => Some(&item.ident),
        Item::Type(item) => Some(&item.ident),
        Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
