//! The endpoint of a store where it is not the provider's default, and whether plain HTTP to it is allowed.

use super::{
    environment::Environment,
    options::{BucketOptions, StorageOptions},
    url::StoreKey,
    values::{check_no_password, is_plain_http, is_service},
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
            return Err(Error::invalid(format!("the endpoint \"{url}\" of \"{key}\" is not a URL"))
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
        Err(Error::invalid(format!("the bucket \"{bucket}\" cannot be part of the host name of the endpoint \"{}\"", self.url))
            .with_hint(format!(
                "Set AWS_VIRTUAL_HOSTED_STYLE_REQUEST=false, or path_style = true in the bucket's settings, or use a host name in {}",
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
            allowed = environment.switch(name)?;
        }
    }
    let allowed = allowed.unwrap_or(false);
    match endpoint {
        Some(endpoint) if !allowed && is_plain_http(&endpoint.url) => {
            Err(Error::invalid(format!("the endpoint \"{}\" is not encrypted", endpoint.url)).with_hint(format!(
                "Set {}=true, or allow_http = true in the {}'s settings, to use it anyway",
                key.scheme.allow_http_variable(),
                key.scheme.bucket_noun()
            )))
        }
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ErrorKind, storage::url};

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
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
            let key = url::parse(url).unwrap().store;
            for written in ["127.0.0.1:41801", "host", "ftp://host", "http://a b", "http://h?x=1", "http://ü"] {
                let error = Endpoint::of(&key, &options.bucket(&key), options, &environment(&[(variable, written)])).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid, "{written}");
                assert!(error.message().contains(&key.to_string()) && error.hint().unwrap().contains(told), "{error:?}");
            }
        }
        let key = url::parse("s3://lake").unwrap().store;
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
}
