//! From a store's key and its settings to the store itself. Nothing is sent here: a wrong credential shows with the first request.

#![expect(clippy::disallowed_types, reason = "this is the place that builds stores")]

use std::{fmt, fs, path::Path as FsPath, str::FromStr, sync::Arc};

use object_store::{
    BackoffConfig, Certificate, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    http::HttpBuilder,
};

use super::{
    closed::ClosedFiles,
    failure::{self, Place},
    list::{Disk, Pages},
    options::{BucketOptions, Environment, StorageOptions},
    url::{Scheme, StoreKey},
    wire::WireConnector,
};
use crate::error::{Error, Result};

/// A store that is built, shared by all queries.
#[derive(Clone)]
pub(super) struct Backend {
    /// Absent for local files, which need no building.
    pub(super) store: Option<Arc<dyn ObjectStore>>,
    pub(super) pages: Pages,
    pub(super) place: Arc<Place>,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Builds the store of a key.
///
/// # Errors
/// `Invalid` for settings that do not fit together or a certificate that cannot be read.
pub(super) fn build(
    key: &StoreKey,
    options: &StorageOptions,
    environment: &Environment,
    wire: &WireConnector,
    closed: &Arc<ClosedFiles>,
) -> Result<Backend> {
    let bucket = options.bucket(key);
    let client = Client::new(&bucket, key, wire)?;
    match key.scheme {
        Scheme::File => {
            let place = Arc::new(Place::new(key.clone(), None, None));
            Ok(Backend { store: None, pages: Pages::Disk(Arc::new(Disk::new(Arc::clone(closed)))), place })
        }
        Scheme::S3 => s3(key, &bucket, environment, client),
        Scheme::Google => google(key, &bucket, environment, client),
        Scheme::Azure => azure(key, &bucket, environment, client),
        Scheme::Http | Scheme::Https => http(key, client),
    }
}

/// What all clients over HTTP have in common.
struct Client {
    options: ClientOptions,
    retry: RetryConfig,
    wire: WireConnector,
}

impl Client {
    fn new(bucket: &BucketOptions, key: &StoreKey, wire: &WireConnector) -> Result<Self> {
        let mut options = ClientOptions::new().with_timeout(bucket.timeout()).with_connect_timeout(bucket.connect_timeout());
        let mut certificates = String::new();
        if let Some(path) = &bucket.ca_certificate_file {
            for certificate in read_certificates(path)? {
                options = options.with_root_certificate(certificate);
            }
            certificates = path.display().to_string();
        }
        let is_plain = matches!(key.scheme, Scheme::Http | Scheme::Https);
        Ok(Self { options, retry: retry(bucket), wire: wire.for_store(certificates, is_plain, bucket.stall_timeout()) })
    }
}

fn read_certificates(path: &FsPath) -> Result<Vec<Certificate>> {
    let unreadable = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::invalid(format!("the certificate file \"{}\" cannot be read", path.display()))
            .with_hint("Name a PEM file as ca_certificate_file")
            .with_source(source)
    };
    let pem = fs::read(path).map_err(|source| unreadable(source.into()))?;
    Certificate::from_pem_bundle(&pem).map_err(|source| unreadable(source.into()))
}

fn retry(bucket: &BucketOptions) -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: std::time::Duration::from_millis(100),
            max_backoff: std::time::Duration::from_secs(4),
            base: 3.0,
        },
        max_retries: bucket.retries(),
        retry_timeout: bucket.retry_timeout(),
    }
}

/// Applies the environment's variables that a builder knows; what the client should do otherwise is decided by [`Client`].
fn configure<K: FromStr>(environment: &Environment, prefix: &str, mut apply: impl FnMut(K, &str)) {
    for (name, value) in environment.with_prefix(prefix) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            apply(key, value);
        }
    }
}

/// Whether plain HTTP is allowed; an endpoint that needs it and may not have it is refused here, with the reason.
fn allow_http(bucket: &BucketOptions, environment: &Environment, endpoint: Option<&str>) -> Result<bool> {
    let from_environment =
        ["AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP"].iter().find_map(|name| environment.get(name));
    let allowed = bucket.allow_http.unwrap_or_else(|| from_environment.is_some_and(is_true));
    match endpoint {
        Some(endpoint) if !allowed && endpoint.starts_with("http://") => {
            Err(Error::invalid(format!("the endpoint \"{endpoint}\" is not encrypted"))
                .with_hint("Set AWS_ALLOW_HTTP=true, or allow_http = true in the bucket's settings, to use it all the same"))
        }
        _ => Ok(allowed),
    }
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y")
}

