//! Where a store's credentials come from, so that an error can name the file or variable to check.

use std::{fs, path::Path as FsPath};

use super::{
    environment::Environment,
    options::{BucketOptions, StorageOptions},
    scheme::Scheme,
    url::StoreKey,
    values::is_text,
};
use crate::error::{Error, Result};

/// A credential's variable, and how a text speaks of it.
type Variables = &'static [(&'static str, &'static str)];

/// In the order in which they are tried.
const AZURE: Variables = &[
    ("AZURE_STORAGE_TOKEN", "the variable AZURE_STORAGE_TOKEN"),
    ("AZURE_STORAGE_ACCOUNT_KEY", "the variable AZURE_STORAGE_ACCOUNT_KEY"),
    ("AZURE_STORAGE_ACCESS_KEY", "the variable AZURE_STORAGE_ACCESS_KEY"),
    ("AZURE_STORAGE_MASTER_KEY", "the variable AZURE_STORAGE_MASTER_KEY"),
    ("AZURE_STORAGE_KEY", "the variable AZURE_STORAGE_KEY"),
    ("AZURE_FEDERATED_TOKEN_FILE", "the file that the variable AZURE_FEDERATED_TOKEN_FILE names"),
    ("AZURE_STORAGE_CLIENT_SECRET", "the variables AZURE_STORAGE_CLIENT_ID and AZURE_STORAGE_CLIENT_SECRET"),
    ("AZURE_CLIENT_SECRET", "the variables AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"),
    ("AZURE_STORAGE_SAS_KEY", "the variable AZURE_STORAGE_SAS_KEY"),
    ("AZURE_STORAGE_SAS_TOKEN", "the variable AZURE_STORAGE_SAS_TOKEN"),
];

/// A file with a token, and the variable without which it is not used; in the order in which they are tried.
const AWS_TOKEN: (&str, &str) = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN");
const AWS_CONTAINER: (&str, &str) = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");

/// The variables that name a file of Google's credentials, in the order in which they are tried.
pub(super) const GOOGLE_FILES: [&str; 4] =
    ["GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH", "SERVICE_ACCOUNT", "GOOGLE_APPLICATION_CREDENTIALS"];

