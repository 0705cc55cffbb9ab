//! Reads a page of a listing: which directories of partitions it shows, and where it ends.

use object_store::ObjectMeta;

use super::{
    job::{Children, Keys, Place, end_of},
    remembered::{GRAIN, Range},
};
use crate::discovery::{
    directory::{Classified, Found, Ignored, Reader, Segment, segment},
    store::ListPage,
};

/// A page that was read, with its request.
#[derive(Debug)]
pub(super) enum Listed {
    Keys(Keys, KeysPage),
    Children(Children, ChildrenPage),
    /// The store ignored where the listing was to begin.
    Lost,
}

/// A page of keys.
#[derive(Debug, Default)]
pub(super) struct KeysPage {
    pub(super) found: Vec<Found>,
    pub(super) ignored: Vec<Ignored>,
    pub(super) notes: Vec<Range>,
    pub(super) count: usize,
    /// The directories of the first and the last key in partitions.
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
    /// Whether the range was listed to its end.
    pub(super) is_end: bool,
    /// Otherwise: where to continue, with the page token if the page showed no key to continue after.
    pub(super) after: String,
    pub(super) note_after: String,
    pub(super) token: Option<String>,
}

/// A page of a directory's children.
#[derive(Debug, Default)]
pub(super) struct ChildrenPage {
    /// Children that are directories of partitions.
    pub(super) found: Vec<Found>,
    pub(super) ignored: Vec<Ignored>,
    pub(super) notes: Vec<Range>,
    /// Children at the levels of partition keys above the last one.
    pub(super) runs: Vec<Run>,
    /// The names of all children of the page, if there are more pages.
    pub(super) names: Vec<String>,
    /// Where to continue, if there are more pages.
    pub(super) after: Option<String>,
    pub(super) token: Option<String>,
}

/// Adjacent directories, with nothing hidden or ignored between them.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) after: String,
    pub(super) until: Option<String>,
    pub(super) children: Vec<String>,
}

/// The suffix of the marker that EMR and Hadoop write next to a directory.
const FOLDER_MARK: &str = "_$folder$";

/// The path of an object below the root, and whether it is the marker of an empty directory, which has lost its `/`.
fn relative<'a>(place: &Place, object: &'a ObjectMeta) -> (&'a str, bool) {
    let path = object.location.as_ref();
    let path = path.strip_prefix(place.root.as_str()).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_marker = object.size == 0
        && name.contains('=')
        && !name.ends_with(FOLDER_MARK)
        && path.matches('/').count() + 1 == place.keys.len();
    (path, is_marker)
}

pub(super) fn keys(place: &Place, job: Keys, page: ListPage) -> Listed {
    let mut read = KeysPage { is_end: page.next_token.is_none(), ..KeysPage::default() };
    let mut reader = Reader::new(&place.keys);
    let mut last_found = job.last.clone();
    let mut last_ignored: Option<String> = None;
    // The range being recorded: where it begins, and how many keys are in it.
    let (mut note_after, mut noted) = (job.note_after.clone(), 0);
    let mut last_path = "";
    let mut in_partition = false;
    let mut hidden: Option<String> = None;
    for object in &page.objects {
        let (path, is_marker) = relative(place, object);
        if path < job.after.as_str() {
            return Listed::Lost;
        }
        if job.until.as_deref().is_some_and(|until| path > until) {
            read.is_end = true;
            break;
        }
        read.count += 1;
        last_path = path;
        let marker: String;
        let classified = if is_marker {
            marker = format!("{path}/");
            reader.read(&marker)
        } else {
            reader.read(path)
        };
        let was_in_partition = std::mem::replace(&mut in_partition, matches!(classified, Classified::Partition { .. }));
        hidden = None;
        match classified {
            Classified::Partition { end, usual } => {
                let directory = &path[..end];
                if last_found.as_deref() != Some(directory) {
                    if noted >= GRAIN
                        && was_in_partition
                        && let Some(before) = &last_found
                    {
                        let until = end_of(before);
                        let range = Range { directory: None, after: note_after, until: Some(until.clone()), count: noted };
                        read.notes.push(range);
                        (note_after, noted) = (until, 0);
                    }
                    read.found.push(Found { path: directory.to_owned(), usual });
                    last_found = Some(directory.to_owned());
                }
                if read.first.is_none() {
                    read.first.clone_from(&last_found);
                }
            }
            Classified::Ignored { end, reason } => {
                if last_ignored.as_deref() != Some(&path[..end]) {
                    last_ignored = Some(path[..end].to_owned());
                    read.ignored.push(Ignored { path: path[..end].to_owned(), reason });
                }
                hidden = Some(path[..end].to_owned());
            }
            Classified::Hidden { end } => hidden = Some(path[..end].to_owned()),
            Classified::Above { .. } => {}
        }
        noted += 1;
    }
    read.last = last_found;
    let mut close = |until: Option<String>| {
        let after = std::mem::take(&mut note_after);
        read.notes.push(Range { directory: None, after, until, count: noted });
    };
    if read.is_end {
        close(job.until.clone());
    } else if let Some(left_out) = hidden {
        // The rest of a hidden or ignored directory is not listed.
        close(Some(format!("{left_out}/")));
        read.after = end_of(&left_out);
        read.note_after.clone_from(&read.after);
    } else if read.count == 0 {
        read.after.clone_from(&job.after);
        read.note_after.clone_from(&job.note_after);
        read.token = page.next_token;
    } else {
        let edge = read.last.as_deref().filter(|_| in_partition).map_or_else(|| last_path.to_owned(), end_of);
        close(Some(edge.clone()));
        last_path.clone_into(&mut read.after);
        read.note_after = edge;
        // The key of a marker is longer than its path shows, so it may be listed again.
        if read.after == job.after {
            read.token = page.next_token;
        }
    }
    if job.until.as_ref().is_some_and(|until| read.after >= *until) {
        read.is_end = true;
    }
    Listed::Keys(job, read)
}

