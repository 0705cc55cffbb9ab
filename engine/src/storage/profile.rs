//! Credentials of an AWS profile (shared files, SSO, credential processes, assumed roles), by the AWS SDK's own chain.

use std::{fmt, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::ProvideCredentials;
use object_store::{CredentialProvider, Error, Result, aws::AwsCredential};
use tokio::sync::OnceCell;

/// Asks the SDK, which caches and renews.
pub(super) struct ProfileCredentials {
    profile: String,
    config: OnceCell<SdkConfig>,
}

impl ProfileCredentials {
    pub(super) fn new(profile: &str) -> Self {
        Self { profile: profile.to_owned(), config: OnceCell::new() }
    }
}

impl fmt::Debug for ProfileCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileCredentials").field("profile", &self.profile).finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for ProfileCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> Result<Arc<AwsCredential>> {
        let missing = |source: Box<dyn std::error::Error + Send + Sync>| {
            let error = crate::error::Error::new(
                crate::error::ErrorKind::Denied,
                format!("the AWS profile \"{}\" returned no credentials", self.profile),
            );
            let error =
                error.with_hint("Check the profile with `aws sts get-caller-identity`, and log in again where it uses SSO");
            Error::Generic { store: "S3", source: Box::new(error.with_source(source)) }
        };
        let load =
            || async { Box::pin(aws_config::defaults(BehaviorVersion::latest()).profile_name(&self.profile).load()).await };
        let config = self.config.get_or_init(load).await;
        let provider = config.credentials_provider().ok_or_else(|| missing("the profile does not name a provider".into()))?;
        let credentials = provider.provide_credentials().await.map_err(|error| missing(error.into()))?;
        Ok(Arc::new(AwsCredential {
            key_id: credentials.access_key_id().to_owned(),
            secret_key: credentials.secret_access_key().to_owned(),
            token: credentials.session_token().map(str::to_owned),
        }))
    }
}

/// The region that a profile names in the configuration file.
pub(super) fn region(profile: &str) -> Option<String> {
    let path = match std::env::var_os("AWS_CONFIG_FILE") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".aws").join("config"),
    };
    region_in(&std::fs::read_to_string(path).ok()?, profile)
}

fn region_in(config: &str, profile: &str) -> Option<String> {
    let mut in_profile = false;
    for line in config.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(section, _)| section.trim()) {
            in_profile = section.strip_prefix("profile").map_or(section, str::trim) == profile;
        } else if let Some((name, value)) = line.split_once('=')
            && in_profile
            && name.trim() == "region"
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_region_of_a_profile() {
        let config = "[default]\nregion = us-east-1\n\n[profile lake]\nsso_session = x\nregion=eu-north-1\n";
        assert_eq!(region_in(config, "lake").as_deref(), Some("eu-north-1"));
        assert_eq!(region_in(config, "default").as_deref(), Some("us-east-1"));
        assert_eq!(region_in(config, "other"), None);
    }
}