/// Where the credentials of a store come from, as a text speaks of it: a variable, a file, a section of the configuration. Nothing if they are the
/// machine's own, or if there are none.
pub(super) fn origin_of_credentials(key: &StoreKey, options: &StorageOptions, environment: &Environment) -> Option<String> {
    if options.bucket(key).anonymous == Some(true) {
        return None;
    }
    let set = |field: &str, is_set: &dyn Fn(&BucketOptions) -> bool| {
        options.section(key, is_set).map(|section| format!("{field} in [{section}]"))
    };
    let variable = |name: &str| environment.get(name).map(|_| format!("the variable {name}"));
    match key.scheme {
        Scheme::S3 => set("access_key_id", &|own| own.access_key_id.is_some())
            .or_else(|| {
                environment.get("AWS_ACCESS_KEY_ID")?;
                Some("the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned())
            })
            .or_else(|| set("profile", &|own| own.profile.is_some()))
            .or_else(|| variable("AWS_PROFILE"))
            .or_else(|| variable(AWS_TOKEN.1).and_then(|_| variable(AWS_TOKEN.0)))
            .or_else(|| variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"))
            .or_else(|| variable(AWS_CONTAINER.1).and_then(|_| variable(AWS_CONTAINER.0))),
        Scheme::Azure => set("account_key", &|own| own.account_key.is_some())
            .or_else(|| set("sas_token", &|own| own.sas_token.is_some()))
            .or_else(|| AZURE.iter().find(|(name, _)| environment.get(name).is_some()).map(|(_, told)| (*told).to_owned()))
            .or_else(|| {
                let is_on = environment.switch("AZURE_USE_AZURE_CLI").ok().flatten()?;
                is_on.then(|| "Azure's command line (AZURE_USE_AZURE_CLI)".to_owned())
            }),
        Scheme::Google => {
            let file = set("service_account_file", &|own| own.service_account_file.is_some());
            file.or_else(|| variable("GOOGLE_SERVICE_ACCOUNT_KEY"))
                .or_else(|| GOOGLE_FILES.iter().find_map(|name| variable(name)))
                .or_else(|| Some(format!("the file {}", well_known_file(environment)?)))
        }
        Scheme::File | Scheme::Http | Scheme::Https => None,
    }
}

/// Whether the environment names a source of credentials of AWS other than an access key or a profile. Its file is checked.
///
/// # Errors
/// Those of [`check_token_file`].
pub(super) fn names_aws_source(environment: &Environment) -> Result<bool> {
    let has = |name: &str| environment.get(name).is_some();
    if has(AWS_TOKEN.0) && has(AWS_TOKEN.1) {
        check_token_file(environment, AWS_TOKEN.0, false)?;
        return Ok(true);
    }
    if has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
        return Ok(true);
    }
    if has(AWS_CONTAINER.0) && has(AWS_CONTAINER.1) {
        check_token_file(environment, AWS_CONTAINER.1, true)?;
        return Ok(true);
    }
    Ok(false)
}

/// What to say of a source of AWS credentials that is named by halves, and so is passed over.
pub(super) fn passed_over(environment: &Environment) -> Option<String> {
    let half = |(name, other): &(&str, &str)| environment.get(name).is_some() && environment.get(other).is_none();
    let (name, other) = [AWS_TOKEN, AWS_CONTAINER].into_iter().find(half)?;
    Some(format!("The variable {name} is used only together with {other}, which is not set"))
}

/// Checks a file with a token that a variable names, so that an error names both.
///
/// # Errors
/// `Invalid` for a file that cannot be read, or, if the token goes into a header as it is, holds what cannot stand there.
pub(super) fn check_token_file(environment: &Environment, variable: &str, is_header: bool) -> Result<()> {
    let Some(path) = environment.get(variable) else { return Ok(()) };
    let token = fs::read_to_string(path).map_err(|source| {
        Error::invalid(format!("cannot read the token file \"{path}\": {}", source.kind()))
            .with_hint(format!("The variable {variable} names it: check the path and its permissions"))
            .with_source(source)
    })?;
    if is_header && !is_text(&token) {
        return Err(Error::invalid(format!(
            "the token file \"{path}\" has a line break or another character that cannot be sent"
        ))
        .with_hint(format!("The variable {variable} names it: it must hold only the token, without a line break at the end")));
    }
    Ok(())
}

/// The file in which Google's command line keeps the user's credentials, if it is there.
fn well_known_file(environment: &Environment) -> Option<String> {
    let path = FsPath::new(environment.get("HOME")?).join(".config/gcloud/application_default_credentials.json");
    path.exists().then(|| path.display().to_string())
}

/// Whose credentials a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoogleFile {
    ServiceAccount,
    User,
}

