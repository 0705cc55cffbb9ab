//! Values from outside that become parts of requests: variables, settings and endpoints. What a store's client could not send is refused here, with the name of
//! the variable or the setting that holds it.

use super::{
    options::{BucketOptions, Environment, Secret, StorageOptions},
    url::StoreKey,
};
use crate::error::{Error, Result};

/// The service of a store where it is not the provider's usual one.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// Without a slash at its end.
    pub(super) url: String,
    pub(super) named_by: String,
}

impl Endpoint {
    /// The endpoint of a store, by its settings or else by the environment.
    ///
    /// # Errors
    /// `Invalid` for what is no URL of a service.
    pub(super) fn of(
        key: &StoreKey,
        bucket: &BucketOptions,
        options: &StorageOptions,
        environment: &Environment,
    ) -> Result<Option<Self>> {
        let from_settings = || {
            let section = options.section(key, &|own| own.endpoint.is_some())?;
            Some((bucket.endpoint.as_deref()?, format!("endpoint in [{section}]")))
        };
        let from_environment = || {
            let names = key.scheme.endpoint_variables();
            names.iter().find_map(|name| Some((environment.get(name)?, format!("the variable {name}"))))
        };
        let Some((url, named_by)) = from_settings().or_else(from_environment) else { return Ok(None) };
        check_no_password(url, &named_by)?;
        let url = url.trim_end_matches('/').to_owned();
        if !is_service(&url) {
            return Err(Error::invalid(format!("the endpoint \"{url}\" of \"{key}\" is no URL"))
                .with_hint(format!("Write {named_by} as {}", key.scheme.endpoint_example())));
        }
        Ok(Some(Self { url, named_by }))
    }

    /// This endpoint with the bucket as a part of its host name.
    ///
    /// # Errors
    /// `Invalid` if that is no host name, as with an IP address.
    pub(super) fn with_bucket(&self, bucket: &str) -> Result<String> {
        let (scheme, host) = self.url.split_once("://").unwrap_or(("https", &self.url));
        let url = format!("{scheme}://{bucket}.{host}");
        if is_service(&url) {
            return Ok(url);
        }
        Err(Error::invalid(format!("the bucket \"{bucket}\" cannot stand before the host of the endpoint \"{}\"", self.url))
            .with_hint(format!(
                "Set AWS_VIRTUAL_HOSTED_STYLE_REQUEST=false, or path_style = true in the bucket's settings, or let {} name a host",
                self.named_by
            )))
    }
}

/// Whether plain HTTP is allowed; an endpoint that needs it and may not have it is refused here, with the reason.
///
/// # Errors
/// `Invalid` for such an endpoint, and for a variable that is neither true nor false.
pub(super) fn allow_http(
    key: &StoreKey,
    bucket: &BucketOptions,
    environment: &Environment,
    endpoint: Option<&Endpoint>,
) -> Result<bool> {
    let mut allowed = bucket.allow_http;
    for name in [key.scheme.allow_http_variable(), "AWS_ALLOW_HTTP", "AZURE_ALLOW_HTTP", "GOOGLE_ALLOW_HTTP"] {
        if allowed.is_none() {
            allowed = switch(environment, name)?;
        }
    }
    let allowed = allowed.unwrap_or(false);
    match endpoint {
        Some(endpoint) if !allowed && is_plain_http(&endpoint.url) => {
            Err(Error::invalid(format!("the endpoint \"{}\" is not encrypted", endpoint.url)).with_hint(format!(
                "Set {}=true, or allow_http = true in the {}'s settings, to use it all the same",
                key.scheme.allow_http_variable(),
                key.scheme.bucket_noun()
            )))
        }
        _ => Ok(allowed),
    }
}

/// A variable that is true or false, if it is set.
///
/// # Errors
/// `Invalid` for another value.
pub(super) fn switch(environment: &Environment, name: &str) -> Result<Option<bool>> {
    environment.get(name).map(|value| truth(name, value)).transpose()
}

fn truth(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => Err(Error::invalid(format!("the variable {name} is \"{value}\"")).with_hint("Set it to true or false")),
    }
}

