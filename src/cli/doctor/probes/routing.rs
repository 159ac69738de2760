//! What transparent mode and the tap take: packet sockets, foreign addresses, nftables.

use super::super::machine::{Program, Tried};
use super::{refused, within};
use crate::cli::lab;
use socket2::{Domain, Protocol, Socket, Type};
use std::env;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where programs of the system are, whatever PATH says.
const SYSTEM: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// How long `nft` may take: some milliseconds, and more where it loads modules.
const NFT_LIMIT: Duration = Duration::from_millis(1500);

/// A table that nobody has.
const TABLE: &str = "brownout_doctor";

/// Opens a packet socket, for no protocol: it gets nothing.
pub fn tap() -> Tried {
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)));
    socket.map_or_else(|error| refused(&error), |_| Tried::Works)
}

/// Lets a socket that goes nowhere speak from any address.
pub fn transparent(domain: Domain) -> Tried {
    let tried = Socket::new(domain, Type::STREAM, None).and_then(|socket| {
        if domain == Domain::IPV6 {
            socket.set_ip_transparent_v6(true)
        } else {
            socket.set_ip_transparent_v4(true)
        }
    });
    tried.map_or_else(|error| refused(&error), |()| Tried::Works)
}

/// Looks for a program.
pub fn program(name: &str) -> Program {
    let path = env::var_os("PATH").unwrap_or_default();
    let within = |folder: &Path| Some(folder.join(name)).filter(|path| path.is_file());
    if let Some(path) = env::split_paths(&path).find_map(|folder| within(&folder)) {
        return Program::InPath(path);
    }
    SYSTEM.into_iter().find_map(|folder| within(Path::new(folder))).map_or(Program::Missing, Program::Outside)
}

/// Asks the kernel whether it would take what `lab up` sets, with REDIRECT and with TPROXY; it sets nothing.
pub fn rulesets(nft: &Program) -> [Tried; 2] {
    match nft {
        Program::InPath(path) | Program::Outside(path) => {
            lab::rulesets(TABLE).map(|rules| check(path, &rules))
        }
        Program::Missing => [(); 2].map(|()| Tried::Untried("there is no nft".into())),
    }
}

fn check(nft: &PathBuf, rules: &str) -> Tried {
    let started = Command::new(nft)
        .args(["--check", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => return refused(&error),
    };
    // Less than a pipe takes; nft that does not read it says why.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(rules.as_bytes()));
    let ended = within(NFT_LIMIT, || !matches!(child.try_wait(), Ok(None)));
    if !ended {
        let _ = child.kill();
    }
    match child.wait() {
        _ if !ended => Tried::Fails(format!("nft did not answer within {} ms", NFT_LIMIT.as_millis())),
        Ok(status) if status.success() => Tried::Works,
        Ok(_) => answer(&mut child),
        Err(error) => Tried::Fails(error.to_string()),
    }
}

/// What nft said, in its first line.
fn answer(child: &mut Child) -> Tried {
    /// An answer is some lines.
    const MOST: u64 = 4096;
    let mut told = String::new();
    let _ = child.stderr.take().map(|pipe| pipe.take(MOST).read_to_string(&mut told));
    let line = told.lines().next().unwrap_or("nft says no, and not why");
    if line.contains("not permitted") {
        return Tried::Untried("it takes CAP_NET_ADMIN to ask the kernel".into());
    }
    // `/dev/stdin:4:5-7: Error: why`.
    Tried::Fails(line.split_once("Error: ").map_or(line, |(_, why)| why).to_owned())
}
