//! Finds the directories of partitions below a table's root, with concurrent listings and in few pages.
//!
//! If the store can begin a listing at any key, keys are listed in ranges, flat: a page returns a thousand keys in any number of directories.
//! The ranges of a first walk are derived from a delimited listing of the first level and from the number of keys per directory in the first page.
//! A range whose page is full is split by what the page showed (`split`). Of directories with more than a page of keys, the children are listed
//! instead. A later walk begins with the ranges of the one before (`remembered`). Other stores are listed directory by directory.
//!
//! It knows nothing of the catalog, with which `repair` compares.

mod ask;
mod job;
mod lexical;
mod page;
mod remembered;
mod split;

use std::{collections::VecDeque, sync::Arc};

use tokio::task::JoinSet;

use self::{
    job::{Children, Job, Keys, Place, end_of},
    page::{ChildrenPage, KeysPage, Listed, Run},
    remembered::Notes,
};
use super::{
    directory::{Found, Ignored},
    store::OpenLocation,
};
use crate::{
    error::{Error, Result},
    model::Column,
};

/// How to walk.
#[derive(Debug, Clone)]
pub(crate) struct WalkOptions {
    /// Concurrent listings; at least one.
    pub concurrency: usize,
    /// The result of [`Walk::finish`] of an earlier walk.
    pub remembered: Option<Vec<u8>>,
    /// Only directories after this one, in the order of keys.
    pub after: Option<String>,
}

impl Default for WalkOptions {
    fn default() -> Self {
        Self { concurrency: 64, remembered: None, after: None }
    }
}

/// What one page showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    /// In the order of keys; each directory once in the whole walk.
    pub found: Vec<Found>,
    /// Each directory once in a page, without hidden ones (which begin with `_` or `.`).
    pub ignored: Vec<Ignored>,
}

/// The first page of a first walk shows how far it went, and how many keys a directory of the first level has.
#[derive(Debug)]
enum Probe {
    Waiting(Vec<Run>),
    Done { covered: Keys, per_child: f64 },
}

/// A running walk. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct Walk {
    place: Arc<Place>,
    options: WalkOptions,
    waiting: VecDeque<Job>,
    running: JoinSet<Result<Listed>>,
    probe: Option<Probe>,
    /// The numbers of keys and of directories in groups that fitted one page.
    grouped: (usize, usize),
    notes: Notes,
    pages: u64,
}

impl Walk {
    /// Prepares a walk. The first requests are sent by the first [`Walk::next`], or by [`Walk::send`].
    ///
    /// It finds the directories at the level of the last key. In an object store a directory exists if a key is in it, or is its marker. As in Athena's
    /// `MSCK REPAIR TABLE`, keys must be in lower case.
    #[must_use]
    pub(crate) fn new(location: &OpenLocation, keys: &[Column], options: WalkOptions) -> Self {
        let place = Arc::new(Place::new(location, keys));
        let mut walk = Self {
            place,
            options,
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            probe: None,
            grouped: (0, 0),
            notes: Notes::default(),
            pages: 0,
        };
        walk.begin();
        walk
    }

    fn begin(&mut self) {
        let depth = self.place.keys.len();
        if depth == 0 {
            return;
        }
        if !self.place.seeks {
            self.notes.give_up();
            self.waiting.push_back(Job::Children(Children::of_root()));
            return;
        }
        if let Some(after) = &self.options.after {
            self.notes.give_up();
            let after = end_of(after);
            self.waiting.push_back(match depth {
                1 => Job::Children(Children { after, ..Children::of_root() }),
                _ => Job::Keys(Keys { after: after.clone(), note_after: after, ..Keys::default() }),
            });
            return;
        }
        let ranges = self.options.remembered.as_deref().map(remembered::read).unwrap_or_default();
        for range in ranges {
            self.waiting.push_back(Job::of_range(range));
        }
        if self.waiting.is_empty() {
            self.waiting.push_back(Job::Children(Children::of_root()));
            if depth > 1 {
                self.probe = Some(Probe::Waiting(Vec::new()));
                self.waiting.push_back(Job::Keys(Keys { is_probe: true, ..Keys::default() }));
            }
        }
    }

    /// Sends requests up to the allowed concurrency.
    pub(crate) fn send(&mut self) {
        while self.running.len() < self.options.concurrency.max(1) {
            let Some(job) = self.waiting.pop_front() else { return };
            let place = Arc::clone(&self.place);
            self.running.spawn(async move { place.list(job).await });
        }
    }

    /// What the next page showed; `None` at the end. Pages come in any order.
    ///
    /// # Errors
    /// Those of the lister; `Unavailable` for a listing that does not advance.
    pub(crate) async fn next(&mut self) -> Result<Option<Piece>> {
        loop {
            self.send();
            let Some(listed) = self.running.join_next().await else { return Ok(None) };
            let listed = listed.map_err(|error| Error::internal("a listing ended unexpectedly").with_source(error))??;
            self.pages += 1;
            let mut piece = match listed {
                Listed::Keys(job, page) => self.take_keys(job, page),
                Listed::Children(job, page) => self.take_children(&job, page),
                Listed::Lost => {
                    self.walk_without_seeking();
                    continue;
                }
            };
            if let Some(after) = &self.options.after {
                // Stores that cannot begin there list what comes before, too.
                let after = format!("{after}/");
                piece.found.retain(|found| format!("{}/", found.path) > after);
            }
            if piece != Piece::default() {
                return Ok(Some(piece));
            }
        }
    }

