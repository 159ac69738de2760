//! The way `copy`: tokio's `copy_bidirectional` and nothing else, one worker thread. What a relay costs that looks at
//! nothing and is written without further thought.

use tokio::net::{TcpListener, TcpStream};

/// Relays until the process ends.
pub fn serve(listen: &str, hub: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await.unwrap();
        loop {
            let device = listener.accept().await.unwrap().0;
            tokio::spawn(relay(device, hub.to_owned()));
        }
    });
}

async fn relay(mut device: TcpStream, hub: String) -> std::io::Result<(u64, u64)> {
    let mut hub = TcpStream::connect(hub).await?;
    device.set_nodelay(true)?;
    hub.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut device, &mut hub).await
}
