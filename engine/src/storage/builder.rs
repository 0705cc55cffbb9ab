//! From a store's key and its settings to the store itself. Nothing is sent here: a wrong credential shows with the first request.

#![expect(clippy::disallowed_types, reason = "this is the place that builds stores")]

use std::{
    fmt, fs,
    path::{Path as FsPath, PathBuf},
    str::FromStr,
    sync::Arc,
};

use object_store::{
    BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, RetryConfig, StaticCredentialProvider,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GcpCredential, GoogleCloudStorageBuilder, GoogleConfigKey},
    http::HttpBuilder,
    list::PaginatedListStore,
};
use reqwest::Certificate;

use super::{
    closed::ClosedFiles,
    credentials::{
        GOOGLE_FILES, GoogleFile, check_google_file, check_token_file, names_aws_source, origin_of_credentials, passed_over,
    },
    endpoint::{Endpoint, allow_http},
    environment::Environment,
    failure,
    list::{Disk, Pages},
    options::{BucketOptions, StorageOptions},
    place::StorePlace,
    scheme::Scheme,
    url::StoreKey,
    values::{check_variable, is_true},
    wire::WireConnector,
};
use crate::error::{Error, Result};

/// A store that is built, shared by all queries.
#[derive(Clone)]
pub(super) struct Backend {
    /// Absent for local files, which need no building.
    pub(super) store: Option<Arc<dyn ObjectStore>>,
    pub(super) pages: Pages,
    pub(super) place: Arc<StorePlace>,
}

