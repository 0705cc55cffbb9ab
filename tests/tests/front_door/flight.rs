//! The Flight SQL server as a raw client sees it: messages, headers, trailers, tickets and what becomes of queries. What SQL answers is the
//! corpus's business, which runs over Flight SQL too.

mod client;
mod endings;
mod figures;
mod options;
mod refusals;
mod statements;
mod tickets;
mod wire;

use std::time::Duration;

use libtest_mimic::Trial;

/// Longer than anything here takes; a test that reaches it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The trials of one file, each with a time limit.
macro_rules! timed {
    ($($name:ident),* $(,)?) => {
        vec![$(libtest_mimic::Trial::test(concat!("flight_raw/", stringify!($name)), || {
            crate::block_on(async {
                match tokio::time::timeout(super::PATIENCE, $name()).await {
                    Ok(outcome) => outcome,
                    Err(_) => Err("it hangs".into()),
                }
            })
        })),*]
    };
}
pub(crate) use timed;

pub(crate) fn trials() -> Vec<Trial> {
    let parts =
        [endings::trials(), figures::trials(), refusals::trials(), statements::trials(), tickets::trials(), wire::trials()];
    parts.into_iter().flatten().collect()
}
