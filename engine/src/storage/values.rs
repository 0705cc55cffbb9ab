//! Checks of external values that become parts of requests: variables, settings and endpoints. A value that the client could not send is refused,
//! with the name of the variable or setting.

use crate::error::{Error, Result};

/// Whether a variable's value says yes or no.
///
/// # Errors
/// `Invalid` if it says neither.
pub(super) fn truth(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" | "y" => Ok(true),
        "0" | "false" | "off" | "no" | "n" => Ok(false),
        _ => {
            Err(Error::invalid(format!("the variable {name} has the invalid value \"{value}\""))
                .with_hint("Set it to true or false"))
        }
    }
}

/// Whether a builder's value, which is checked, says yes.
pub(super) fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "on" | "yes" | "y")
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
            Err(Error::invalid(format!("{named} is not a URL: \"{value}\"")).with_hint("Write it as https://host:port"))
        }
        "CONTAINER_CREDENTIALS_RELATIVE_URI" if !is_path(value) => {
            Err(Error::invalid(format!("{named} is not the path of a URL")).with_hint("It must begin with / and have no blanks"))
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

/// A time of zero.
pub(super) fn too_short(named: &str) -> Error {
    Error::invalid(format!("{named} is 0: every request would fail")).with_hint("Set a longer time, or leave it out")
}

/// A text that can stand in a header. It may be a secret, so that it is not shown.
pub(super) fn check_text(value: &str, named: &str) -> Result<()> {
    if is_text(value) {
        return Ok(());
    }
    Err(Error::invalid(format!("{named} has a line break or another character that cannot be sent"))
        .with_hint("Write it as one line of ASCII characters"))
}

pub(super) fn is_text(value: &str) -> bool {
    value.chars().all(|c| matches!(c, ' '..='~'))
}

/// A name that becomes a part of a host's.
pub(super) fn check_name(value: &str, named: &str) -> Result<()> {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
        return Ok(());
    }
    Err(Error::invalid(format!("{named} is not a valid name: \"{}\"", value.escape_debug()))
        .with_hint("Use letters, digits, -, _ and . only"))
}

/// A password in a URL would be shown wherever the URL is.
pub(super) fn check_no_password(url: &str, named: &str) -> Result<()> {
    if url.contains('@') {
        return Err(Error::invalid(format!("{named} has a user name or a password in its URL"))
            .with_hint("Write it without them: credentials have settings and variables of their own"));
    }
    Ok(())
}

/// Whether this is the URL of a service, to which a bucket can be added.
pub(super) fn is_service(url: &str) -> bool {
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

pub(super) fn is_plain_http(url: &str) -> bool {
    ::url::Url::parse(url).is_ok_and(|url| url.scheme() == "http")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

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
}
