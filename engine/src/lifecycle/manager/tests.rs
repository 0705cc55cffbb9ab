//! Tests of admission, cancelling and the result's stream.

use arrow::{
    array::{Int64Array, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use futures::{FutureExt, StreamExt, TryStreamExt, stream, stream::BoxStream};

use super::*;
use crate::{
    accounting::ScanMeter,
    clock::system_clock,
    error::ErrorKind,
    lifecycle::{Canceller, Executing, Query},
    statement_kind::StatementKind,
};

fn manager(slots: usize) -> QueryManager {
    QueryManager::new(Arc::new(History::in_memory().unwrap()), Tariffs::default(), slots, system_clock())
}

impl QueryManager {
    /// How many slots are free.
    pub(crate) fn free_slots(&self) -> usize {
        self.registry.slots().free()
    }
}

fn begin(manager: &QueryManager) -> QueryGuard<Received> {
    let guard = manager.receive(SessionOptions::default(), "SELECT 1").unwrap();
    guard.classify(StatementKind::Dml, true);
    guard
}

async fn execute(manager: &QueryManager) -> QueryGuard<Executing> {
    begin(manager).planned().admit().await.unwrap()
}

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]))
}

fn batch(rows: i64) -> Result<RecordBatch> {
    Ok(RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from_iter_values(0..rows))]).unwrap())
}

fn query(guard: QueryGuard<Executing>, batches: impl futures::Stream<Item = Result<RecordBatch>> + Send + 'static) -> Query {
    let batches: BoxStream<'static, _> = batches.boxed();
    Query::new(guard, schema(), batches)
}

async fn state(manager: &QueryManager, id: QueryId) -> (QueryState, Option<ErrorKind>, u64) {
    let record = manager.history().get(id).await.unwrap();
    (record.state, record.error_kind, record.usage.rows)
}

#[tokio::test]
async fn a_stream_that_ends_has_been_recorded() {
    let manager = manager(1);
    let mut query = query(execute(&manager).await, stream::iter([batch(3), batch(4)]));
    assert_eq!(query.schema(), schema());
    assert_eq!(query.next().await.unwrap().unwrap().num_rows(), 3);
    assert_eq!((query.report().state, query.report().usage.rows), (QueryState::Running, 3));
    assert_eq!(manager.list_running()[0].usage.rows, 3);
    query.next().await.unwrap().unwrap();
    assert!(query.next().await.is_none());
    assert!(query.next().await.is_none());
    assert!(manager.list_running().is_empty());
    assert_eq!((query.report().state, query.report().usage.rows), (QueryState::Succeeded, 7));
    assert_eq!(state(&manager, query.id()).await, (QueryState::Succeeded, None, 7));
}

#[tokio::test]
async fn an_error_in_the_stream_fails_the_query_and_ends_the_stream() {
    let manager = manager(1);
    let batches = stream::iter([batch(3), Err(Error::corrupt("bad page")), batch(4)]);
    let mut query = query(execute(&manager).await, batches);
    query.next().await.unwrap().unwrap();
    assert_eq!(query.next().await.unwrap().unwrap_err().message(), "bad page");
    assert!(query.next().await.is_none());
    assert_eq!(state(&manager, query.id()).await, (QueryState::Failed, Some(ErrorKind::CorruptData), 3));
}

#[tokio::test]
async fn a_stream_dropped_early_is_cancelled_and_gives_its_slot_back() {
    let manager = manager(1);
    let mut query = query(execute(&manager).await, stream::iter([batch(3), batch(4)]));
    query.next().await.unwrap().unwrap();
    let id = query.id();
    drop(query);
    assert_eq!(state(&manager, id).await, (QueryState::Cancelled, Some(ErrorKind::Cancelled), 3));
    assert_eq!(manager.free_slots(), 1);
}

#[tokio::test]
async fn a_kill_wakes_a_stream_that_waits() {
    let manager = manager(1);
    let mut query = query(execute(&manager).await, stream::pending());
    assert!(query.next().now_or_never().is_none());
    let (next, killed) = tokio::join!(query.next(), manager.kill(query_id(&manager), "grace"));
    killed.unwrap();
    assert_eq!(next.unwrap().unwrap_err().message(), "the query was killed by \"grace\"");
    assert_eq!(manager.free_slots(), 1);
    let error = manager.kill(query.id(), "grace").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains(&query.id().to_string()));
}

fn query_id(manager: &QueryManager) -> QueryId {
    manager.list_running()[0].query_id
}

