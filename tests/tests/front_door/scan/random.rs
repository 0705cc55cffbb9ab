//! Random tables and queries. Each table is written twice: as files of random sizes, layouts, schemas and footers, and as one file of one row group without
//! statistics. Predicates are evaluated over the latter as a column of the result and not as a filter, orders without a limit, and extremes without
//! footers, so that what the scan leaves out is compared with what there is.

mod query;
mod table;

use glaux_engine::storage::DataCacheOptions;
use glaux_tests::{instance::Instance, lake::Lake};
use libtest_mimic::{Failed, Trial};

use self::{query::Question, table::Layout};
use super::mix;

/// Numbers by chance, the same for the same seed.
#[derive(Debug, Clone)]
pub(super) struct Chance(i64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    /// Below `limit`, which is not 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn of<'a, T>(&mut self, choice: &'a [T]) -> &'a T {
        let at = self.below(choice.len() as u64);
        &choice[usize::try_from(at).unwrap_or_default()]
    }
}

/// Lakes that are tried, the questions each is asked, and the trials that these are divided into.
const LAKES: i64 = 10;
const QUESTIONS: usize = 40;
const PARTS: usize = 4;

pub(super) fn trials() -> Vec<Trial> {
    let trial = |seed, part| {
        let name = format!("scan/random_tables_and_queries_{seed}_{part}");
        Trial::test(name, move || crate::block_on(crate::in_time(agrees(seed, part))))
    };
    (0..LAKES).flat_map(|seed| (0..PARTS).map(move |part| trial(seed, part))).collect()
}

/// The seeds, or another one and a number of questions to search for more: `GLAUX_SCAN_SEED=1000 GLAUX_SCAN_QUESTIONS=500`.
fn asked(seed: i64) -> (i64, usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<i64>().ok());
    let questions = number("GLAUX_SCAN_QUESTIONS").and_then(|questions| usize::try_from(questions).ok());
    (number("GLAUX_SCAN_SEED").unwrap_or_default() + seed, questions.unwrap_or(QUESTIONS))
}

async fn agrees(seed: i64, part: usize) -> Result<(), Failed> {
    let (seed, questions) = asked(seed);
    let mut chance = Chance(seed.wrapping_mul(1_000_003));
    let layout = Layout::by(&mut chance);
    let lake = if chance.one_in(3) { Lake::on_s3().await } else { Lake::in_folder() };
    let rows = layout.write(&lake)?;
    let instance = Instance::start_with(lake, |options| {
        options.parallelism = Some(*chance.of(&[1, 2, 3, 8]));
        options.fetch.requests = *chance.of(&[1, 2, 64]);
        options.fetch.read_ahead_bytes = *chance.of(&[1, 20_000, 64 << 20]);
        options.fetch.hedge = chance.one_in(4);
        options.fetch.share_splits = !chance.one_in(3);
        options.storage.merge_gap_bytes = *chance.of(&[0, 1 << 20]);
        options.storage.max_request_bytes = *chance.of(&[1_000, 16 << 20]);
        options.footer_cache_bytes = *chance.of(&[0, 128 << 20]);
        let memory_bytes = *chance.of(&[0, 200_000, 32 << 20]);
        options.data_cache = DataCacheOptions { memory_bytes, disk_bytes: *chance.of(&[0, 1 << 20]) };
    })
    .await;
    layout.define(&instance).await;
    let mut wrong = Vec::new();
    for at in 0..questions {
        let question = Question::by(&mut chance, rows, layout.is_fat());
        if at % PARTS != part {
            continue;
        }
        if let Err(why) = question.agrees(&instance).await {
            wrong.push(why);
        }
        if wrong.len() >= 5 {
            break;
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!("seed {seed}, {layout:#?}\n{}", wrong.join("\n")).into())
}
