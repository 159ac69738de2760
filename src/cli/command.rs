//! The command beside a run: the client under test, or the test that drives it.

use super::exit::Refusal;
use crate::net::sys::limit;
use crate::profile::TlsPlan;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A running command. Its input and output are those of brownout.
#[derive(Debug)]
pub struct Beside {
    child: Child,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Status(Option<ExitStatus>);

/// Looks whether there is such a program, before a run is started for it.
pub fn find(program: &str) -> Result<(), Refusal> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = if program.contains('/') {
        Path::new(program).is_file()
    } else {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let hint = "give a program in PATH, or its path";
    found.then_some(()).ok_or_else(|| Refusal::usage(format!("there is no command `{program}`; {hint}")))
}

impl Beside {
    /// Starts it, with the address in BROWNOUT_HOST, BROWNOUT_PORT and BROWNOUT_URL, what its TLS has to trust in
    /// BROWNOUT_CA, and this soft limit of open files.
    pub fn start(
        program: &str,
        arguments: &[String],
        address: SocketAddr,
        tls: &TlsPlan,
        files: Option<u64>,
    ) -> Result<Beside, Refusal> {
        let host = reachable(address.ip());
        let scheme = super::tls::scheme(tls.mode);
        let url = format!("{scheme}://{}", SocketAddr::new(host, address.port()));
        let mut command = Command::new(program);
        if let Some(files) = files {
            limit::give_files(&mut command, files);
        }
        if let Some(ca) = super::tls::trusted(tls) {
            command.env("BROWNOUT_CA", std::path::absolute(&ca).unwrap_or(ca));
        }
        let child = command
            .args(arguments)
            .env("BROWNOUT_HOST", host.to_string())
            .env("BROWNOUT_PORT", address.port().to_string())
            .env("BROWNOUT_URL", url)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Refusal::usage(format!("cannot start the command `{program}`: {error}")))?;
        Ok(Beside { child })
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Status {
        Status(self.child.wait().await.ok())
    }

    /// Asks it to end (SIGTERM), and after a grace time, or when told to hurry, makes it.
    pub async fn stop(&mut self, hurry: impl Future<Output = ()>) -> Status {
        if let Some(pid) = self.child.id() {
            crate::net::sys::process::terminate(pid);
        }
        tokio::select! {
            status = self.child.wait() => return Status(status.ok()),
            () = tokio::time::sleep(GRACE) => {
                tracing::warn!("the command did not end in {} s after SIGTERM: killed", GRACE.as_secs());
            }
            () = hurry => tracing::warn!("the command is killed"),
        }
        let _ = self.child.kill().await;
        self.wait().await
    }
}

impl Status {
    /// Its exit code; `None` if a signal ended it.
    pub fn code(self) -> Option<i32> {
        self.0.and_then(|status| status.code())
    }

    /// What to say where it failed.
    pub fn failure(self, program: &str) -> Option<Refusal> {
        match self.0 {
            Some(status) if status.success() => None,
            Some(status) => Some(Refusal::unmet(format!("the command `{program}` failed: {status}"))),
            None => Some(Refusal::unmet(format!("the command `{program}` was lost"))),
        }
    }
}

/// An address that a client on this machine can connect to: a listener on all addresses is reached on loopback.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
