//! The kinds of stores, and what their providers call things: a bucket, its URL, the variables that configure it.

/// The kinds of stores there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    File,
    S3,
    Google,
    Azure,
    Http,
    Https,
}

impl Scheme {
    /// The kind of store that a URL's scheme names, in any case.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "file" => Self::File,
            "s3" | "s3a" | "s3n" => Self::S3,
            "gs" => Self::Google,
            "abfss" | "abfs" => Self::Azure,
            "http" => Self::Http,
            "https" => Self::Https,
            _ => return None,
        })
    }

    /// The scheme, as stores are named by it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "abfss",
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// What the provider calls a bucket.
    pub(super) const fn bucket_noun(self) -> &'static str {
        if matches!(self, Self::Azure) { "container" } else { "bucket" }
    }

    /// The variable that allows plain HTTP.
    pub(super) const fn allow_http_variable(self) -> &'static str {
        match self {
            Self::Azure => "AZURE_ALLOW_HTTP",
            Self::Google => "GOOGLE_ALLOW_HTTP",
            _ => "AWS_ALLOW_HTTP",
        }
    }

    /// The variables that name another service than the provider's usual one; the first that is set counts.
    pub(super) const fn endpoint_variables(self) -> &'static [&'static str] {
        match self {
            Self::S3 => &["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"],
            Self::Azure => &["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"],
            Self::Google => &["GOOGLE_BASE_URL"],
            Self::File | Self::Http | Self::Https => &[],
        }
    }

    /// How an endpoint is written.
    pub(super) const fn endpoint_example(self) -> &'static str {
        match self {
            Self::Azure => {
                "https://host:port, without the container; Azurite's ends with the account: http://127.0.0.1:10000/devstoreaccount1"
            }
            _ => "https://host:port, without the bucket",
        }
    }

    /// How a location of the provider is written.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Azure => "abfss://container@account.dfs.core.windows.net/path/",
            Self::Google => "gs://bucket/path/",
            _ => "s3://bucket/path/",
        }
    }

    /// What to set so that a store finds credentials.
    pub(super) const fn credentials_hint(self) -> &'static str {
        match self {
            Self::Google => {
                "Set GOOGLE_APPLICATION_CREDENTIALS, or service_account_file or anonymous = true in the bucket's settings"
            }
            Self::Azure => {
                "Set AZURE_STORAGE_ACCOUNT_KEY, or account_key, sas_token or anonymous = true in the container's settings"
            }
            _ => "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or access_key_id or anonymous = true in the bucket's settings",
        }
    }
}

/// What a location whose URL has this scheme names, and an example of one.
pub(crate) fn wording(scheme: &str) -> (&'static str, &'static str) {
    match Scheme::parse(scheme) {
        Some(Scheme::Http | Scheme::Https) => ("host", "https://host/path/file.parquet"),
        Some(scheme) => (scheme.bucket_noun(), scheme.example()),
        None => ("bucket", Scheme::S3.example()),
    }
}
