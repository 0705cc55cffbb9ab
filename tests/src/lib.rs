//! What the tests and benches share: a lake that a test makes for itself (`lake`), an engine over it (`instance`) or a server's process
//! (`server`) with a client (`flight`), an S3 endpoint of our own (`s3_endpoint`), and the runner of the `.slt` corpus (`runner`).

pub mod flight;
pub mod instance;
pub mod lake;
pub mod runner;
pub mod s3_endpoint;
pub mod server;