#[tokio::test]
async fn a_cancelled_stream_gives_no_batch_that_is_ready() {
    let manager = manager(1);
    let mut query = query(execute(&manager).await, stream::iter([batch(3)]));
    let canceller: Canceller = query.canceller();
    assert!(canceller.cancel(CancelReason::User));
    assert_eq!(query.next().await.unwrap().unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(query.next().await.is_none());
    assert_eq!(state(&manager, query.id()).await, (QueryState::Cancelled, Some(ErrorKind::Cancelled), 0));
}

#[tokio::test]
async fn the_time_limit_ends_a_stream() {
    let manager = manager(1);
    // Time enough to be admitted; the stream never comes to an end by itself.
    let options = SessionOptions { timeout: Some(Duration::from_millis(200)), ..SessionOptions::default() };
    let guard = manager.receive(options, "SELECT 1").unwrap().planned().start();
    let error = query(guard, stream::pending()).try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::TimedOut, "the query took longer than its limit of 200ms"));
}

#[tokio::test]
async fn the_scan_limit_ends_a_stream_even_at_its_last_step() {
    let manager = manager(1);
    let options = SessionOptions { max_scan: Some(10), ..SessionOptions::default() };
    for (bytes, succeeds) in [(10_u64, true), (11, false)] {
        let guard = manager.receive(options.clone(), "SELECT 1").unwrap();
        guard.classify(StatementKind::Dml, true);
        let meter = Arc::clone(guard.meter());
        let batches = stream::poll_fn(move |_| {
            let mut file = ScanMeter::new(Arc::clone(&meter)).file("a");
            assert!(file.consume(&(0..5)));
            assert_eq!(file.consume(&(0..bytes)), bytes <= 10);
            std::task::Poll::Ready(None)
        });
        let mut query = query(guard.planned().start(), batches);
        match query.next().await {
            None => assert!(succeeds),
            Some(outcome) => {
                let error = outcome.unwrap_err();
                assert!(!succeeds);
                assert_eq!(
                    (error.kind(), error.message()),
                    (ErrorKind::LimitExceeded, "the query would scan more than its limit of 10 bytes")
                );
                assert_eq!((query.report().state, query.report().bill.billed_bytes), (QueryState::Cancelled, 10_000_000));
            }
        }
    }
}

#[tokio::test]
async fn queries_wait_for_slots_in_their_order_and_may_be_cancelled_there() {
    let manager = manager(1);
    let first = execute(&manager).await;
    let (second, third) = (begin(&manager).planned(), begin(&manager).planned());
    let cancel_second = second.canceller();
    let (second_id, third_id) = (second.id(), third.id());
    let mut second = Box::pin(second.admit());
    let mut third = Box::pin(third.admit());
    assert!(second.as_mut().now_or_never().is_none());
    assert!(third.as_mut().now_or_never().is_none());
    let states: Vec<_> = manager.list_running().iter().map(|query| query.state).collect();
    assert_eq!(states, [QueryState::Running, QueryState::Queued, QueryState::Queued]);

    cancel_second.cancel(CancelReason::User);
    let failure = second.await.unwrap_err();
    assert_eq!((failure.error.kind(), failure.report.query_id), (ErrorKind::Cancelled, second_id));
    assert!(third.as_mut().now_or_never().is_none());
    first.succeed().await;
    let third = third.await.unwrap();
    assert_eq!(third.id(), third_id);
    assert_eq!(manager.free_slots(), 0);
    third.succeed().await;
    assert_eq!(manager.free_slots(), 1);
}

#[tokio::test]
async fn another_process_kills_through_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(History::open(folder.path()).unwrap());
    let runs = QueryManager::new(open(), Tariffs::default(), 1, system_clock());
    let asks = QueryManager::new(open(), Tariffs::default(), 1, system_clock());
    let query = query(execute(&runs).await, stream::pending());
    let id = query.id();
    runs.history().flush().await.unwrap();
    asks.kill(id, "grace").await.unwrap();
    let error = query.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.message(), "the query was killed by \"grace\"");
    assert_eq!(state(&asks, id).await, (QueryState::Cancelled, Some(ErrorKind::Aborted), 0));
}

#[tokio::test]
async fn the_end_of_the_process_ends_what_runs_and_what_waits() {
    let manager = manager(1);
    let running = query(execute(&manager).await, stream::pending());
    let waiting = begin(&manager).planned();
    manager.abort_all();
    let error = running.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Aborted);
    let failure = waiting.admit().await.unwrap_err();
    assert_eq!((failure.error.kind(), failure.report.state), (ErrorKind::Aborted, QueryState::Cancelled));
}
