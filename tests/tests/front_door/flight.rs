//! The Flight SQL server as a raw client sees it: messages, headers, trailers, tickets and what becomes of queries. What SQL answers is the
//! corpus's business, which runs over Flight SQL too.

mod client;
mod endings;
mod figures;
mod floods;
mod frames;
mod options;
mod refusals;
mod statements;
mod tickets;
mod wire;

use libtest_mimic::Trial;

/// The trials of one file; one that hangs fails.
macro_rules! timed {
    ($($name:ident),* $(,)?) => { crate::trials_in_time!["flight_raw"; $($name),*] };
}
pub(crate) use timed;

pub(crate) fn trials() -> Vec<Trial> {
    let parts = [
        endings::trials(),
        figures::trials(),
        floods::trials(),
        frames::trials(),
        refusals::trials(),
        statements::trials(),
        tickets::trials(),
        wire::trials(),
    ];
    parts.into_iter().flatten().collect()
}
