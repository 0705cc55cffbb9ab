//! A port of loopback that hands bytes on to another, until the connection is cut: a network that fails.

use std::net::SocketAddr;

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::Result;

/// Hands connections on. Dropping it cuts them all, with whatever is under way.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(super) async fn to(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((inside, _)) = listener.accept().await {
                connections.spawn(hand_on(inside, target));
            }
        });
        Ok(Self { address, _task: task })
    }
}

async fn hand_on(mut inside: TcpStream, target: SocketAddr) {
    if let Ok(mut outside) = TcpStream::connect(target).await {
        // Either side may go at any time.
        let _ = (inside.set_nodelay(true), outside.set_nodelay(true));
        let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
    }
}
