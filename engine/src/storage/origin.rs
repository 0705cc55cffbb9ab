//! Where a store's requests go and whose credentials they use, in words, for diagnosis.

use super::{
    credentials::origin_of_credentials, endpoint::Endpoint, environment::Environment, options::StorageOptions, scheme::Scheme,
    url::StoreKey,
};
use crate::error::Result;

/// What a store is reached with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOrigin {
    /// The service; with the variable or setting that names it, if it is not the provider's usual one.
    pub endpoint: String,
    /// The variable, profile, file or setting that the credentials come from, or what is asked for them.
    pub credentials: String,
}

impl StoreOrigin {
    /// Of one store; `None` for files of this machine.
    ///
    /// # Errors
    /// `Invalid` for an endpoint that is no URL, and for a variable that is neither true nor false.
    pub(super) fn of(key: &StoreKey, options: &StorageOptions, environment: &Environment) -> Result<Option<Self>> {
        let bucket = options.bucket(key);
        let (usual, unsigned, machine) = match key.scheme {
            Scheme::File => return Ok(None),
            Scheme::Http | Scheme::Https => {
                return Ok(Some(Self { endpoint: key.to_string(), credentials: "none".to_owned() }));
            }
            Scheme::S3 => {
                let variable = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| environment.get(name));
                let region = bucket.region.as_deref().or_else(variable);
                let usual = region.map_or_else(|| "Amazon S3".to_owned(), |region| format!("Amazon S3 in {region}"));
                (usual, "AWS_SKIP_SIGNATURE", "the machine's role")
            }
            Scheme::Google => ("Google Cloud Storage".to_owned(), "GOOGLE_SKIP_SIGNATURE", "the machine's service account"),
            Scheme::Azure => ("Azure Storage".to_owned(), "AZURE_SKIP_SIGNATURE", "the machine's managed identity"),
        };
        let endpoint = Endpoint::of(key, &bucket, options, environment)?;
        let endpoint = endpoint.map_or(usual, |endpoint| format!("{} ({})", endpoint.url, endpoint.named_by));
        let (is_anonymous, named_by) = match bucket.anonymous {
            Some(is_anonymous) => {
                let section = options.section(key, &|own| own.anonymous.is_some()).unwrap_or_default();
                (is_anonymous, format!("anonymous in [{section}]"))
            }
            None => (environment.switch(unsigned)?.unwrap_or(false), format!("the variable {unsigned}")),
        };
        let credentials = if is_anonymous {
            format!("none, requests are not signed ({named_by})")
        } else {
            origin_of_credentials(key, options, environment).unwrap_or_else(|| machine.to_owned())
        };
        Ok(Some(Self { endpoint, credentials }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_and_credentials_are_told_by_what_names_them() {
        let options: StorageOptions = serde_json::from_str(
            r#"{"buckets": {"lake": {"endpoint": "https://minio.example.com/", "access_key_id": "id", "secret_access_key": "s"},
                            "public": {"anonymous": true}}}"#,
        )
        .unwrap();
        let environment: Environment =
            [("AWS_REGION", "eu-north-1"), ("AZURE_SKIP_SIGNATURE", "true"), ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")]
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
        for (url, endpoint, credentials) in [
            (
                "s3://lake/a/",
                "https://minio.example.com (endpoint in [storage.buckets.lake])",
                "access_key_id in [storage.buckets.lake]",
            ),
            ("s3://public/", "Amazon S3 in eu-north-1", "none, requests are not signed (anonymous in [storage.buckets.public])"),
            ("s3://other/", "Amazon S3 in eu-north-1", "the machine's role"),
            (
                "abfss://c@a.dfs.core.windows.net/",
                "Azure Storage",
                "none, requests are not signed (the variable AZURE_SKIP_SIGNATURE)",
            ),
            ("gs://lake/", "https://minio.example.com (endpoint in [storage.buckets.lake])", "the machine's service account"),
            ("https://host/file", "https://host", "none"),
        ] {
            let key = super::super::url::parse(url).unwrap().store;
            let found = StoreOrigin::of(&key, &options, &environment).unwrap().unwrap();
            assert_eq!((found.endpoint.as_str(), found.credentials.as_str()), (endpoint, credentials), "{url}");
        }
        let file = super::super::url::parse("/data/lake").unwrap().store;
        assert_eq!(StoreOrigin::of(&file, &options, &environment).unwrap(), None);
    }
}