/// Checks a variable that a store's client takes over.
///
/// # Errors
/// `Invalid` for a value that would make it fail, or panic, with each request.
pub(super) fn check_variable(name: &str, value: &str) -> Result<()> {
    let named = format!("the variable {name}");
    let meaning = ["AWS_", "AZURE_", "GOOGLE_"].iter().find_map(|provider| name.strip_prefix(*provider)).unwrap_or(name);
    match meaning {
        "REGION" | "DEFAULT_REGION" | "STORAGE_ACCOUNT" | "STORAGE_ACCOUNT_NAME" => check_name(value, &named),
        "ENDPOINT_URL_STS"
        | "METADATA_ENDPOINT"
        | "CONTAINER_CREDENTIALS_FULL_URI"
        | "MSI_ENDPOINT"
        | "IDENTITY_ENDPOINT"
        | "STORAGE_AUTHORITY_HOST"
        | "AUTHORITY_HOST"
        | "FABRIC_TOKEN_SERVICE_URL" => {
            check_no_password(value, &named)?;
            if is_url(value) {
                return Ok(());
            }
            Err(Error::invalid(format!("{named} is no URL: \"{value}\"")).with_hint("Write it as https://host:port"))
        }
        "CONTAINER_CREDENTIALS_RELATIVE_URI" if !is_path(value) => {
            Err(Error::invalid(format!("{named} is no path of a URL")).with_hint("It begins with / and has no blanks"))
        }
        "TIMEOUT" | "CONNECT_TIMEOUT" if !value.contains(|c: char| matches!(c, '1'..='9')) => Err(too_short(&named)),
        "ALLOW_HTTP"
        | "SKIP_SIGNATURE"
        | "VIRTUAL_HOSTED_STYLE_REQUEST"
        | "REQUEST_PAYER"
        | "UNSIGNED_PAYLOAD"
        | "IMDSV1_FALLBACK"
        | "S3_EXPRESS"
        | "DISABLE_TAGGING"
        | "STORAGE_USE_EMULATOR"
        | "USE_AZURE_CLI"
        | "USE_FABRIC_ENDPOINT" => truth(name, value).map(drop),
        // Neither in a header nor in a URL: paths of files, and what only signs.
        "SECRET_ACCESS_KEY" | "SERVICE_ACCOUNT_KEY" | "SERVICE_ACCOUNT" | "SERVICE_ACCOUNT_PATH" | "APPLICATION_CREDENTIALS" => {
            Ok(())
        }
        _ if meaning.ends_with("_FILE") || meaning.ends_with("_CERTIFICATE") => Ok(()),
        _ => check_text(value, &named),
    }
}

/// Checks the settings of a section of the configuration.
///
/// # Errors
/// `Invalid` for what could open no store.
pub(super) fn check_settings(section: &str, bucket: &BucketOptions) -> Result<()> {
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

fn too_short(named: &str) -> Error {
    Error::invalid(format!("{named} is 0: every request would fail")).with_hint("Set a longer time, or leave it out")
}

/// A text that can stand in a header. It may be a secret, so that it is not shown.
fn check_text(value: &str, named: &str) -> Result<()> {
    if is_text(value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{named} has a line break or another character in it that cannot be sent"))
        .with_hint("Write it as one line of ASCII characters"))
}

pub(super) fn is_text(value: &str) -> bool {
    value.chars().all(|c| matches!(c, ' '..='~'))
}

/// A name that becomes a part of a host's.
fn check_name(value: &str, named: &str) -> Result<()> {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Ok(());
    }
    Err(Error::invalid(format!("{named} is no name: \"{}\"", value.escape_debug()))
        .with_hint("It has letters, digits, -, _ and . only"))
}

/// A password in a URL would be shown wherever the URL is.
fn check_no_password(url: &str, named: &str) -> Result<()> {
    if url.contains('@') {
        return Err(Error::invalid(format!("{named} has a user name or a password in its URL"))
            .with_hint("Write it without them: credentials have settings and variables of their own"));
    }
    Ok(())
}

/// Whether this is the URL of a service, to which a bucket can be added.
fn is_service(url: &str) -> bool {
    is_url(url) && !url.contains(['?', '#'])
}

/// Whether this is a URL of HTTP for each of the parsers that it meets.
fn is_url(url: &str) -> bool {
    url.bytes().all(|byte| byte.is_ascii_graphic())
        && ::url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        && url.parse::<http::Uri>().is_ok()
}

fn is_path(value: &str) -> bool {
    value.starts_with('/') && value.bytes().all(|byte| byte.is_ascii_graphic()) && value.parse::<http::Uri>().is_ok()
}

