//! The thread that writes the data cache's files, and the bounded queue before it: no query waits for the disk.
//!
//! When the disk is slower than the network the queue fills, and new segments are skipped. After a failure (a full disk, a directory that is not
//! writable) the thread skips everything for a while.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
#[cfg(test)]
use tokio::sync::oneshot;

use super::{object::ObjectVersion, segment_files::SegmentFiles};
use crate::{error::Result, worker::Worker};

/// Bytes that wait to be written at most, beside one segment that is larger.
const QUEUE_BYTES: u64 = 64 << 20;
/// What a queued segment counts beside its bytes.
const JOB_BYTES: u64 = 4096;
/// How long nothing is written after a failure.
const REST: Duration = Duration::from_secs(10);
/// The directory is walked again when this part of the limit has been written.
const SURVEY_SHARE: u64 = 8;

#[derive(Debug)]
enum Job {
    Write {
        object: ObjectVersion,
        start: u64,
        bytes: Bytes,
    },
    #[cfg(test)]
    Flush(oneshot::Sender<()>),
}

/// The handle of the thread. Dropping it waits for the file that is being written, and gives up the others.
#[derive(Debug)]
pub(super) struct SegmentWriter {
    files: Arc<SegmentFiles>,
    worker: Worker<Job>,
    waiting: Arc<AtomicU64>,
}

impl SegmentWriter {
    pub(super) fn start(files: Arc<SegmentFiles>) -> Result<Self> {
        let waiting = Arc::new(AtomicU64::new(0));
        let (own, counted) = (Arc::clone(&files), Arc::clone(&waiting));
        let worker = Worker::start("glaux-data-cache", "the data cache", move |jobs| run(&own, jobs, &counted))?;
        Ok(Self { files, worker, waiting })
    }

    /// Queues a segment, or passes over it if the queue is full.
    pub(super) fn queue(&self, object: ObjectVersion, start: u64, bytes: Bytes) {
        let size = load(&bytes);
        let admit = |waiting: u64| (waiting == 0 || waiting + size <= QUEUE_BYTES).then_some(waiting + size);
        if self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, admit).is_ok() {
            self.worker.queue(Job::Write { object, start, bytes });
        }
    }

    /// Waits until all that was queued before is written.
    #[cfg(test)]
    pub(super) async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        self.worker.queue(Job::Flush(sender));
        _ = receiver.await;
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Acquire)
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        // The worker ends after this, with the file that it writes.
        self.files.close();
    }
}

fn load(bytes: &Bytes) -> u64 {
    bytes.len() as u64 + JOB_BYTES
}

fn run(files: &SegmentFiles, jobs: &Receiver<Job>, waiting: &AtomicU64) {
    files.survey();
    let mut written = 0;
    let mut failed: Option<Instant> = None;
    for job in jobs {
        match job {
            Job::Write { object, start, bytes } => {
                let is_resting = failed.is_some_and(|failed| failed.elapsed() < REST);
                if !is_resting && !files.is_closing() {
                    match files.write(&object, start, &bytes) {
                        Ok(bytes) => written += bytes,
                        Err(error) => {
                            files.trouble(&error);
                            failed = Some(Instant::now());
                        }
                    }
                }
                let size = load(&bytes);
                drop(bytes);
                waiting.fetch_sub(size, Ordering::AcqRel);
            }
            #[cfg(test)]
            Job::Flush(done) => _ = done.send(()),
        }
        if written > files.capacity() / SURVEY_SHARE {
            files.survey();
            written = 0;
        }
    }
}
