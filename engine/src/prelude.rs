//! What most programs that embed the engine need: `use glaux_engine::prelude::*;`.

pub use arrow::array::RecordBatch;

pub use crate::{
    config::EngineOptions,
    embed::Value,
    error::{Error, ErrorKind, Result},
    lifecycle::{Query, QueryReport},
    runtime::Engine,
    session::{Role, Session, SessionOptions},
};
