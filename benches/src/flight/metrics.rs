//! The server's metrics as one scrape of its HTTP port gives them.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::Result;

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// One scrape.
#[derive(Debug)]
pub(super) struct Metrics(String);

impl Metrics {
    pub(super) async fn scrape(address: SocketAddr) -> Result<Self> {
        let text = timeout(PATIENCE, get(address)).await.map_err(|_| "the server does not tell its metrics")??;
        if !text.starts_with("HTTP/1.1 200") {
            return Err(format!("no metrics: {}", text.lines().next().unwrap_or_default()).into());
        }
        Ok(Self(text))
    }

    /// The sum of a metric's series; zero if it has none yet.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.sum_where(name, "")
    }

    /// The sum of those series of a metric whose labels hold this text.
    pub(super) fn sum_where(&self, name: &str, label: &str) -> f64 {
        let of_name = self.0.lines().filter_map(|line| line.strip_prefix(name)).filter(|rest| rest.starts_with(['{', ' ']));
        let values = of_name.filter(|rest| rest.contains(label)).filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok());
        values.sum()
    }
}

async fn get(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_added_up_by_name_and_label() {
        let metrics = Metrics("# TYPE a gauge\na 2\na_b 7\nc{x=\"1\",y=\"2\"} 3\nc{x=\"2\",y=\"2\"} 4\n".to_owned());
        assert_eq!(metrics.sum("a"), 2.0);
        assert_eq!(metrics.sum("c"), 7.0);
        assert_eq!(metrics.sum_where("c", "x=\"2\""), 4.0);
        assert_eq!(metrics.sum("nothing"), 0.0);
    }
}
