//! Splits the rest of a range whose page was full, by what the page showed. It works on text and numbers.

use super::{
    job::{Children, Job, Keys, end_of},
    lexical,
    page::{ChildrenPage, KeysPage},
    remembered::Range,
};

/// Keys in a group of directories: a little less than a page.
const AIM: f64 = 960.0;
/// Keys in a page.
pub(super) const FULL: f64 = 1000.0;
/// The estimated keys of a directory of which nothing is known.
const UNKNOWN: f64 = 100.0;
/// Parts into which the rest of a listing of children is split, at most.
const MOST_PARTS: usize = 32;
/// Pages of a range without known directories before its directories are listed.
const PATIENCE: usize = 2;

/// What to list next, and ranges known to be empty.
#[derive(Debug, Default)]
pub(super) struct Split {
    pub(super) jobs: Vec<Job>,
    pub(super) empty: Vec<Range>,
}

/// The same range from where a page ended.
pub(super) fn rest(job: Keys, page: &KeysPage) -> Keys {
    Keys {
        after: page.after.clone(),
        note_after: page.note_after.clone(),
        token: page.token.clone(),
        last: page.last.clone(),
        pages: job.pages + 1,
        is_probe: false,
        ..job
    }
}

/// The estimated number of keys in a directory of a level, by a page of keys.
pub(super) fn per_child(page: &KeysPage, level: usize) -> f64 {
    let mut directories = 0;
    let mut before = None;
    for found in &page.found {
        let directory = ancestor(&found.path, level);
        directories += usize::from(before != Some(directory));
        before = Some(directory);
    }
    if directories == 0 {
        return UNKNOWN;
    }
    // The page has only a part of the last one.
    page.count as f64 / (directories as f64 - 0.5).max(1.0)
}

/// The ancestor of a path at a level.
fn ancestor(path: &str, level: usize) -> &str {
    match level.checked_sub(1).and_then(|last| path.match_indices('/').nth(last)) {
        Some((slash, _)) => &path[..slash],
        None if level == 0 => "",
        None => path,
    }
}

/// Adjacent directories in groups of about a page.
pub(super) fn groups(first: &Keys, children: Vec<String>, per_child: f64) -> Vec<Keys> {
    let each = (AIM / per_child.max(0.01)).max(1.0) as usize;
    let mut groups = Vec::with_capacity(children.len().div_ceil(each));
    let mut next = first.clone();
    let mut children = children.into_iter().peekable();
    while children.peek().is_some() {
        let group: Vec<String> = children.by_ref().take(each).collect();
        let until = match (children.peek(), group.last()) {
            (Some(_), Some(last)) => Some(end_of(last)),
            _ => first.until.clone(),
        };
        let after = until.clone().unwrap_or_default();
        let following = Keys { after: after.clone(), note_after: after, last: None, token: None, pages: 0, ..next.clone() };
        groups.push(Keys { children: group, until, ..std::mem::replace(&mut next, following) });
    }
    groups
}

/// The rest of a range of keys after a full page.
pub(super) fn keys(job: Keys, page: &KeysPage, depth: usize) -> Split {
    let (first, last) = (page.first.clone(), page.last.clone());
    let (level, had_children) = (job.level, !job.children.is_empty());
    let mut rest = rest(job, page);
    rest.children.retain(|child| end_of(child) > page.after);
    let (Some(first), Some(last)) = (first, last) else { return Split { jobs: vec![Job::Keys(rest)], empty: Vec::new() } };
    let shared = shared_level(&first, &last).min(depth - 1);
    if !had_children {
        if shared + 1 < depth && rest.pages < PATIENCE {
            return Split { jobs: vec![Job::Keys(rest)], empty: Vec::new() };
        }
        return beyond_known(rest, page, &last, shared, depth);
    }
    if shared >= level && rest.children.first().is_some_and(|child| is_within(&last, child)) {
        return within_one(rest, page, &last, shared, depth);
    }
    let per_child = per_child(page, level);
    let left = per_child * (rest.children.len() as f64 - 0.5);
    if rest.children.is_empty() || left <= AIM * 1.1 {
        return Split { jobs: vec![Job::Keys(rest)], empty: Vec::new() };
    }
    let children = std::mem::take(&mut rest.children);
    Split { jobs: groups(&rest, children, per_child).into_iter().map(Job::Keys).collect(), empty: Vec::new() }
}

