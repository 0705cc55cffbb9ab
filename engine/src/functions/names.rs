//! The names of the functions that a query may call, for who completes or lists them.

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
    use super::*;
    use crate::{config::EngineOptions, plan::base_state};

    #[test]
    fn names_are_those_that_a_query_may_call() {
        let dir = tempfile::tempdir().unwrap();
        let state = base_state(&EngineOptions { data_dir: dir.path().to_owned(), ..EngineOptions::default() }).unwrap();
        let names = names(&state);
        for name in ["count", "sum", "row_number", "date_trunc", "substr", "element_at", "split_part"] {
            assert!(names.iter().any(|known| known == name), "{name} is not among {names:?}");
        }
        assert!(names.is_sorted() && !names.iter().any(|name| INTERNAL.contains(&name.as_str())));
    }
}
