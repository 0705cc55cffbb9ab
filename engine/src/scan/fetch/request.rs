//! One request for a range of one version of a file, and the checks of its response.

use std::{ops::Range, time::Instant};

use bytes::Bytes;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::pace::Pace;
use crate::{
    accounting::Meter,
    error::{Error, ErrorKind, Result},
    scan::DataFile,
    storage::{from_store, is_same_version},
};

/// Gets a range, whole, of the file as it was listed.
pub(super) async fn get(file: &DataFile, range: Range<u64>, pace: &Pace) -> Result<Bytes> {
    let started = Instant::now();
    let options = GetOptions {
        range: Some(GetRange::Bounded(range.clone())),
        // A weak tag is not sent, and some servers pass over the others: what comes is compared below.
        if_match: file.meta.e_tag.clone(),
        ..GetOptions::default()
    };
    let answer = file.store.get_opts(&file.meta.location, options).await.map_err(|error| failed(file, &error))?;
    let latency = started.elapsed();
    let is_same = answer.meta.size == file.meta.size
        && match (&answer.meta.e_tag, &file.meta.e_tag) {
            (Some(now), Some(listed)) => is_same_version(now, listed),
            // HTTP tells of time in seconds.
            (None, None) => answer.meta.last_modified.timestamp() == file.meta.last_modified.timestamp(),
            _ => true,
        };
    if !is_same {
        return Err(changed(file));
    }
    if answer.range != range {
        let (found, wanted) = (&answer.range, &range);
        return Err(short(file, &format!("expected bytes {wanted:?}, got {found:?}")));
    }
    let bytes = answer.bytes().await.map_err(|error| failed(file, &error))?;
    let wanted = range.end - range.start;
    if bytes.len() as u64 != wanted {
        return Err(short(file, &format!("expected {wanted} bytes, got {}", bytes.len())));
    }
    pace.observe(latency, started.elapsed().saturating_sub(latency), wanted);
    Ok(bytes)
}

/// As [`get`], and once more if the answer is late: whichever comes first counts.
pub(super) async fn hedged(file: &DataFile, range: Range<u64>, pace: &Pace, meter: &Meter) -> Result<Bytes> {
    let mut first = std::pin::pin!(get(file, range.clone(), pace));
    let Some(patience) = pace.patience() else { return first.await };
    if let Ok(answer) = tokio::time::timeout(patience, first.as_mut()).await {
        return answer;
    }
    pace.hedge();
    meter.scan().hedged();
    let second = std::pin::pin!(get(file, range, pace));
    match futures::future::select(first, second).await {
        futures::future::Either::Left((Ok(bytes), _)) | futures::future::Either::Right((Ok(bytes), _)) => Ok(bytes),
        futures::future::Either::Left((Err(_), second)) => second.await,
        futures::future::Either::Right((Err(_), first)) => first.await,
    }
}

/// Whether the store found another version than the one asked for, at the first attempt or at a later one.
fn is_precondition(error: &object_store::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if matches!(current.downcast_ref(), Some(object_store::Error::Precondition { .. })) {
            return true;
        }
        next = current.source();
    }
    false
}

fn changed(file: &DataFile) -> Error {
    Error::new(ErrorKind::Conflict, format!("file \"{}\" has changed since the query listed it", file.url())).with_hint(
        "Run the query again, after REFRESH TABLE if listings are cached; writers should add new files and never overwrite one",
    )
}

fn short(file: &DataFile, why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the store returned another range of file \"{}\": {why}", file.url()))
        .with_hint("Run the query again. If this repeats, the store or a proxy in front of it does not implement HTTP ranges")
}

fn failed(file: &DataFile, error: &object_store::Error) -> Error {
    if is_precondition(error) {
        return changed(file);
    }
    let error = from_store(error);
    let is_missing = error.kind() == ErrorKind::NotFound;
    let error = error.with_context("file", file.url());
    if is_missing {
        error.with_hint("The file was deleted after listing: run the query again, after REFRESH TABLE if listings are cached")
    } else {
        error
    }
}
