//! The settings of stores: defaults for all, and what differs for one bucket. Credentials never show in `Debug`, logs or dumps.
//!
//! What is not set here comes from the usual environment variables (`AWS_*`, `GOOGLE_*`, `AZURE_*`).

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    ranges::{MAX_REQUEST_BYTES, MERGE_GAP_BYTES, PARALLEL_REQUESTS, RangePolicy},
    url::StoreKey,
    values::{check_name, check_no_password, check_text, too_short},
};
use crate::error::Result;

/// The settings of all stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageOptions {
    /// For every bucket that sets nothing else.
    pub defaults: BucketOptions,
    /// By bucket or container (`lake`), by `container@account.host`, by `host:port`, or by a whole store URL (`s3://lake`); the
    /// most specific name wins.
    pub buckets: BTreeMap<String, BucketOptions>,
    /// Ranges of a file no further apart than this are read in one request.
    pub merge_gap_bytes: u64,
    /// No request asks for more than this; larger ranges are split.
    pub max_request_bytes: u64,
}

impl Default for StorageOptions {
    fn default() -> Self {
        Self {
            defaults: BucketOptions::default(),
            buckets: BTreeMap::new(),
            merge_gap_bytes: MERGE_GAP_BYTES,
            max_request_bytes: MAX_REQUEST_BYTES,
        }
    }
}

impl StorageOptions {
    /// The settings of one store, with the defaults filled in.
    pub(super) fn bucket(&self, key: &StoreKey) -> BucketOptions {
        let mut options = self.defaults.clone();
        for name in key.names().into_iter().rev() {
            if let Some(own) = self.buckets.get(&name) {
                options = own.over(&options);
            }
        }
        options.trimmed()
    }

    /// Whether the settings can open stores at all, so that nobody learns of a fault in them with the first query.
    ///
    /// # Errors
    /// `Invalid` with the setting's name, for times of zero, and for texts that no request can carry.
    pub fn check(&self) -> Result<()> {
        check(DEFAULTS, &self.defaults)?;
        self.buckets.iter().try_for_each(|(name, bucket)| check(&section(name), bucket))
    }

    /// The section of the configuration from which a store has a setting.
    pub(super) fn section(&self, key: &StoreKey, is_set: &dyn Fn(&BucketOptions) -> bool) -> Option<String> {
        let own = key.names().into_iter().find(|name| self.buckets.get(name).is_some_and(is_set));
        own.map(|name| section(&name)).or_else(|| is_set(&self.defaults).then(|| DEFAULTS.to_owned()))
    }

    /// How many ranges of one file become requests.
    #[must_use]
    pub(crate) fn range_policy(&self) -> RangePolicy {
        RangePolicy { gap: self.merge_gap_bytes, max_request: self.max_request_bytes.max(1), parallel: PARALLEL_REQUESTS }
    }
}

/// The section of the configuration for every bucket.
const DEFAULTS: &str = "storage.defaults";

/// The section of the configuration for one bucket.
fn section(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_bare { format!("storage.buckets.{name}") } else { format!("storage.buckets.\"{name}\"") }
}

/// Checks the settings of a section of the configuration.
///
/// # Errors
/// `Invalid` for what could open no store.
fn check(section: &str, bucket: &BucketOptions) -> Result<()> {
    let named = |key: &str| format!("{key} in [{section}]");
    let times = [
        ("timeout_seconds", bucket.timeout_seconds),
        ("connect_timeout_seconds", bucket.connect_timeout_seconds),
        ("stall_timeout_ms", bucket.stall_timeout_ms),
    ];
    if let Some((key, _)) = times.into_iter().find(|(_, time)| *time == Some(0)) {
        return Err(too_short(&named(key)));
    }
    let bucket = bucket.clone().trimmed();
    for (key, value) in [
        ("access_key_id", bucket.access_key_id.as_deref()),
        ("session_token", bucket.session_token.as_ref().map(Secret::reveal)),
        ("account_key", bucket.account_key.as_ref().map(Secret::reveal)),
        ("sas_token", bucket.sas_token.as_ref().map(Secret::reveal)),
    ] {
        value.map_or(Ok(()), |value| check_text(value, &named(key)))?;
    }
    for (key, value) in [("region", bucket.region.as_deref()), ("account", bucket.account.as_deref())] {
        value.map_or(Ok(()), |value| check_name(value, &named(key)))?;
    }
    bucket.endpoint.as_deref().map_or(Ok(()), |endpoint| check_no_password(endpoint, &named("endpoint")))
}

