//! What brownout keeps of its privileges.
//!
//! ```text
//!   begin          --user: becomes that user, and keeps what setting up takes
//!   set-up         main thread: files, keys, ports, tap          workers: from their start on, what the run takes
//!   COMMAND begins with all that the user has
//!   run            main thread: what the run takes
//! ```
//!
//! Capabilities are a thread's own: every thread gives up at its start what it has no use for, and the main thread, which
//! opens everything, once everything is open and the command has begun. A program that root executes gets all of root's
//! back (capabilities(7)), and so does the command.

use super::exit::{Exit, Refusal};
use crate::fault::{Connects, Fault, FidelityWanted};
use crate::net::sys::{Capabilities, privilege, user};
use crate::profile::Plan;
use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

/// What setting up takes of root, for another user: ports below 1024, the tap, socket filters, keys that only root reads.
const SETTING_UP: Capabilities = Capabilities::NET_BIND_SERVICE
    .with(Capabilities::NET_RAW)
    .with(Capabilities::NET_ADMIN)
    .with(Capabilities::DAC_READ_SEARCH);

/// Whom brownout is to be.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct UserArgs {
    /// Become this user at once; files are made and written as this user, and a COMMAND beside it is this user's. Ports below
    /// 1024 and keys that only root can read work all the same. Needs root
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub user: Option<String>,
}

impl UserArgs {
    /// What the environment refuses is often refused to this user alone.
    pub fn explain(&self, mut refusal: Refusal) -> Refusal {
        if let Some(name) = self.user.as_ref().filter(|_| refusal.exit == Exit::Environment) {
            refusal.message += &format!(" (brownout is user {name} by then: --user)");
        }
        refusal
    }
}

/// Who brownout has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Became {
    /// The name.
    pub name: String,
    /// The home.
    pub home: PathBuf,
}

/// Becomes the user that was asked for. To be called before there is a second thread, and before anything is opened.
pub(super) fn become_user(args: &UserArgs) -> Result<Option<Became>, Refusal> {
    let Some(name) = &args.user else { return Ok(None) };
    let found = user::find(name)
        .map_err(|error| Refusal::environment(format!("--user {name}: cannot look it up: {error}")))?;
    let user = found.ok_or_else(|| {
        Refusal::usage(format!("--user {name}: there is no such user; `getent passwd` lists them"))
    })?;
    let became = Became { name: user.name.clone(), home: user.home.clone() };
    if privilege::ids() == (user.uid, user.gid) {
        return Ok(Some(became));
    }
    privilege::become_user(&user, SETTING_UP).map_err(|error| {
        Refusal::environment(format!(
            "--user {name}: {error}; to become another user takes root (CAP_SETUID and CAP_SETGID). Without root no \
             --user is needed: `brownout doctor` tells which capabilities to give to the binary"
        ))
    })?;
    Ok(Some(became))
}

/// What faults of this plan may take while it runs: socket filters are set and taken off as faults come and go.
pub(super) fn of_plan(plan: &Plan) -> Capabilities {
    if plan.rules.iter().any(|rule| filters(&rule.fault)) {
        Capabilities::NET_ADMIN
    } else {
        Capabilities::NONE
    }
}

/// What the way to the hub takes while it runs: a transparent one makes connects from devices' addresses (IP_TRANSPARENT, ip(7)).
pub(super) fn of_way(is_transparent: bool) -> Capabilities {
    if is_transparent { Capabilities::NET_ADMIN } else { Capabilities::NONE }
}

/// Whether a fault may be made with a socket filter.
fn filters(fault: &Fault) -> bool {
    match fault {
        Fault::Blackhole(blackhole) => {
            blackhole.fidelity != FidelityWanted::Stall || blackhole.connects == Connects::Vanish
        }
        Fault::Loss(_) => true,
        Fault::Rst(_)
        | Fault::Fin(_)
        | Fault::Stall(_)
        | Fault::Latency(_)
        | Fault::TlsHandshake(_)
        | Fault::TlsAlert(_)
        | Fault::TlsRecord(_)
        | Fault::HalfClose(_)
        | Fault::Refuse(_)
        | Fault::Bandwidth(_)
        | Fault::Slice(_)
        | Fault::CutAfter(_)
        | Fault::IdleTimeout(_)
        | Fault::TokenExpiry(_)
        | Fault::Takeover(_)
        | Fault::Reject(_)
        | Fault::Disconnect(_)
        | Fault::Inject(_)
        | Fault::Packets(_) => false,
    }
}

/// What the main thread needs beside, where a command has to be ended that may have become another user.
pub(super) const TO_END_A_COMMAND: Capabilities = Capabilities::KILL;

/// The calling thread keeps these of its capabilities, and no others.
pub(super) fn keep(kept: Capabilities) {
    match privilege::keep(kept) {
        Ok(()) => tracing::debug!("a thread keeps {}", kept.names().join(", ")),
        Err(error) => tracing::warn!("privileges that are no longer needed cannot be given up: {error}"),
    }
}

/// What it takes to make files in this directory: nothing, where its permissions are enough; that is tried. Root may
/// write anywhere, but only with a capability.
pub(super) fn to_write_in(directory: &Path) -> Result<Capabilities, Refusal> {
    let tried = directory.join(format!(".brownout-{}", std::process::id()));
    let refused = |error: io::Error| {
        Refusal::environment(format!(
            "files cannot be made in {}, and that goes on until the end: {error}; give another directory with --report, or \
             make it writable",
            directory.display()
        ))
    };
    let without = {
        let path = tried.clone();
        thread::spawn(move || {
            privilege::renounce();
            make_and_remove(&path)
        })
    };
    match without.join() {
        Ok(Ok(())) => Ok(Capabilities::NONE),
        Ok(Err(_)) => make_and_remove(&tried).map(|()| Capabilities::DAC_OVERRIDE).map_err(refused),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn make_and_remove(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?;
    std::fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile;

    fn kept(fault: &str) -> Capabilities {
        let text = format!(
            "brownout: 1\nname: x\nsummary: y\nrules:\n  - {{ id: f, when: {{ after: connack }}, fault: {{ {fault} }} }}\n"
        );
        of_plan(&profile::read(&text, &[]).unwrap().plan)
    }

    #[test]
    fn a_run_keeps_what_its_faults_take() {
        for filter in [
            "blackhole: { for: 1s, fidelity: packet }",
            // Packet where the machine can.
            "blackhole: { for: 1s }",
            "blackhole: { for: 1s, fidelity: stall, connects: vanish }",
            "loss: { chance: 10%, for: 1s }",
        ] {
            assert_eq!(kept(filter), Capabilities::NET_ADMIN, "{filter}");
        }
        for none in
            ["blackhole: { for: 1s, fidelity: stall }", "rst: {}", "latency: { fixed: 1ms }", "drop: {}"]
        {
            assert_eq!(kept(none), Capabilities::NONE, "{none}");
        }
    }

    #[test]
    fn a_directory_is_tried_and_nothing_is_left_in_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(to_write_in(folder.path()).unwrap(), Capabilities::NONE);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        let refusal = to_write_in(&folder.path().join("absent")).unwrap_err();
        assert!(refusal.message.contains("absent"), "{}", refusal.message);
    }

    #[test]
    fn a_user_that_there_is_not_is_a_word_of_the_command_line() {
        let args = UserArgs { user: Some("no-such-user-here".into()) };
        assert_eq!(become_user(&args).unwrap_err().exit, Exit::Usage);
        assert_eq!(become_user(&UserArgs { user: None }).unwrap(), None);
    }
}
