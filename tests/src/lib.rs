//! What the tests and benches share: a lake that a test makes for itself (`lake`), an engine over it (`instance`) or a server's process
//! (`server`) with a client (`flight`), an S3 endpoint of our own (`s3_endpoint`), footers of other writers (`footer`), and the runner of the `.slt` corpus (`runner`).

use std::time::Duration;

pub mod flight;
pub mod footer;
pub mod instance;
pub mod lake;
pub mod runner;
pub mod s3_endpoint;
pub mod server;

/// How long a test waits for what must come. Nothing takes a hundredth of it on a machine with nothing else to do; one that builds and tests several
/// things at once is many times slower, and only what hangs gets this far.
pub const PATIENCE: Duration = Duration::from_secs(600);
