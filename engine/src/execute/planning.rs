//! Where statements are parsed and planned: on threads of their own, with deep stacks. A statement that takes seconds to plan keeps no
//! worker of the runtime from other queries, from time limits and from health checks, and one that nests deeply overflows no stack.
//!
//! How long planning may take at most is a matter of `sql/limits` and of [`crate::plan`].

use std::{sync::Arc, thread};

use futures::future::BoxFuture;
use tokio::{runtime::Handle, sync::oneshot};
use tracing::Instrument;

use crate::{
    error::{Error, ErrorKind, Result},
    lifecycle::Places,
};

/// Bytes of a thread's stack: only what is used of it takes memory.
const STACK: usize = 128 << 20;

/// Statements that an engine plans at a time; others wait. Many may wait for a store that lists files slowly, and one user's do not take all
/// places.
pub(crate) const PLACES: usize = 256;

/// Does the user's work on a thread of its own. It ends where it next waits for something once the future is dropped.
///
/// # Errors
/// Those of the work; `LimitExceeded` if there are no threads; `Internal` if the work panics.
pub(super) async fn apart<T: Send + 'static>(places: &Arc<Places>, user: &str, work: BoxFuture<'static, Result<T>>) -> Result<T> {
    let place = places.acquire(user).await;
    let runtime = Handle::current();
    let work = work.in_current_span();
    let (mut sender, receiver) = oneshot::channel();
    let thread = thread::Builder::new().name("glaux-planner".to_owned()).stack_size(STACK).spawn(move || {
        // Taken until the work ends, though nobody may wait for it any more.
        let _place = place;
        let done = runtime.block_on(async {
            tokio::select! {
                biased;
                () = sender.closed() => None,
                done = work => Some(done),
            }
        });
        // Whoever waited may have gone.
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
    async fn statements_of_one_user_that_hang_leave_places_for_others() {
        let places = Places::new(4);
        let hangs = || Box::pin(apart::<()>(&places, "ada", Box::pin(std::future::pending())));
        let mut flood: Vec<_> = (0..5).map(|_| hangs()).collect();
        for statement in &mut flood {
            assert!(futures::poll!(statement).is_pending());
        }
        assert_eq!(places.free(), 1);
        assert_eq!(apart(&places, "bob", Box::pin(async { Ok(7) })).await.unwrap(), 7);
    }
}
