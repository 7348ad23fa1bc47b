//! A connection to a server that can be cut, or made to take for ever.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the server behind is reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Way {
    /// As it is.
    Open,
    /// Every connection is closed.
    Cut,
    /// Connections are taken, and nothing passes.
    Stuck,
}

/// A port in front of a server.
pub struct Proxy {
    /// The port, on 127.0.0.1.
    pub port: u16,
    way: Arc<watch::Sender<Way>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// In front of this `HOST:PORT`.
    pub async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let ways = Arc::clone(&way);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, server.clone(), ways.subscribe()));
            }
        });
        Self { port, way, task }
    }

    /// From now on; connections that there are end.
    pub fn is(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, until the way changes.
async fn pass(mut client: TcpStream, server: String, mut ways: watch::Receiver<Way>) {
    let way = *ways.borrow_and_update();
    let passed = async {
        match way {
            Way::Open => {
                let mut server = TcpStream::connect(server).await.unwrap();
                let _ended = copy_bidirectional(&mut client, &mut server).await;
            }
            Way::Cut => {}
            Way::Stuck => std::future::pending().await,
        }
    };
    tokio::select! {
        () = passed => {}
        _ = ways.changed() => {}
    }
}
