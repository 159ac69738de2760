//! The command beside a run: the client under test, or the test that drives it.

use super::exit::Refusal;
use crate::net::sys::{limit, process};
use crate::profile::TlsPlan;
use std::fs::Metadata;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// The permission to execute a file, of its owner, its group or others.
const ANY_EXECUTE: u32 = 0o111;

/// How long a command may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A running command. Its input and output are those of brownout.
#[derive(Debug)]
pub struct Beside {
    child: Child,
    /// The process group that is its own, with whatever it started; `None` where it shares brownout's.
    group: Option<u32>,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub struct Status(Option<ExitStatus>);

/// Looks whether there is such a program, before a run is started for it.
pub fn find(program: &str) -> Result<(), Refusal> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = if program.contains('/') {
        vec![PathBuf::from(program)]
    } else {
        std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
    };
    let files: Vec<Metadata> =
        places.iter().filter_map(|place| place.metadata().ok()).filter(Metadata::is_file).collect();
    let wrong = if files.is_empty() {
        format!("there is no command `{program}`")
    } else if files.iter().all(|file| file.permissions().mode() & ANY_EXECUTE == 0) {
        format!("`{program}` is a file that nobody may execute, and no command")
    } else {
        return Ok(());
    };
    Err(Refusal::usage(format!("{wrong}; give a program in PATH, or its path")))
}

impl Beside {
    /// Starts a command that [`prepared`] made.
    pub fn start(command: Command, program: &str) -> Result<Beside, Refusal> {
        Ok(Beside { child: spawn(command, program)?, group: None })
    }

    /// Starts a command that [`prepared`] made in a process group of its own: what it starts is ended with it, and
    /// Ctrl-C is brownout's alone.
    pub fn start_apart(mut command: Command, program: &str) -> Result<Beside, Refusal> {
        command.process_group(0);
        let child = spawn(command, program)?;
        Ok(Beside { group: child.id(), child })
    }

    /// What it writes to its standard output and error, where these are pipes.
    pub fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Status {
        let status = Status(self.child.wait().await.ok());
        self.end_group();
        status
    }

    /// Asks it to end (SIGTERM), and after a grace time, or when told to hurry, makes it.
    pub async fn stop(&mut self, hurry: impl Future<Output = ()>) -> Status {
        match self.group {
            Some(group) => process::terminate_group(group),
            None => self.child.id().into_iter().for_each(process::terminate),
        }
        tokio::select! {
            status = self.child.wait() => {
                self.end_group();
                return Status(status.ok());
            }
            () = tokio::time::sleep(GRACE) => {
                tracing::warn!("the command did not end in {} s after SIGTERM: killed", GRACE.as_secs());
            }
            () = hurry => tracing::warn!("the command is killed"),
        }
        self.end_group();
        let _ = self.child.kill().await;
        self.wait().await
    }

    /// Whatever the command started and left behind.
    fn end_group(&mut self) {
        // Once only: the number may be another's later.
        if let Some(group) = self.group.take() {
            process::kill_group(group);
        }
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.end_group();
    }
}

/// The command, with the address in BROWNOUT_HOST, BROWNOUT_PORT and BROWNOUT_URL, what its TLS has to trust in BROWNOUT_CA,
/// and this soft limit of open files.
pub fn prepared(
    program: &str,
    arguments: &[String],
    address: SocketAddr,
    tls: &TlsPlan,
    files: Option<u64>,
) -> Command {
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
    command
        .args(arguments)
        .env("BROWNOUT_HOST", host.to_string())
        .env("BROWNOUT_PORT", address.port().to_string())
        .env("BROWNOUT_URL", url)
        .kill_on_drop(true);
    command
}

fn spawn(mut command: Command, program: &str) -> Result<Child, Refusal> {
    let child = command.spawn();
    child.map_err(|error| Refusal::usage(format!("cannot start the command `{program}`: {error}")))
}

impl Status {
    /// Its exit code; `None` if a signal ended it.
    pub fn code(self) -> Option<i32> {
        self.0.and_then(|status| status.code())
    }

    /// In words: `exit code 1`, `signal 9`.
    pub fn words(self) -> String {
        match self.0 {
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => status.to_string(),
            },
            None => "and how is not known".into(),
        }
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