pub(super) fn children(place: &Place, job: Children, page: ListPage) -> Listed {
    let base = job.base();
    let is_last = job.level + 1 == place.keys.len();
    let above = job.directory.split('/').take(job.level).zip(&place.keys);
    let is_usual = above.into_iter().all(|(name, key)| segment(key, name) == Segment::Value { usual: true });
    let mut read = ChildrenPage::default();
    let start = |after: &str| if after.is_empty() { base.clone() } else { after.to_owned() };
    let mut run = Run { after: start(&job.after), until: None, children: Vec::new() };
    let (mut noted, mut is_past, mut last) = (0, false, run.after.clone());
    let unnameable = page.unnameable.into_iter().filter(|key| key.ends_with('/')).map(|key| (key, false));
    let mut prefixes: Vec<(String, bool)> = page.prefixes.into_iter().map(|key| (key, true)).chain(unnameable).collect();
    prefixes.sort_unstable();
    for (prefix, is_nameable) in &prefixes {
        let Some(child) = prefix.strip_prefix(&place.root).and_then(|path| path.strip_suffix('/')) else { continue };
        let Some(name) = child.strip_prefix(&base) else { continue };
        if place.seeks && job.token.is_none() && format!("{child}/") < job.after {
            return Listed::Lost;
        }
        if job.until.as_deref().is_some_and(|until| format!("{child}/").as_str() > until) {
            is_past = true;
            break;
        }
        last = end_of(child);
        let found = if *is_nameable { segment(&place.keys[job.level], name) } else { Segment::unnameable(name) };
        match found {
            Segment::Value { usual } if is_last => {
                read.found.push(Found { path: child.to_owned(), usual: usual && is_usual });
                noted += 1;
                if noted >= GRAIN {
                    read.notes.push(note(&job, &run, Some(last.clone()), noted));
                    run.after.clone_from(&last);
                    noted = 0;
                }
            }
            Segment::Value { .. } => run.children.push(child.to_owned()),
            other => {
                if let Segment::Ignored(reason) = other {
                    read.ignored.push(Ignored { path: child.to_owned(), reason });
                }
                let next = Run { after: last.clone(), until: None, children: Vec::new() };
                let mut before = std::mem::replace(&mut run, next);
                before.until = Some(format!("{child}/"));
                finish(&mut read, &job, before, is_last, noted);
                noted = 0;
            }
        }
    }
    let path = |object: &ObjectMeta| object.location.as_ref().strip_prefix(&place.root).map(str::to_owned);
    if let Some(object) = page.objects.iter().filter_map(path).max().filter(|object| *object > last) {
        last = object;
    }
    // The last child may reach beyond the end of the range.
    let is_past = is_past || job.until.as_ref().is_some_and(|until| *until <= last);
    if page.next_token.is_some() && !is_past {
        // If the page showed nothing, there is no key to continue after.
        if !place.seeks || last == run.after && run.children.is_empty() && read.found.is_empty() {
            read.token = page.next_token;
        }
        let child = |(prefix, _): &(String, bool)| {
            let name = prefix.strip_prefix(&place.root)?.strip_prefix(&base)?;
            Some(name.trim_end_matches('/').to_owned())
        };
        read.names = prefixes.iter().filter_map(child).collect();
        run.until = Some(last.clone());
        read.after = Some(last);
    } else {
        run.until.clone_from(&job.until);
    }
    finish(&mut read, &job, run, is_last, noted);
    Listed::Children(job, read)
}

fn finish(read: &mut ChildrenPage, job: &Children, run: Run, is_last: bool, noted: usize) {
    match is_last {
        true => read.notes.push(note(job, &run, run.until.clone(), noted)),
        false => read.runs.push(run),
    }
}

fn note(job: &Children, run: &Run, until: Option<String>, count: usize) -> Range {
    Range { directory: Some(job.directory.clone()), after: run.after.clone(), until, count }
}