macro_rules! bucket_options {
    ($($(#[$meta:meta])* $field:ident: $kind:ty,)*) => {
        /// The settings of one bucket. What is absent comes from the defaults, then from the environment.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct BucketOptions {
            $($(#[$meta])* pub $field: Option<$kind>,)*
        }

        impl BucketOptions {
            /// These settings, with `other` where they say nothing.
            #[must_use]
            pub fn over(&self, other: &Self) -> Self {
                Self { $($field: self.$field.clone().or_else(|| other.$field.clone()),)* }
            }
        }
    };
}

bucket_options! {
    /// S3: `us-east-1` where neither this nor the environment names one.
    region: String,
    /// The URL of an S3-compatible service, or another base URL of Azure or Google storage. It leaves out the bucket.
    endpoint: String,
    /// Whether plain `http://` endpoints may be used.
    allow_http: bool,
    /// S3: whether the bucket is a part of the path (the default) or of the host name.
    path_style: bool,
    /// Whether requests go unsigned, for public buckets.
    anonymous: bool,
    /// S3: whether the requester pays for requests and transfer.
    requester_pays: bool,
    /// S3.
    access_key_id: String,
    /// S3.
    #[serde(skip_serializing)]
    secret_access_key: Secret,
    /// S3, with temporary credentials.
    #[serde(skip_serializing)]
    session_token: Secret,
    /// S3, with the `aws-profile` feature: the profile of the AWS configuration files.
    profile: String,
    /// Azure.
    account: String,
    /// Azure.
    #[serde(skip_serializing)]
    account_key: Secret,
    /// Azure: a shared access signature, as a query string.
    #[serde(skip_serializing)]
    sas_token: Secret,
    /// Google: a service account's JSON key file.
    service_account_file: PathBuf,
    /// A PEM file of certificates to trust beside the system's.
    ca_certificate_file: PathBuf,
    /// For one attempt with its whole body.
    timeout_seconds: u64,
    /// For the first byte of an answer to a read or a listing, and for each next one: an attempt that stalls for longer is given up and
    /// repeated.
    stall_timeout_ms: u64,
    /// For opening a connection.
    connect_timeout_seconds: u64,
    /// After this long no attempt is repeated.
    retry_timeout_seconds: u64,
    /// How often an attempt is repeated at most.
    max_retries: usize,
}

impl BucketOptions {
    /// Without the blanks and line breaks at the edges of texts, as files of secrets have them at their ends.
    pub(super) fn trimmed(mut self) -> Self {
        let secrets = [&mut self.secret_access_key, &mut self.session_token, &mut self.account_key, &mut self.sas_token];
        let secrets = secrets.into_iter().flatten().map(|secret| &mut secret.0);
        let texts = [&mut self.region, &mut self.endpoint, &mut self.access_key_id, &mut self.profile, &mut self.account];
        for text in texts.into_iter().flatten().chain(secrets) {
            *text = text.trim().to_owned();
        }
        self
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.unwrap_or(60))
    }

    pub(super) fn stall_timeout(&self) -> Duration {
        Duration::from_millis(self.stall_timeout_ms.unwrap_or(10_000))
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout_seconds.unwrap_or(4))
    }

    pub(super) fn retry_timeout(&self) -> Duration {
        Duration::from_secs(self.retry_timeout_seconds.unwrap_or(15))
    }

    pub(super) fn retries(&self) -> usize {
        self.max_retries.unwrap_or(8)
    }
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ErrorKind, storage::url};

    #[test]
    fn settings_that_open_no_store_are_named_by_their_section() {
        for (settings, told) in [
            (r#"{"defaults": {"timeout_seconds": 0}}"#, "timeout_seconds in [storage.defaults] is 0"),
            (r#"{"defaults": {"stall_timeout_ms": 0}}"#, "stall_timeout_ms"),
            (r#"{"buckets": {"s3://a": {"connect_timeout_seconds": 0}}}"#, "in [storage.buckets.\"s3://a\"]"),
            (r#"{"buckets": {"a": {"endpoint": "http://user:topsecret@h/"}}}"#, "endpoint in [storage.buckets.a]"),
            (r#"{"buckets": {"a": {"region": "eu\nnorth"}}}"#, "region in [storage.buckets.a]"),
            (r#"{"buckets": {"a": {"session_token": "x\ny"}}}"#, "session_token in [storage.buckets.a]"),
        ] {
            let options: StorageOptions = serde_json::from_str(settings).unwrap();
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(told) && !format!("{error:?}").contains("topsecret"), "{error:?}");
        }
        let trimmed = r#"{"defaults": {"region": "eu-north-1\n", "access_key_id": " id\n", "secret_access_key": "s\n"}}"#;
        let options: StorageOptions = serde_json::from_str(trimmed).unwrap();
        options.check().unwrap();
        let key = url::parse("s3://lake").unwrap().store;
        let bucket = options.bucket(&key);
        assert_eq!((bucket.region.as_deref(), bucket.access_key_id.as_deref()), (Some("eu-north-1"), Some("id")));
        assert_eq!(bucket.secret_access_key, Some(Secret::new("s")));
    }
}