impl Backend {
    /// What a provider's builder has built.
    fn of_provider<S: ObjectStore + PaginatedListStore>(place: StorePlace, built: object_store::Result<S>) -> Result<Self> {
        let store = Arc::new(built.map_err(|error| refused(&place, &error))?);
        Ok(Self { store: Some(Arc::clone(&store) as _), pages: Pages::Store(store), place: Arc::new(place) })
    }
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
    options.check()?;
    let bucket = options.bucket(key);
    let mut client = Client::new(&bucket, key, wire)?;
    let mut endpoint = None;
    if matches!(key.scheme, Scheme::S3 | Scheme::Google | Scheme::Azure) {
        endpoint = Endpoint::of(key, &bucket, options, environment)?;
        client.options = client.options.with_allow_http(allow_http(key, &bucket, environment, endpoint.as_ref())?);
    }
    let mut place = StorePlace::of(key.clone());
    place.credentials = origin_of_credentials(key, options, environment);
    place.endpoint = endpoint.as_ref().map(|endpoint| endpoint.url.clone());
    match key.scheme {
        Scheme::File => {
            let disk = Disk::new(Arc::clone(closed));
            Ok(Backend { store: None, pages: Pages::Disk(Arc::new(disk)), place: Arc::new(place) })
        }
        Scheme::S3 => s3(place, key, &bucket, environment, endpoint.as_ref(), client),
        Scheme::Google => google(place, key, &bucket, environment, endpoint.as_ref(), client),
        Scheme::Azure => azure(place, key, &bucket, environment, endpoint.as_ref(), client),
        Scheme::Http | Scheme::Https => http(place, key, client),
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
        let options = ClientOptions::new().with_timeout(bucket.timeout()).with_connect_timeout(bucket.connect_timeout());
        let certificates = match &bucket.ca_certificate_file {
            Some(path) => (path.display().to_string(), read_certificates(path)?),
            None => Default::default(),
        };
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
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|source| unreadable(source.into()))?;
    if certificates.is_empty() {
        return Err(Error::invalid(format!("the certificate file \"{}\" has no certificate", path.display()))
            .with_hint("Name a PEM file as ca_certificate_file, with lines of -----BEGIN CERTIFICATE-----"));
    }
    Ok(certificates)
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
///
/// # Errors
/// `Invalid` for a value that the store could not be asked with.
fn configure<K: FromStr>(environment: &Environment, prefix: &str, mut apply: impl FnMut(K, &str)) -> Result<()> {
    for (name, value) in environment.with_prefix(prefix) {
        if let Ok(key) = name.to_ascii_lowercase().parse() {
            check_variable(name, value)?;
            apply(key, value);
        }
    }
    Ok(())
}

fn s3(
    mut place: StorePlace,
    key: &StoreKey,
    bucket: &BucketOptions,
    environment: &Environment,
    endpoint: Option<&Endpoint>,
    client: Client,
) -> Result<Backend> {
    use AmazonS3ConfigKey as Key;
    if bucket.access_key_id.is_some() != bucket.secret_access_key.is_some() {
        return Err(Error::invalid(format!("the settings of \"{key}\" have only half of an access key"))
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
    })?;
    builder = builder.with_client_options(options).with_retry(client.retry).with_http_connector(client.wire);
    builder = builder.with_bucket_name(&key.authority);
    if let Some(region) = &bucket.region {
        builder = builder.with_region(region);
    }
    if let Some(path_style) = bucket.path_style {
        builder = builder.with_virtual_hosted_style_request(!path_style);
    }
    let is_set = |builder: &AmazonS3Builder, key: Key| builder.get_config_value(&key).is_some_and(|value| is_true(&value));
    if let Some(endpoint) = endpoint {
        let is_virtual = is_set(&builder, Key::VirtualHostedStyleRequest);
        builder = builder.with_endpoint(if is_virtual { endpoint.with_bucket(&key.authority)? } else { endpoint.url.clone() });
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
    if builder.get_config_value(&Key::AccessKeyId).is_none() && !is_set(&builder, Key::SkipSignature) {
        let mut reads_profile = false;
        if let Some(profile) = bucket.profile.as_deref().or_else(|| environment.get("AWS_PROFILE")) {
            (builder, place.no_credentials) = with_profile(builder, profile);
            reads_profile = place.no_credentials.is_none();
        }
        if !reads_profile {
            let names_another = names_aws_source(environment)?;
            let hint = place.no_credentials.take().or_else(|| passed_over(environment));
            place.no_credentials = hint.filter(|_| !names_another);
        }
    }
    Backend::of_provider(place, builder.build())
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

fn google(
    place: StorePlace,
    key: &StoreKey,
    bucket: &BucketOptions,
    environment: &Environment,
    endpoint: Option<&Endpoint>,
    client: Client,
) -> Result<Backend> {
    use GoogleConfigKey as Key;
    let mut builder = GoogleCloudStorageBuilder::new();
    let mut options = client.options;
    let own_file = bucket.service_account_file.as_ref();
    let skips_signature = environment.switch("GOOGLE_SKIP_SIGNATURE")?.unwrap_or(false);
    let is_anonymous = bucket.anonymous.unwrap_or(skips_signature);
    let has_own_credentials = own_file.is_some() || is_anonymous;
    let mut file = own_file.map(|path| (path.clone(), "service_account_file".to_owned()));
    configure(environment, "GOOGLE_", |name: Key, value| match name {
        Key::Client(name) => options = from_environment(std::mem::take(&mut options), name, value, bucket),
        // The endpoint is known, and the bucket is given by the URL.
        Key::Bucket | Key::BaseUrl => {}
        // Files are looked at first, below.
        Key::ServiceAccount | Key::ApplicationCredentials => {}
        Key::ServiceAccountKey if has_own_credentials => {}
        name => builder = std::mem::take(&mut builder).with_config(name, value),
    })?;
    if !has_own_credentials && environment.get("GOOGLE_SERVICE_ACCOUNT_KEY").is_none() {
        file = GOOGLE_FILES.iter().find_map(|name| Some((PathBuf::from(environment.get(name)?), format!("The variable {name}"))));
    }
    builder = builder.with_client_options(options).with_retry(client.retry).with_http_connector(client.wire);
    builder = builder.with_bucket_name(&key.authority);
    if let Some(endpoint) = endpoint {
        builder = builder.with_config(Key::BaseUrl, &endpoint.url);
    }
    if let Some((path, named_by)) = &file {
        let path_of_key = path.to_string_lossy();
        builder = match check_google_file(path, named_by)? {
            GoogleFile::ServiceAccount => builder.with_service_account_path(path_of_key),
            GoogleFile::User => builder.with_application_credentials(path_of_key),
        };
    }
    if let Some(anonymous) = bucket.anonymous {
        builder = builder.with_skip_signature(anonymous);
    }
    if is_anonymous {
        // No file of credentials is looked for, which may be there and be of no use.
        builder = builder.with_credentials(Arc::new(StaticCredentialProvider::new(GcpCredential { bearer: String::new() })));
    }
    Backend::of_provider(place, builder.build())
}

fn azure(
    place: StorePlace,
    key: &StoreKey,
    bucket: &BucketOptions,
    environment: &Environment,
    endpoint: Option<&Endpoint>,
    client: Client,
) -> Result<Backend> {
    use AzureConfigKey as Key;
    let mut builder = MicrosoftAzureBuilder::new();
    let mut options = client.options;
    let has_own_credentials = bucket.account_key.is_some() || bucket.sas_token.is_some();
    // Azure's command line has names of its own.
    if let Some(account) = environment.get("AZURE_STORAGE_ACCOUNT") {
        check_variable("AZURE_STORAGE_ACCOUNT", account)?;
        builder = builder.with_account(account);
    }
    if let Some(account_key) = environment.get("AZURE_STORAGE_KEY").filter(|_| !has_own_credentials) {
        check_variable("AZURE_STORAGE_KEY", account_key)?;
        builder = builder.with_access_key(account_key);
    }
    configure(environment, "AZURE_", |name: Key, value| match name {
        Key::Client(name) => options = from_environment(std::mem::take(&mut options), name, value, bucket),
        // The endpoint is known, and the container is given by the URL.
        Key::ContainerName | Key::Endpoint => {}
        // Whatever of the environment would be tried before the container's own.
        Key::AccessKey
        | Key::SasKey
        | Key::Token
        | Key::ClientId
        | Key::ClientSecret
        | Key::FederatedTokenFile
        | Key::FabricTokenServiceUrl
            if has_own_credentials => {}
        name => builder = std::mem::take(&mut builder).with_config(name, value),
    })?;
    if let Some(url) = environment.get("MSI_ENDPOINT") {
        check_variable("MSI_ENDPOINT", url)?;
        builder = builder.with_msi_endpoint(url);
    }
    builder = builder.with_client_options(options).with_retry(client.retry).with_http_connector(client.wire);
    builder = builder.with_container_name(key.bucket());
    if let Some((_, host)) = key.authority.split_once('@') {
        let (account, domain) = host.split_once('.').unwrap_or((host, ""));
        builder = builder.with_account(account).with_use_fabric_endpoint(domain.ends_with("fabric.microsoft.com"));
    }
    if let Some(account) = &bucket.account {
        builder = builder.with_account(account);
    }
    let is_emulator = builder.get_config_value(&Key::UseEmulator).is_some_and(|value| is_true(&value));
    if builder.get_config_value(&Key::AccountName).is_none() && !is_emulator {
        return Err(Error::invalid(format!("\"{key}\" does not name a storage account")).with_hint(format!(
            "Write it as {}, or set AZURE_STORAGE_ACCOUNT_NAME, or account in the container's settings",
            key.scheme.example()
        )));
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint.url.clone());
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
    let has = |key: Key| builder.get_config_value(&key).is_some();
    let is_anonymous = builder.get_config_value(&Key::SkipSignature).is_some_and(|value| is_true(&value));
    let names_a_token = has(Key::FederatedTokenFile) && has(Key::ClientId) && has(Key::AuthorityId);
    if names_a_token && !has(Key::Token) && !has(Key::AccessKey) && !is_anonymous {
        check_token_file(environment, "AZURE_FEDERATED_TOKEN_FILE", false)?;
    }
    Backend::of_provider(place, builder.build())
}

fn http(place: StorePlace, key: &StoreKey, client: Client) -> Result<Backend> {
    let options = client.options.with_allow_http(key.scheme == Scheme::Http);
    let builder = HttpBuilder::new().with_url(format!("{key}/")).with_client_options(options);
    let store =
        builder.with_retry(client.retry).with_http_connector(client.wire).build().map_err(|error| refused(&place, &error))?;
    Ok(Backend { store: Some(Arc::new(store)), pages: Pages::None, place: Arc::new(place) })
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
fn refused(place: &StorePlace, error: &object_store::Error) -> Error {
    let reason = failure::innermost(error);
    Error::invalid(format!("\"{}\" cannot be opened: {reason}", place.key(""))).with_hint(match &place.credentials {
        Some(origin) => format!("Check its settings; the credentials come from {origin}"),
        None => "Check its settings, and the environment variables of its provider".to_owned(),
    })
}