fn is_plain_http(url: &str) -> bool {
    ::url::Url::parse(url).is_ok_and(|url| url.scheme() == "http")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn variables_that_cannot_be_sent_are_named() {
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", "a\nb"),
            ("AWS_ACCESS_KEY_ID", "schlüssel"),
            ("AWS_SESSION_TOKEN", "a\u{7f}"),
            ("AWS_REGION", "eu north"),
            ("AWS_REGION", "a/b"),
            ("AWS_ENDPOINT_URL_STS", "sts"),
            ("AWS_METADATA_ENDPOINT", "http://a b"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "127.0.0.1/x"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/a b"),
            ("AWS_TIMEOUT", "0s"),
            ("AWS_SKIP_SIGNATURE", "maybe"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "a/b"),
            ("AZURE_STORAGE_TOKEN", "a\nb"),
            ("AZURE_ALLOW_HTTP", "maybe"),
            ("MSI_ENDPOINT", "nowhere"),
        ] {
            let error = check_variable(name, value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name}");
            assert!(error.message().contains(name), "{error}");
        }
        for (name, value) in [
            ("AWS_SECRET_ACCESS_KEY", "a\nü"),
            ("GOOGLE_SERVICE_ACCOUNT_KEY", "{\n}"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/schlüssel"),
            ("AWS_REGION", "eu-north-1"),
            ("AWS_TIMEOUT", "10s"),
            ("AWS_SKIP_SIGNATURE", "No"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials?id=1"),
            ("MSI_ENDPOINT", "http://169.254.169.254/metadata"),
            ("AZURE_ENDPOINT", "127.0.0.1"),
        ] {
            check_variable(name, value).unwrap();
        }
    }

    #[test]
    fn an_endpoint_that_is_no_url_is_told_by_who_named_it() {
        let options: StorageOptions = serde_json::from_str(r#"{"buckets": {"lake": {"endpoint": "localhost:9000/"}}}"#).unwrap();
        let none = StorageOptions::default();
        for (url, options, variable, told) in [
            ("abfss://lake", &none, "AZURE_ENDPOINT", "the variable AZURE_ENDPOINT as https://host:port"),
            ("abfss://lake", &none, "AZURE_STORAGE_ENDPOINT", "devstoreaccount1"),
            ("gs://lake", &none, "GOOGLE_BASE_URL", "without the bucket"),
            ("s3://lake", &none, "AWS_ENDPOINT_URL", "the variable AWS_ENDPOINT_URL"),
            ("s3://lake", &options, "AWS_ENDPOINT_URL", "endpoint in [storage.buckets.lake]"),
        ] {
            let key = super::super::url::parse(url).unwrap().store;
            for written in ["127.0.0.1:41801", "host", "ftp://host", "http://a b", "http://h?x=1", "http://ü"] {
                let error = Endpoint::of(&key, &options.bucket(&key), options, &environment(&[(variable, written)])).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid, "{written}");
                assert!(error.message().contains(&key.to_string()) && error.hint().unwrap().contains(told), "{error:?}");
            }
        }
        let key = super::super::url::parse("s3://lake").unwrap().store;
        for written in ["http://user:topsecret@h/", "user:topsecret@h"] {
            let error =
                Endpoint::of(&key, &none.bucket(&key), &none, &environment(&[("AWS_ENDPOINT_URL", written)])).unwrap_err();
            assert!(error.message().contains("AWS_ENDPOINT_URL") && !format!("{error:?}").contains("topsecret"), "{error:?}");
        }
        let variables = environment(&[("AWS_ENDPOINT_URL", " http://127.0.0.1:9/\n")]);
        let endpoint = Endpoint::of(&key, &none.bucket(&key), &none, &variables).unwrap().unwrap();
        assert_eq!(endpoint.url, "http://127.0.0.1:9");
        assert_eq!(endpoint.with_bucket("lake").unwrap_err().kind(), ErrorKind::Invalid);
        let endpoint = Endpoint { url: "http://h:9/x".to_owned(), named_by: String::new() };
        assert_eq!(endpoint.with_bucket("lake").unwrap(), "http://lake.h:9/x");
    }

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
        let key = super::super::url::parse("s3://lake").unwrap().store;
        let bucket = options.bucket(&key);
        assert_eq!((bucket.region.as_deref(), bucket.access_key_id.as_deref()), (Some("eu-north-1"), Some("id")));
        assert_eq!(bucket.secret_access_key, Some(Secret::new("s")));
    }
}
