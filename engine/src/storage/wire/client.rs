//! The HTTP client below the stores, built from the settings that `object_store` has read. Unlike `object_store`'s own client, it follows redirects only
//! within the host of the request: access is decided by the location that is named, and no server may choose another.

use std::{
    error::Error as StdError,
    net::SocketAddr,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use object_store::{ClientConfigKey as Key, ClientOptions, Error, Result, client::HttpClient};
use reqwest::{
    Certificate, Client, NoProxy, Proxy,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect::Policy,
};

use crate::storage::values::is_true;

type Cause = Box<dyn StdError + Send + Sync>;

/// All settings of a client: two that have the same are one.
pub(super) const SETTINGS: [Key; 17] = [
    Key::AllowHttp,
    Key::AllowInvalidCertificates,
    Key::ConnectTimeout,
    Key::Timeout,
    Key::Http1Only,
    Key::Http2Only,
    Key::Http2KeepAliveInterval,
    Key::Http2KeepAliveTimeout,
    Key::Http2KeepAliveWhileIdle,
    Key::Http2MaxFrameSize,
    Key::PoolIdleTimeout,
    Key::PoolMaxIdlePerHost,
    Key::ProxyUrl,
    Key::ProxyCaCertificate,
    Key::ProxyExcludes,
    Key::UserAgent,
    Key::RandomizeAddresses,
];

/// A client by these settings, which trusts these certificates too.
pub(super) fn build(options: &ClientOptions, certificates: &[Certificate]) -> Result<HttpClient> {
    let text = |key: Key| options.get_config_value(&key);
    let is_set = |key: Key| text(key).is_some_and(|value| is_true(&value));
    let user_agent = text(Key::UserAgent).unwrap_or_else(|| concat!("glaux/", env!("CARGO_PKG_VERSION")).to_owned());
    // Compressed bodies would not be as long as they say.
    let mut builder = Client::builder().no_gzip().no_brotli().no_zstd().no_deflate();
    builder = builder.redirect(within_the_origin()).https_only(!is_set(Key::AllowHttp)).user_agent(user_agent);
    for certificate in certificates {
        builder = builder.add_root_certificate(certificate.clone());
    }
    if let Some(url) = text(Key::ProxyUrl) {
        let mut proxy = Proxy::all(url).map_err(failed)?;
        if let Some(pem) = text(Key::ProxyCaCertificate) {
            builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes()).map_err(failed)?);
        }
        if let Some(excludes) = text(Key::ProxyExcludes) {
            proxy = proxy.no_proxy(NoProxy::from_string(&excludes));
        }
        builder = builder.proxy(proxy);
    }
    let time = |key: Key| text(key).map(|value| duration(&value)).transpose();
    if let Some(time) = time(Key::Timeout)? {
        builder = builder.timeout(time);
    }
    if let Some(time) = time(Key::ConnectTimeout)? {
        builder = builder.connect_timeout(time);
    }
    if let Some(time) = time(Key::PoolIdleTimeout)? {
        builder = builder.pool_idle_timeout(time);
    }
    if let Some(most) = text(Key::PoolMaxIdlePerHost) {
        builder = builder.pool_max_idle_per_host(number(&most)?);
    }
    if let Some(time) = time(Key::Http2KeepAliveInterval)? {
        builder = builder.http2_keep_alive_interval(time);
    }
    if let Some(time) = time(Key::Http2KeepAliveTimeout)? {
        builder = builder.http2_keep_alive_timeout(time);
    }
    if let Some(most) = text(Key::Http2MaxFrameSize) {
        builder = builder.http2_max_frame_size(Some(number::<u32>(&most)?));
    }
    if is_set(Key::Http2KeepAliveWhileIdle) {
        builder = builder.http2_keep_alive_while_idle(true);
    }
    if is_set(Key::Http1Only) {
        builder = builder.http1_only();
    }
    if is_set(Key::Http2Only) {
        builder = builder.http2_prior_knowledge();
    }
    if is_set(Key::AllowInvalidCertificates) {
        builder = builder.danger_accept_invalid_certs(true);
    }
    if is_set(Key::RandomizeAddresses) {
        builder = builder.dns_resolver(Arc::new(InTurn::default()));
    }
    builder.build().map(HttpClient::new).map_err(failed)
}

fn within_the_origin() -> Policy {
    Policy::custom(|attempt| {
        let is_same = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
        if is_same { Policy::default().redirect(attempt) } else { attempt.stop() }
    })
}

fn failed(source: impl Into<Cause>) -> Error {
    Error::Generic { store: "HTTP client", source: source.into() }
}

fn number<T: FromStr>(text: &str) -> Result<T> {
    text.trim().parse().map_err(|_| failed(format!("\"{text}\" is not a number")))
}

/// A time as `object_store` writes it, `1m 30s`, or as a variable has it.
fn duration(text: &str) -> Result<Duration> {
    let wrong = || failed(format!("\"{text}\" is not a duration"));
    let (mut seconds, mut rest) = (0.0, text.trim());
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?);
        let after = after.trim_start();
        let (unit, left) = after.split_at(after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len()));
        let of_unit = match unit {
            "ns" | "nsec" => 1e-9,
            "us" | "usec" => 1e-6,
            "ms" | "msec" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return Err(wrong()),
        };
        seconds += number.parse::<f64>().map_err(|_| wrong())? * of_unit;
        rest = left.trim_start();
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Gives the addresses of a host, beginning with another one each time, so that not all connections go to the first.
#[derive(Debug, Default)]
struct InTurn(AtomicUsize);

impl Resolve for InTurn {
    fn resolve(&self, name: Name) -> Resolving {
        let turn = self.0.fetch_add(1, Relaxed);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let mut found: Vec<SocketAddr> = found.map_err(Cause::from)?.collect();
            let first = turn.checked_rem(found.len()).unwrap_or(0);
            found.rotate_left(first);
            Ok::<Addrs, Cause>(Box::new(found.into_iter()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, expected) in
            [("30s", 30_000), ("1m 30s", 90_000), ("250ms", 250), ("1day 2h", 93_600_000), ("5 minutes", 300_000)]
        {
            assert_eq!(duration(text).unwrap(), Duration::from_millis(expected), "{text}");
        }
        for text in ["soon", "30", "s", "1x"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