fn s3(key: &StoreKey, bucket: &BucketOptions, environment: &Environment, client: Client) -> Result<Backend> {
    use AmazonS3ConfigKey as Key;
    if bucket.access_key_id.is_some() != bucket.secret_access_key.is_some() {
        return Err(Error::invalid(format!("the settings of \"{key}\" have one half of an access key"))
            .with_hint("Set both access_key_id and secret_access_key, or neither"));
    }
    let has_own_credentials = bucket.access_key_id.is_some();
    let mut builder = AmazonS3Builder::new();
    let mut options = client.options;
    configure(environment, "AWS_", |name: Key, value| match name {
        Key::Client(name) => options = from_environment(std::mem::take(&mut options), name, value, bucket),
        // Decided below, or given by the URL.
        Key::Endpoint | Key::S3Endpoint | Key::Bucket => {}
        // A secret or a token of the environment belongs to the environment's key.
        Key::AccessKeyId | Key::SecretAccessKey | Key::Token if has_own_credentials => {}
        name => builder = std::mem::take(&mut builder).with_config(name, value),
    });
    let endpoints = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
    let endpoint = bucket.endpoint.as_deref().or_else(|| endpoints.iter().find_map(|name| environment.get(name)));
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    options = options.with_allow_http(allow_http(bucket, environment, endpoint.as_deref())?);
    builder = builder.with_client_options(options).with_retry(client.retry).with_http_connector(client.wire);
    builder = builder.with_bucket_name(&key.authority);
    if let Some(region) = &bucket.region {
        builder = builder.with_region(region);
    }
    if let Some(path_style) = bucket.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    if let Some(endpoint) = &endpoint {
        let is_virtual = builder.get_config_value(&Key::VirtualHostedStyleRequest).is_some_and(|value| is_true(&value));
        builder = builder.with_endpoint(if is_virtual { with_bucket(endpoint, &key.authority) } else { endpoint.clone() });
    }
    if let Some(anonymous) = bucket.anonymous {
        builder = builder.with_skip_signature(anonymous);
    }
    if let Some(requester_pays) = bucket.requester_pays {
        builder = builder.with_request_payer(requester_pays);
    }
    if let (Some(id), Some(secret)) = (&bucket.access_key_id, &bucket.secret_access_key) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret.reveal());
    }
    if let Some(token) = &bucket.session_token {
        builder = builder.with_token(token.reveal());
    }
    let mut hint = None;
    if let Some(profile) = bucket.profile.as_deref().or_else(|| environment.get("AWS_PROFILE"))
        && builder.get_config_value(&Key::AccessKeyId).is_none()
    {
        (builder, hint) = with_profile(builder, profile);
    }
    let store = Arc::new(builder.build().map_err(|error| refused(key, &error))?);
    let place = Arc::new(Place::new(key.clone(), endpoint, hint));
    Ok(Backend { store: Some(Arc::clone(&store) as _), pages: Pages::Store(store), place })
}

/// The credentials and the region of a profile, if this build reads profiles; otherwise what to say when there are no others.
#[cfg(feature = "aws-profile")]
fn with_profile(mut builder: AmazonS3Builder, profile: &str) -> (AmazonS3Builder, Option<String>) {
    if builder.get_config_value(&AmazonS3ConfigKey::Region).is_none()
        && let Some(region) = super::profile::region(profile)
    {
        builder = builder.with_region(region);
    }
    (builder.with_credentials(Arc::new(super::profile::ProfileCredentials::new(profile))), None)
}

#[cfg(not(feature = "aws-profile"))]
fn with_profile(builder: AmazonS3Builder, profile: &str) -> (AmazonS3Builder, Option<String>) {
    let hint = format!(
        "The profile \"{profile}\" is set, but this build does not read AWS profiles: export its credentials with \
         `aws configure export-credentials --format env`, or build with the feature aws-profile"
    );
    (builder, Some(hint))
}

/// An endpoint with the bucket as a part of its host name.
fn with_bucket(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => format!("{bucket}.{endpoint}"),
    }
}

