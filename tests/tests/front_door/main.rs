//! The one test binary of this crate: every `.slt` file and every property is a test of its own, by name. Files run twice: as `slt/...` on
//! an engine in process, as `flight/...` on a server over Flight SQL.
//!
//! `cargo test -p glaux-tests --test front_door scan` runs those with `scan` in their name; with `GLAUX_SLT_COMPLETE=1` the `.slt` files
//! are rewritten to what was seen: read the difference before you keep it.

use glaux_tests::{PATIENCE, runner};
use libtest_mimic::{Arguments, Failed, Trial};

/// Trials of asynchronous functions, by the name of their group; one that hangs fails.
macro_rules! trials_in_time {
    ($group:literal; $($name:ident),* $(,)?) => {
        vec![$(Trial::test(concat!($group, "/", stringify!($name)), || crate::block_on(crate::in_time($name())))),*]
    };
}
pub(crate) use trials_in_time;

/// A test that fails when it hangs.
pub(crate) async fn in_time(test: impl Future<Output = Result<(), Failed>>) -> Result<(), Failed> {
    tokio::time::timeout(PATIENCE, test).await.unwrap_or_else(|_| Err("it hangs".into()))
}

mod bill;
mod catalog;
mod data_directory;
mod embedding;
mod exchange;
mod faults;
mod flight;
mod history;
mod house;
mod ingest;
mod ingest_text;
mod locations;
mod nesting;
mod partitions;
mod planned;
mod pruning;
mod quote;
mod scan;
mod scan_faults;
mod stalls;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = house::trials();
    trials.extend(bill::trials());
    trials.extend(catalog::trials());
    trials.extend(data_directory::trials());
    trials.extend(embedding::trials());
    trials.extend(exchange::trials());
    trials.extend(faults::trials());
    trials.extend(flight::trials());
    trials.extend(history::trials());
    trials.extend(ingest::trials());
    trials.extend(ingest_text::trials());
    trials.extend(locations::trials());
    trials.extend(nesting::trials());
    trials.extend(partitions::trials());
    trials.extend(planned::trials());
    trials.extend(pruning::trials());
    trials.extend(quote::trials());
    trials.extend(scan::trials());
    trials.extend(scan_faults::trials());
    trials.extend(stalls::trials());
    for file in runner::files() {
        let name =
            file.strip_prefix(runner::corpus()).map_or_else(|_| file.display().to_string(), |path| path.display().to_string());
        if !runner::completes() {
            let file = file.clone();
            trials.push(Trial::test(format!("flight/{name}"), move || Ok(block_on(runner::run_over_flight(&file))?)));
        }
        trials.push(Trial::test(format!("slt/{name}"), move || Ok(block_on(runner::run(&file))?)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Runs a test on a runtime of its own.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be made").block_on(test)
}
