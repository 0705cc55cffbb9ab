//! Pages of docs that are generated from the code: each is compared with the committed page, and written where `UPDATE_DOCS` is set.

use std::fs;

/// Checks that a page of docs is committed as the code makes it. `test` is the path of the test, by which the page is updated.
#[track_caller]
pub(crate) fn check(name: &str, test: &str, page: &str) {
    let path = format!("{}/../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(new, old)| new != old);
    assert!(
        page == committed,
        "docs/{name} is not what the code says: {differs:?}. UPDATE_DOCS=1 cargo test -p glaux-engine {test} updates it"
    );
}