    /// Pages listed so far.
    #[must_use]
    pub(crate) fn pages(&self) -> u64 {
        self.pages
    }

    /// After the last piece: the ranges by which the next walk lists the same keys concurrently; `None` if that is of no use.
    #[must_use]
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        self.notes.finish()
    }

    /// Restarts directory by directory, if the store ignores where a listing is to begin.
    fn walk_without_seeking(&mut self) {
        self.running.abort_all();
        self.running = JoinSet::new();
        self.waiting.clear();
        self.probe = None;
        self.place = Arc::new(Place { seeks: false, ..Place::clone(&self.place) });
        self.begin();
    }

    fn take_keys(&mut self, job: Keys, mut page: KeysPage) -> Piece {
        self.notes.add(std::mem::take(&mut page.notes));
        if page.is_end && job.pages == 0 && !job.children.is_empty() {
            self.grouped.0 += page.count;
            self.grouped.1 += job.children.len();
        }
        if job.is_probe {
            self.probed(job, &page);
        } else if !page.is_end {
            let split = split::keys(job, &page, self.place.keys.len());
            self.notes.add(split.empty);
            self.waiting.extend(split.jobs);
        }
        Piece { found: page.found, ignored: page.ignored }
    }

    /// Takes the first page, by which the directories listed so far are grouped.
    fn probed(&mut self, job: Keys, page: &KeysPage) {
        let mut covered = split::rest(job, page);
        if page.is_end {
            covered.after = String::from(char::MAX);
        }
        let per_child = split::per_child(page, 1);
        let before = self.probe.replace(Probe::Done { covered, per_child });
        if let Some(Probe::Waiting(runs)) = before {
            for run in runs {
                self.queue_first(run);
            }
        }
    }

    fn take_children(&mut self, job: &Children, page: ChildrenPage) -> Piece {
        let depth = self.place.keys.len();
        let is_last = job.level + 1 == depth;
        // What comes after a full page is on the critical path of a first walk, so it goes first.
        for next in split::children(job, &page, self.place.seeks) {
            self.waiting.push_front(Job::Children(next));
        }
        self.notes.add(page.notes);
        if !is_last && !self.place.seeks {
            let children = page.runs.into_iter().flat_map(|run| run.children);
            let below = |directory| Job::Children(Children { directory, level: job.level + 1, ..Children::of_root() });
            self.waiting.extend(children.map(below));
        } else if !is_last {
            for run in page.runs {
                match job.per_child {
                    Some(per_child) => {
                        let first = Keys { after: run.after.clone(), note_after: run.after.clone(), ..Keys::default() };
                        self.queue_run(run, &first, per_child, job.level + 1);
                    }
                    None => self.queue_first(run),
                }
            }
        }
        Piece { found: page.found, ignored: page.ignored }
    }

    /// Queues directories of the first level, in a first walk.
    fn queue_first(&mut self, run: Run) {
        match &mut self.probe {
            Some(Probe::Waiting(runs)) => runs.push(run),
            Some(Probe::Done { covered, per_child }) => {
                let (keys, children) = self.grouped;
                let per_child = if children >= 100 { keys as f64 / children as f64 } else { *per_child };
                let covered = covered.clone();
                self.queue_run(run, &covered, per_child, 1);
            }
            None => {}
        }
    }

    /// Queues what is in adjacent directories, from where `from` begins if that is within them.
    fn queue_run(&mut self, run: Run, from: &Keys, per_child: f64, level: usize) {
        let Run { after, until, mut children } = run;
        if until.as_ref().is_some_and(|until| *until <= from.after) || from.after == String::from(char::MAX) {
            return;
        }
        let mut first = Keys { after: after.clone(), note_after: after, until, level, ..Keys::default() };
        if from.after > first.after {
            children.retain(|child| end_of(child) > from.after);
            first.after.clone_from(&from.after);
            first.note_after.clone_from(&from.note_after);
            first.last.clone_from(&from.last);
        }
        if children.is_empty() {
            self.notes.add(vec![first.empty()]);
            return;
        }
        // If each directory fills several pages, listing its children takes fewer.
        if per_child >= split::FULL && level + 1 == self.place.keys.len() {
            self.notes.give_up();
            for directory in children {
                let after = first.last.as_deref().filter(|last| last.starts_with(&format!("{directory}/"))).map(end_of);
                let children = Children { directory, level, after: after.unwrap_or_default(), ..Children::of_root() };
                self.waiting.push_back(Job::Children(children));
            }
            return;
        }
        self.waiting.extend(split::groups(&first, children, per_child).into_iter().map(Job::Keys));
    }
}

#[cfg(test)]
mod tests;