fn is_within(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The number of directories that two paths share.
fn shared_level(a: &str, b: &str) -> usize {
    a.split('/').zip(b.split('/')).take_while(|(a, b)| a == b).count()
}

/// Splits a range without known directories that has more keys than expected: the directories of the first level are listed.
fn beyond_known(rest: Keys, page: &KeysPage, last: &str, shared: usize, depth: usize) -> Split {
    let child = ancestor(last, 1).to_owned();
    let end = end_of(&child);
    if rest.until.as_ref().is_some_and(|until| *until <= end) {
        let alone = Keys { children: vec![child.clone()], level: 1, ..rest };
        return match shared {
            0 => Split { jobs: vec![Job::Keys(alone)], empty: Vec::new() },
            shared => within_one(alone, page, last, shared, depth),
        };
    }
    let others =
        Children { after: end.clone(), until: rest.until.clone(), per_child: Some(per_child(page, 1)), ..Children::of_root() };
    let alone = Keys { children: vec![child], level: 1, until: Some(end), ..rest };
    let mut split = match shared {
        0 => Split { jobs: vec![Job::Keys(alone)], empty: Vec::new() },
        shared => within_one(alone, page, last, shared, depth),
    };
    split.jobs.insert(0, Job::Children(others));
    split
}

/// Splits a range whose first directory has more than a page of keys: its children are listed, and the others concurrently.
fn within_one(mut rest: Keys, page: &KeysPage, last: &str, shared: usize, depth: usize) -> Split {
    let mut split = Split::default();
    let mut others = rest.children.split_off(1);
    let Some(child) = rest.children.pop() else { return split };
    // A remembered range may end within its last directory.
    let bound = rest.until.clone();
    let clipped = |point: String| bound.clone().filter(|bound| *bound < point).unwrap_or(point);
    let end = clipped(end_of(&child));
    let after_end = |children: Vec<String>, after: String, until: Option<String>| {
        let (note_after, level) = (after.clone(), rest.level);
        Job::Keys(Keys { children, level, after, until, note_after, ..Keys::default() })
    };
    let until = if others.is_empty() { rest.until.clone() } else { Some(end.clone()) };
    if !others.is_empty() {
        // The others may be as large: in two halves, so that they are listed concurrently.
        let second = others.split_off(others.len().div_ceil(2));
        let middle = others.last().map(|last| end_of(last));
        match (second.is_empty(), middle) {
            (false, Some(middle)) => {
                split.jobs.push(after_end(others, end.clone(), Some(middle.clone())));
                split.jobs.push(after_end(second, middle, rest.until.clone()));
            }
            _ => split.jobs.push(after_end(others, end.clone(), rest.until.clone())),
        }
    }
    let fat = ancestor(last, shared).to_owned();
    let fat_end = clipped(end_of(&fat));
    if shared + 1 == depth {
        let after = end_of(ancestor(last, depth));
        let children =
            Children { directory: fat.clone(), level: shared, after, until: Some(fat_end.clone()), ..Children::of_root() };
        split.jobs.push(Job::Children(children));
    } else {
        let inner = ancestor(last, shared + 1).to_owned();
        let inner_end = clipped(end_of(&inner));
        let per_child = Some(per_child(page, shared + 1));
        let (directory, until) = (fat.clone(), Some(fat_end.clone()));
        let children = Children { directory, level: shared, after: inner_end.clone(), until, token: None, per_child };
        if inner_end < fat_end {
            split.jobs.push(Job::Children(children));
        }
        let begun = Keys { children: vec![inner], level: shared + 1, until: Some(inner_end), ..rest.clone() };
        split.jobs.push(Job::Keys(begun));
    }
    if until.as_ref() == Some(&fat_end) {
        return split;
    }
    if fat != child {
        split.jobs.push(after_end(vec![child], fat_end, until));
    } else {
        split.empty.push(Range { directory: None, after: fat_end, until, count: 0 });
    }
    split
}

/// The rest of a directory's children after a full page: in parts that are listed concurrently, if the store can begin a listing at any key.
pub(super) fn children(job: &Children, page: &ChildrenPage, seeks: bool) -> Vec<Children> {
    let Some(after) = page.after.clone() else { return Vec::new() };
    let next = Children { after, token: page.token.clone(), ..job.clone() };
    if !seeks || next.token.is_some() {
        return vec![next];
    }
    let base = job.base();
    let names: Vec<&str> = page.names.iter().map(String::as_str).collect();
    let until = job.until.as_ref().and_then(|until| until.strip_prefix(&base));
    let points = lexical::points(&names, until, MOST_PARTS).into_iter().map(|point| format!("{base}{point}"));
    let points: Vec<String> = points.filter(|point| *point > next.after).collect();
    let mut parts = vec![next];
    for point in points {
        let Some(last) = parts.last_mut() else { break };
        let until = last.until.replace(point.clone());
        parts.push(Children { after: point, until, token: None, ..job.clone() });
    }
    parts
}