/// Checks a file of Google's credentials, so that an error names it and what named it.
///
/// # Errors
/// `Invalid` for a file that cannot be read or holds no credentials; `Unsupported` for credentials of other kinds than a service account's key and a
/// user's.
pub(super) fn check_google_file(path: &FsPath, named_by: &str) -> Result<GoogleFile> {
    let shown = path.display();
    let invalid = |why: &str| {
        Error::invalid(format!("the credentials file \"{shown}\" {why}"))
            .with_hint(format!("{named_by} names it: name the JSON key file of a service account"))
    };
    let text = fs::read_to_string(path).map_err(|source| {
        Error::invalid(format!("cannot read the credentials file \"{shown}\": {}", source.kind()))
            .with_hint(format!("{named_by} names it: check the path and its permissions"))
            .with_source(source)
    })?;
    let parsed: serde_json::Value = serde_json::from_str(&text).map_err(|source| invalid("is not JSON").with_source(source))?;
    let is_text = |name: &str| parsed.get(name).is_some_and(serde_json::Value::is_string);
    let lacks = |names: &[&'static str]| names.iter().copied().find(|name| !is_text(name));
    let (file, lacking) = match parsed.get("type").and_then(serde_json::Value::as_str) {
        Some("authorized_user") => (GoogleFile::User, lacks(&["client_id", "client_secret", "refresh_token"])),
        Some("service_account") | None if parsed.is_object() => {
            (GoogleFile::ServiceAccount, lacks(&["client_email", "private_key", "private_key_id"]))
        }
        Some(other) => {
            return Err(Error::unsupported(format!(
                "the credentials file \"{shown}\" is of type \"{other}\", which is not supported"
            ))
            .with_hint(format!("{named_by} names it: name the JSON key file of a service account")));
        }
        None => return Err(invalid("is not a JSON object")),
    };
    match lacking {
        Some(name) => Err(invalid(&format!("has no \"{name}\""))),
        None => Ok(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn credentials_are_told_by_where_they_come_from() {
        let options: StorageOptions = serde_json::from_str(
            r#"{"defaults": {"account_key": "a2V5"}, "buckets": {"lake": {"access_key_id": "id", "secret_access_key": "s"}}}"#,
        )
        .unwrap();
        let environment: Environment = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AZURE_STORAGE_SAS_TOKEN", "sv=1"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/keys/g.json"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        let none = StorageOptions::default();
        for (url, options, expected) in [
            ("s3://lake", &options, Some("access_key_id in [storage.buckets.lake]")),
            ("s3://other", &options, Some("the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")),
            ("abfss://c@a.dfs.core.windows.net", &options, Some("account_key in [storage.defaults]")),
            ("abfss://c@a.dfs.core.windows.net", &none, Some("the variable AZURE_STORAGE_SAS_TOKEN")),
            ("gs://lake", &none, Some("the variable GOOGLE_APPLICATION_CREDENTIALS")),
            ("https://host", &none, None),
        ] {
            let key = super::super::url::parse(url).unwrap().store;
            assert_eq!(origin_of_credentials(&key, options, &environment).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn files_of_tokens_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        fs::write(&token, "abc\n").unwrap();
        let path = token.to_str().unwrap();
        let environment = |variables: &[(&str, &str)]| -> Environment {
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        for (file, other, value) in [
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "arn"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x"),
        ] {
            let error = names_aws_source(&environment(&[(file, "/nope"), (other, value)])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains("/nope") && error.hint().unwrap().contains(file), "{error:?}");
        }
        assert!(names_aws_source(&environment(&[("AWS_WEB_IDENTITY_TOKEN_FILE", path), ("AWS_ROLE_ARN", "arn")])).unwrap());
        let in_header = environment(&[(AWS_CONTAINER.0, "http://127.0.0.1:1/x"), (AWS_CONTAINER.1, path)]);
        assert!(names_aws_source(&in_header).unwrap_err().message().contains(path));
        let half = environment(&[(AWS_CONTAINER.0, "http://127.0.0.1:1/x")]);
        assert!(!names_aws_source(&half).unwrap());
        assert!(passed_over(&half).unwrap().contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
        assert_eq!(passed_over(&in_header), None);
    }

    #[test]
    fn files_of_credentials_are_named() {
        let dir = tempfile::tempdir().unwrap();
        for (content, kind, told) in [
            (None, ErrorKind::Invalid, "cannot read the credentials file"),
            (Some("no json"), ErrorKind::Invalid, "is not JSON"),
            (Some("[]"), ErrorKind::Invalid, "is not a JSON object"),
            (Some(r#"{"type": "external_account"}"#), ErrorKind::Unsupported, "external_account"),
            (Some(r#"{"type": "service_account", "client_email": "e"}"#), ErrorKind::Invalid, "has no \"private_key\""),
        ] {
            let path = dir.path().join("key.json");
            if let Some(content) = content {
                fs::write(&path, content).unwrap();
            }
            let error = check_google_file(&path, "THE_VARIABLE").unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.message().contains("key.json") && error.message().contains(told), "{error}");
            assert!(error.hint().unwrap().contains("THE_VARIABLE"));
        }
        let user = dir.path().join("user.json");
        fs::write(&user, r#"{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}"#).unwrap();
        assert_eq!(check_google_file(&user, "X").unwrap(), GoogleFile::User);
    }
}