fn google(key: &StoreKey, bucket: &BucketOptions, environment: &Environment, client: Client) -> Result<Backend> {
    use GoogleConfigKey as Key;
    let mut builder = GoogleCloudStorageBuilder::new();
    let mut options = client.options;
    let mut endpoint = None;
    if let Some(path) = environment.get("SERVICE_ACCOUNT") {
        builder = builder.with_service_account_path(path);
    }
    configure(environment, "GOOGLE_", |name: Key, value| match name {
        Key::Client(name) => options = from_environment(std::mem::take(&mut options), name, value, bucket),
        Key::Bucket => {}
        Key::BaseUrl => endpoint = Some(value.to_owned()),
        name => builder = std::mem::take(&mut builder).with_config(name, value),
    });
    let endpoint = bucket.endpoint.clone().or(endpoint).map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    options = options.with_allow_http(allow_http(bucket, environment, endpoint.as_deref())?);
    builder = builder.with_client_options(options).with_retry(client.retry).with_http_connector(client.wire);
    builder = builder.with_bucket_name(&key.authority);
    if let Some(endpoint) = &endpoint {
        builder = builder.with_config(Key::BaseUrl, endpoint);
    }
    if let Some(path) = &bucket.service_account_file {
        builder = builder.with_service_account_path(path.to_string_lossy());
    }
    if let Some(anonymous) = bucket.anonymous {
        builder = builder.with_skip_signature(anonymous);
    }
    let store = Arc::new(builder.build().map_err(|error| refused(key, &error))?);
    let place = Arc::new(Place::new(key.clone(), endpoint, None));
    Ok(Backend { store: Some(Arc::clone(&store) as _), pages: Pages::Store(store), place })
}

fn azure(key: &StoreKey, bucket: &BucketOptions, environment: &Environment, client: Client) -> Result<Backend> {
    use AzureConfigKey as Key;
    let mut builder = MicrosoftAzureBuilder::new();
    let mut options = client.options;
    let mut endpoint = None;
    let has_own_credentials = bucket.account_key.is_some() || bucket.sas_token.is_some();
    configure(environment, "AZURE_", |name: Key, value| match name {
        Key::Client(name) => options = from_environment(std::mem::take(&mut options), name, value, bucket),
        Key::ContainerName => {}
        Key::Endpoint => endpoint = Some(value.to_owned()),
        Key::AccessKey | Key::SasKey | Key::Token if has_own_credentials => {}
        name => builder = std::mem::take(&mut builder).with_config(name, value),
    });
    if let Some(url) = environment.get("MSI_ENDPOINT") {
        builder = builder.with_msi_endpoint(url);
    }
    let endpoint = bucket.endpoint.clone().or(endpoint).map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    options = options.with_allow_http(allow_http(bucket, environment, endpoint.as_deref())?);
    builder = builder.with_client_options(options).with_retry(client.retry).with_http_connector(client.wire);
    builder = builder.with_container_name(key.bucket());
    if let Some((_, host)) = key.authority.split_once('@') {
        let (account, domain) = host.split_once('.').unwrap_or((host, ""));
        builder = builder.with_account(account).with_use_fabric_endpoint(domain.ends_with("fabric.microsoft.com"));
    }
    if let Some(account) = &bucket.account {
        builder = builder.with_account(account);
    }
    if let Some(endpoint) = &endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    if let Some(account_key) = &bucket.account_key {
        builder = builder.with_access_key(account_key.reveal());
    }
    if let Some(token) = &bucket.sas_token {
        builder = builder.with_config(Key::SasKey, token.reveal());
    }
    if let Some(anonymous) = bucket.anonymous {
        builder = builder.with_skip_signature(anonymous);
    }
    let store = Arc::new(builder.build().map_err(|error| refused(key, &error))?);
    let place = Arc::new(Place::new(key.clone(), endpoint, None));
    Ok(Backend { store: Some(Arc::clone(&store) as _), pages: Pages::Store(store), place })
}

fn http(key: &StoreKey, client: Client) -> Result<Backend> {
    let options = client.options.with_allow_http(key.scheme == Scheme::Http);
    let builder = HttpBuilder::new().with_url(format!("{key}/")).with_client_options(options);
    let store =
        builder.with_retry(client.retry).with_http_connector(client.wire).build().map_err(|error| refused(key, &error))?;
    let place = Arc::new(Place::new(key.clone(), None, None));
    Ok(Backend { store: Some(Arc::new(store)), pages: Pages::None, place })
}

/// A client's setting from the environment, unless the bucket's settings have it.
fn from_environment(options: ClientOptions, name: ClientConfigKey, value: &str, bucket: &BucketOptions) -> ClientOptions {
    let is_set = match name {
        ClientConfigKey::Timeout => bucket.timeout_seconds.is_some(),
        ClientConfigKey::ConnectTimeout => bucket.connect_timeout_seconds.is_some(),
        ClientConfigKey::AllowHttp => true,
        _ => false,
    };
    if is_set { options } else { options.with_config(name, value) }
}

/// A store whose settings its builder does not accept.
fn refused(key: &StoreKey, error: &object_store::Error) -> Error {
    let error = failure::error(error, &Place::default());
    Error::invalid(format!("the settings of \"{key}\" name no store that can be opened"))
        .with_hint("Check the bucket's settings and the environment variables of its provider")
        .with_source(error)
}
