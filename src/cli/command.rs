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

/// How often it is looked whether what it had started has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A running command, in a session of its own: Ctrl-C is brownout's alone, so that nothing that the command says because of it
/// comes before brownout has told it to end.
#[derive(Debug)]
pub struct Beside {
    child: Child,
    /// The process group that it leads; `None` once that has ended, or is left to itself.
    group: Option<u32>,
    /// Whether what it has started goes with it when it ends by itself.
    whole: bool,
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
    /// Starts a command that [`prepared`] made. Its input and output are those of brownout, and what it leaves behind when it
    /// ends by itself is its own affair.
    pub fn start(command: Command, program: &str) -> Result<Beside, Refusal> {
        Beside::begin(command, program, false)
    }

    /// Starts a command that [`prepared`] made: what it starts is ended with it, whoever ends it.
    pub fn start_whole(command: Command, program: &str) -> Result<Beside, Refusal> {
        Beside::begin(command, program, true)
    }

    fn begin(mut command: Command, program: &str, whole: bool) -> Result<Beside, Refusal> {
        process::give_session(&mut command);
        let child = command.spawn();
        let child = child
            .map_err(|error| Refusal::usage(format!("cannot start the command `{program}`: {error}")))?;
        Ok(Beside { group: child.id(), child, whole })
    }

    /// What it writes to its standard output and error, where these are pipes.
    pub fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Status {
        let status = Status(self.child.wait().await.ok());
        if !self.whole {
            self.group = None;
        }
        self.end_group();
        status
    }

    /// Asks it and what it has started to end (SIGTERM), and after a grace time, or when told to hurry, makes them.
    pub async fn stop(&mut self, hurry: impl Future<Output = ()>) -> Status {
        self.group.into_iter().for_each(process::terminate_group);
        let ended = async {
            let status = self.child.wait().await;
            // A shell that is told to end does not wait for its client.
            while !self.whole && self.group.is_some_and(process::group_runs) {
                tokio::time::sleep(LOOK).await;
            }
            Status(status.ok())
        };
        tokio::select! {
            status = ended => {
                self.end_group();
                return status;
            }
            () = tokio::time::sleep(GRACE) => {
                tracing::warn!("the command did not end in {} s after SIGTERM: killed", GRACE.as_secs());
            }
            () = hurry => tracing::warn!("the command is killed"),
        }
        self.end_group();
        self.killed().await
    }

    /// Waits for the end of what was killed. One that has become another user, by sudo(8) say, cannot be.
    async fn killed(&mut self) -> Status {
        match tokio::time::timeout(GRACE, self.wait()).await {
            Ok(status) => status,
            Err(_) => {
                tracing::warn!("the command could not be ended, and goes on");
                Status(None)
            }
        }
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
