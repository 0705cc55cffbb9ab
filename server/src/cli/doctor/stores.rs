//! Tests the stores: requests one page of a listing from every location of a table and every configured bucket.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use glaux_catalog::{
    Metastore,
    discovery::{ListRequest, StoreProvider},
};
use glaux_engine::{
    Error, ErrorKind, Result,
    accounting::Meter,
    storage::{BucketOptions, QueryStores, StorageOptions, Stores},
};

use super::findings::Findings;
use crate::figures;

/// Locations of one store that are tried; more of the same would hardly tell more.
const MAX_LOCATIONS: usize = 32;

/// Requests in flight.
const CONCURRENCY: usize = 8;

pub(super) async fn examine(findings: &mut Findings, options: &StorageOptions, metastore: Option<&dyn Metastore>) -> Result<()> {
    let mut locations: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, settings) in &options.buckets {
        if let Some(url) = bucket_url(name, settings) {
            locations.entry(store_of(&url)).or_default().insert(url);
        }
    }
    if let Some(metastore) = metastore {
        for location in table_locations(metastore).await? {
            locations.entry(store_of(&location)).or_default().insert(location);
        }
    }
    let opened = Stores::new(options.clone());
    let stores = Stores::for_query(&opened, Meter::new(None));
    for (store, all) in &locations {
        let tried: Vec<_> = all.iter().take(MAX_LOCATIONS).collect();
        let answers: Vec<_> =
            stream::iter(tried.iter().map(|location| attempt(&stores, location))).buffered(CONCURRENCY).collect().await;
        let mut good = 0;
        for (location, answer) in tried.iter().zip(answers) {
            match answer {
                Ok(true) => good += 1,
                Ok(false) => findings.warn(&format!("there is nothing below {location}"), "Check the location of the table")?,
                Err(error) => findings.fail(location, &advised(error))?,
            }
        }
        if good > 0 {
            let of = if all.len() > tried.len() { format!(" of {}", all.len()) } else { String::new() };
            findings.ok(&format!("{store} answers: {}{of} listed", figures::count(good, "location")))?;
        }
        // Of a store whose settings do not fit, the failure above says so.
        if let Some(Ok(Some(origin))) = tried.first().map(|location| opened.origin(location)) {
            findings.detail(&format!("endpoint: {}; credentials: {}", origin.endpoint, origin.credentials))?;
        }
    }
    if locations.is_empty() {
        findings.ok("no stores to try: there are no tables, and no buckets in the configuration")?;
    }
    Ok(())
}

async fn table_locations(metastore: &dyn Metastore) -> Result<BTreeSet<String>> {
    let mut locations = BTreeSet::new();
    for database in metastore.databases().await? {
        let tables = metastore.tables(&database.name).await?;
        locations.extend(tables.into_iter().filter(|table| !table.is_view()).map(|table| table.storage.location));
    }
    locations.remove("");
    Ok(locations)
}

/// The URL of a bucket that the configuration names; a bare name is one of the provider that its settings are for, or of S3. A name that says nothing of a
/// store is left out.
fn bucket_url(name: &str, settings: &BucketOptions) -> Option<String> {
    if name.contains("://") {
        Some(name.to_owned())
    } else if name.contains('@') || settings.account.is_some() || settings.account_key.is_some() || settings.sas_token.is_some() {
        Some(format!("abfss://{name}"))
    } else if settings.service_account_file.is_some() {
        Some(format!("gs://{name}"))
    } else if name.contains([':', '.']) {
        None
    } else {
        Some(format!("s3://{name}"))
    }
}

/// Scheme and bucket; all local paths are one store.
fn store_of(location: &str) -> String {
    match location.split_once("://") {
        Some(("file", _)) | None => "local disk".to_owned(),
        Some((scheme, rest)) => format!("{scheme}://{}", rest.split('/').next().unwrap_or_default()),
    }
}

/// Whether there is anything at a location.
async fn attempt(stores: &QueryStores, location: &str) -> Result<bool> {
    let open = stores.open(location)?;
    let prefix = if open.prefix.is_empty() { String::new() } else { format!("{}/", open.prefix) };
    let request = ListRequest { prefix, delimited: true, ..ListRequest::default() };
    let page = open.lister.page(request).await?;
    Ok(!page.objects.is_empty() || !page.prefixes.is_empty())
}

/// Adds what to do to an error that does not say it.
fn advised(error: Error) -> Error {
    if error.hint().is_some() {
        return error;
    }
    let advice = match error.kind() {
        ErrorKind::Denied => "Check the credentials, and that they may list the bucket",
        ErrorKind::NotFound => "Check the name of the bucket, its region, and the endpoint",
        ErrorKind::Unavailable => "Check the network and the endpoint",
        ErrorKind::Throttled => "Try again later",
        _ => return error,
    };
    error.with_hint(advice)
}
