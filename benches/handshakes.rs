//! Five thousand devices whose TLS handshakes begin at once, against the program itself: how long until all are up, how
//! many fail, and what memory they take. `cargo bench --bench handshakes`; under a minute. HANDSHAKES for another number.
//!
//! Devices and hub are one process of their own, on the same processors.

#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/common/tls.rs"]
mod tls;

use brownout::net::sys::limit;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tls::Pki;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

const PROFILE: &str = "brownout: 1\nname: quiet\nsummary: Nothing happens.\nrules:\n  - id: never\n    when: { at: 10m }\n    fault: { rst: {} }\n";

fn main() {
    limit::raise_files().unwrap();
    let links = std::env::var("HANDSHAKES").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!("\n{links} TLS handshakes at once; load {}\n", load.trim());
    println!("{:12} {:>8} {:>8} {:>10} {:>10} {:>12}", "", "up", "failed", "s", "peak MB", "bytes a link");
    for mode in ["terminate", "reoriginate"] {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(measure(mode, links));
    }
}

async fn measure(mode: &str, links: u32) {
    let pki = Pki::new();
    let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut child = brownout(mode, &pki, &hub.local_addr().unwrap().to_string());
    let address = child.1.clone();
    let acceptor = pki.hub(&["127.0.0.1"], &[]);
    let is_secure = mode == "reoriginate";
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = hub.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut rest = Vec::new();
                if is_secure {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let _ = stream.read_to_end(&mut rest).await;
                    }
                } else {
                    let _ = stream.read_to_end(&mut rest).await;
                }
            });
        }
    });
    while TcpStream::connect(&address).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = memory(&child.0, "VmRSS");
    let (config, began) = (pki.device(), Instant::now());
    let devices: Vec<_> = (0..links)
        .map(|_| {
            let (address, config) = (address.clone(), config.clone());
            tokio::spawn(async move {
                let stream = TcpStream::connect(address).await?;
                let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
                tokio_rustls::TlsConnector::from(config).connect(name, stream).await
            })
        })
        .collect();
    let mut up = Vec::new();
    let mut failed = 0;
    for device in devices {
        match device.await.unwrap() {
            Ok(stream) => up.push(stream),
            Err(_) => failed += 1,
        }
    }
    let took = began.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let each = memory(&child.0, "VmRSS").saturating_sub(before) / u64::from(links);
    let peak = memory(&child.0, "VmHWM") / 1_000_000;
    println!("{mode:12} {:>8} {failed:>8} {:>10.2} {peak:>10} {each:>12}", up.len(), took.as_secs_f64());
    child.0.kill().unwrap();
    child.0.wait().unwrap();
}

/// The program, and where it listens.
fn brownout(mode: &str, pki: &Pki, hub: &str) -> (Child, String) {
    let profile = pki.directory.path().join("quiet.yaml");
    std::fs::write(&profile, PROFILE).unwrap();
    // Free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
    command.args(["run", profile.to_str().unwrap(), "--listen", &address, "--upstream", hub, "-q"]);
    command.args(["--tls", mode, "--ca", &pki.path(), "--duration", "5m"]);
    if mode == "reoriginate" {
        command.args(["--hub-ca", &pki.ca_file()]);
    }
    let report = pki.directory.path().join("report");
    command.arg("--report").arg(report);
    let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
    (child, address)
}

/// A figure of a process's memory in bytes (proc(5)).
fn memory(process: &Child, what: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
