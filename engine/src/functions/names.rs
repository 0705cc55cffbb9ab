//! The names of the functions that a query may call, for completion and for docs/functions.md.

use std::collections::BTreeSet;

use datafusion::execution::context::SessionState;

use super::{
    named_cast::NAMED_CAST,
    to_varchar::{CUT_TEXTS, TO_CHAR, TO_VARCHAR, TRY_TO_VARCHAR},
};

/// What statements are rewritten to: nobody writes it.
const INTERNAL: [&str; 5] = [CUT_TEXTS, NAMED_CAST, TO_CHAR, TO_VARCHAR, TRY_TO_VARCHAR];

/// All names of functions, aliases too, in order.
pub(crate) fn names(state: &SessionState) -> Vec<String> {
    let (scalar, aggregate, window) = (state.scalar_functions(), state.aggregate_functions(), state.window_functions());
    let all = scalar.keys().chain(aggregate.keys()).chain(window.keys());
    let names: BTreeSet<&String> = all.filter(|name| !INTERNAL.contains(&name.as_str())).collect();
    names.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{config::EngineOptions, docs_page, plan::base_state};

    const INTRODUCTION: &str = r"# Functions

<!-- Generated from engine/src/functions/names.rs. To update it: UPDATE_DOCS=1 cargo test -p glaux-engine functions::names -->

The functions that a query can call, with all of their names. [Trino](https://trino.io/docs/current/functions.html) describes those that it has too,
[DataFusion](https://datafusion.apache.org/user-guide/sql/scalar_functions.html) the others.
";

    fn state() -> SessionState {
        let dir = tempfile::tempdir().unwrap();
        base_state(&EngineOptions { data_dir: dir.path().to_owned(), ..EngineOptions::default() }).unwrap()
    }

    fn page(state: &SessionState) -> String {
        let mut page = INTRODUCTION.to_owned();
        let kinds: [(&str, Vec<&String>); 3] = [
            ("Scalar", state.scalar_functions().keys().collect()),
            ("Aggregate", state.aggregate_functions().keys().collect()),
            ("Window", state.window_functions().keys().collect()),
        ];
        for (kind, mut names) in kinds {
            names.retain(|name| !INTERNAL.contains(&name.as_str()));
            names.sort_unstable();
            let _ = write!(page, "\n## {kind} functions\n\n");
            for name in names {
                let _ = writeln!(page, "- `{name}`");
            }
        }
        page
    }

    #[test]
    fn the_page_lists_all_names() {
        docs_page::check("functions.md", "functions::names", &page(&state()));
    }

    #[test]
    fn names_are_those_that_a_query_may_call() {
        let names = names(&state());
        for name in ["count", "sum", "row_number", "date_trunc", "substr", "element_at", "split_part"] {
            assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
        }
        assert!(names.is_sorted() && !names.iter().any(|name| INTERNAL.contains(&name.as_str())));
    }
}
