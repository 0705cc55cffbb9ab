//! The threads on which statements are parsed and planned, each with a deep stack. A statement that takes seconds to plan does not block a worker
//! of the runtime, which has other queries, time limits and health checks to serve, and one that nests deeply does not overflow a stack.
//!
//! `sql/limits` and [`crate::plan`] limit how long planning may take.

use std::{sync::Arc, thread};

use futures::future::BoxFuture;
use tokio::{runtime::Handle, sync::oneshot};
use tracing::Instrument;

use crate::{
    error::{Error, ErrorKind, Result},
    lifecycle::Slots,
};

/// Bytes of a thread's stack. Only the part that is used takes memory.
const STACK: usize = 128 << 20;

/// Statements that an engine plans at a time; others wait. There are many because planning may wait for a store that lists files slowly; one user's
/// statements do not take all of them.
pub(crate) const SLOTS: usize = 256;

/// Does the user's work on a thread of its own. When the future is dropped, the work ends at the next point where it waits.
///
/// # Errors
/// Those of the work; `LimitExceeded` if there are no threads; `Internal` if the work panics.
pub(super) async fn apart<T: Send + 'static>(slots: &Arc<Slots>, user: &str, work: BoxFuture<'static, Result<T>>) -> Result<T> {
    let slot = slots.acquire(user).await;
    let runtime = Handle::current();
    let work = work.in_current_span();
    let (mut sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name("glaux-planner".to_owned()).stack_size(STACK).spawn(move || {
        // Held until the work ends, even if nobody waits for it any more.
        let _slot = slot;
        let done = runtime.block_on(async {
            tokio::select! {
                biased;
                () = sender.closed() => None,
                done = work => Some(done),
            }
        });
        // The receiver may have gone.
        if let Some(done) = done {
            let _ = sender.send(done);
        }
    });
    thread.map_err(|error| {
        Error::new(ErrorKind::LimitExceeded, "no thread can be started to plan the statement").with_source(error)
    })?;
    receiver.await.unwrap_or_else(|_| Err(Error::internal("planning the statement panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn statements_of_one_user_that_hang_leave_slots_for_others() {
        let slots = Slots::new(4);
        let hangs = || Box::pin(apart::<()>(&slots, "ada", Box::pin(std::future::pending())));
        let mut flood: Vec<_> = (0..5).map(|_| hangs()).collect();
        for statement in &mut flood {
            assert!(futures::poll!(statement).is_pending());
        }
        assert_eq!(slots.free(), 1);
        assert_eq!(apart(&slots, "bob", Box::pin(async { Ok(7) })).await.unwrap(), 7);
    }
}
