//! Quotes a scan, file by file, without reading any of their data.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    feed::{Ended, given_up},
    format::Format,
    io::ScanIo,
    quoted::{Basis, FileQuote, QuotedScan, Reads, ScanQuote},
    spec::{ScanSpec, Split},
    top::TopBound,
};
use crate::error::{Error, Result};

/// What a scan takes at most.
///
/// # Errors
/// Those of reading and decoding metadata, naming the file.
pub(super) async fn of_scan(
    spec: &Arc<ScanSpec>,
    io: &ScanIo,
    format: &Arc<dyn Format>,
    basis: Basis,
    reads: Reads,
) -> Result<ScanQuote> {
    let has_top = TopBound::of(spec).is_some();
    let scan = Arc::new(QuotedScan { spec: Arc::clone(spec), io: io.clone(), basis, reads, has_top });
    let quoter = Arc::clone(format).quoter(&scan);
    quoter.prepare().await?;
    let filters_by_values = spec.filters_by_values();
    // The splits of a file lie side by side.
    let of_file = |one: &Arc<Split>, next: &Arc<Split>| Arc::ptr_eq(&one.file, &next.file);
    let files: Vec<Vec<Arc<Split>>> = spec.splits.chunk_by(of_file).map(<[Arc<Split>]>::to_vec).collect();
    let quotes = stream::iter(files).map(|splits| {
        let (scan, quoter) = (Arc::clone(&scan), Arc::clone(&quoter));
        async move {
            let planned = splits.first().map(|first| Arc::clone(&first.file));
            let planned = planned.ok_or_else(|| Error::internal("a file without splits is quoted"))?;
            let (url, file) = (planned.file.url(), Arc::clone(&planned));
            let quote = async move {
                let is_excluded = filters_by_values && scan.spec.excludes_file(&planned);
                if is_excluded { Ok(FileQuote::nothing()) } else { quoter.file(&splits).await }
            };
            let mut quoted = Ended(tokio::spawn(quote));
            let quote = (&mut quoted.0).await.unwrap_or_else(|error| Err(given_up(&url, error)))?;
            Ok::<_, Error>((file, quote))
        }
    });
    let mut quotes = quotes.buffer_unordered(io.fetch.fetcher().requests());
    let mut all = ScanQuote::new(spec, format.name(), format.is_columnar());
    while let Some((planned, quote)) = quotes.try_next().await? {
        all.add(&planned.file, quote);
    }
    Ok(all)
}
