//! DataFusion as a contestant: its own session and its own listing table, as a program gets them that registers a Parquet folder.
#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "what Glaux is measured against has its own stores and takes SQL itself"
)]

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::DataType,
    execution::runtime_env::RuntimeEnvBuilder,
    prelude::{ParquetReadOptions, SessionConfig, SessionContext},
};
use glaux_tests::{
    lake::BUCKET,
    s3_endpoint::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY},
};
use object_store::aws::AmazonS3Builder;
use serde_json::Value;
use url::Url;

use super::{CORES, Outcome, Who};
use crate::Result;

/// Streams of the tuned ones, and bytes that their caches may hold.
const TUNED_STREAMS: usize = 32;
const TUNED_CACHE: usize = 1 << 30;

pub(super) struct DataFusion(SessionContext);

impl DataFusion {
    pub(super) fn start(who: Who, message: &Value) -> Result<Self> {
        let mut config = SessionConfig::new().with_target_partitions(CORES);
        let mut runtime = RuntimeEnvBuilder::new();
        if matches!(who, Who::Tuned | Who::TunedPushdown) {
            config = config.with_target_partitions(TUNED_STREAMS);
            config.options_mut().execution.parquet.pushdown_filters = who == Who::TunedPushdown;
            runtime = runtime
                .with_object_list_cache_limit(TUNED_CACHE)
                .with_metadata_cache_limit(TUNED_CACHE)
                .with_file_statistics_cache_limit(TUNED_CACHE);
        }
        let context = SessionContext::new_with_config_rt(config, runtime.build_arc()?);
        if let Some(endpoint) = message["endpoint"].as_str() {
            let store = AmazonS3Builder::new()
                .with_endpoint(endpoint)
                .with_allow_http(true)
                .with_region(REGION)
                .with_bucket_name(BUCKET)
                .with_access_key_id(ACCESS_KEY_ID)
                .with_secret_access_key(SECRET_ACCESS_KEY)
                .build()?;
            context.register_object_store(&Url::parse(&format!("s3://{BUCKET}"))?, Arc::new(store));
        }
        Ok(Self(context))
    }

    /// Registers a folder of Parquet files, whose schema it finds out.
    pub(super) async fn open(&self, message: &Value) -> Result<Outcome> {
        let text = |name: &str| message[name].as_str().unwrap_or_default();
        let mut keys = Vec::new();
        for key in message["keys"].as_array().into_iter().flatten() {
            let kind = match key[1].as_str() {
                Some("INT") => DataType::Int32,
                Some("DATE") => DataType::Date32,
                other => return Err(format!("no key of type {other:?} is measured").into()),
            };
            keys.push((key[0].as_str().unwrap_or_default().to_owned(), kind));
        }
        let options = ParquetReadOptions::default().table_partition_cols(keys);
        self.0.register_parquet(text("table"), text("url"), options).await?;
        Ok((Vec::new(), None))
    }

    pub(super) async fn run(&self, sql: String) -> Result<Outcome> {
        let context = self.0.clone();
        let batches = tokio::spawn(async move { context.sql(&sql).await?.collect().await }).await??;
        Ok((batches, None))
    }
}
