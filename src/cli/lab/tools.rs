//! Runs `nft` and `ip`, and says what they would not do.

use super::script::{NFT_TABLE, Step};
use super::standing::Family;
use crate::cli::exit::Refusal;
use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Where system programs are that the search path of ordinary users leaves out.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Runs them in order, up to the first that fails.
pub(super) fn run_all(steps: &[Step]) -> Result<(), Refusal> {
    for step in steps {
        let Step { program, arguments, input } = step;
        let output = run(program, arguments, input.as_deref())?;
        if !output.status.success() {
            return Err(refused(program, arguments, &output));
        }
    }
    Ok(())
}

/// The table of `lab`, as `nft` lists it; `None`: there is none.
pub(super) fn table() -> Result<Option<String>, Refusal> {
    let arguments = ["list", "tables", "inet"].map(str::to_owned);
    let tables = shown_by("nft", &arguments)?;
    let line = format!("table inet {NFT_TABLE}");
    if !tables.lines().any(|table| table.trim() == line) {
        return Ok(None);
    }
    shown_by("nft", &["list", "table", "inet", NFT_TABLE].map(str::to_owned)).map(Some)
}

/// What all of nftables' base chains are; nothing where that cannot be told.
pub(super) fn chains() -> String {
    shown_by("nft", &["list", "chains"].map(str::to_owned)).unwrap_or_default()
}

/// What `ip` shows of a family, with numbers for names. Nothing of IPv6 where the machine has none.
pub(super) fn shown(family: Family, what: &str) -> Result<String, Refusal> {
    let arguments: Vec<String> =
        ["-N", family.option()].into_iter().chain(what.split_whitespace()).map(str::to_owned).collect();
    match (shown_by("ip", &arguments), family) {
        (Err(_), Family::V6) if !super::machine::has_ipv6() => Ok(String::new()),
        (shown, _) => shown,
    }
}

fn shown_by(program: &str, arguments: &[String]) -> Result<String, Refusal> {
    let output = run(program, arguments, None)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(refused(program, arguments, &output))
    }
}

fn run(program: &str, arguments: &[String], input: Option<&str>) -> Result<Output, Refusal> {
    output_of(program, arguments, input).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let package = if program == "nft" { "nftables" } else { "iproute2" };
            Refusal::environment(format!(
                "there is no program `{program}`, which `lab` works with; install it (Debian, Ubuntu, Fedora: the package \
                 {package})"
            ))
        }
        _ => Refusal::environment(format!("cannot run `{program}`: {error}")),
    })
}

fn output_of(program: &str, arguments: &[String], input: Option<&str>) -> io::Result<Output> {
    let mut child = Command::new(program)
        .args(arguments)
        .env("PATH", search_path())
        // Its words are shown, and some are read.
        .env("LC_ALL", "C")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some((text, mut stdin)) = input.zip(child.stdin.take()) {
        // A script is far smaller than a pipe's buffer; one that ended before it read says why itself.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait_with_output()
}

fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(SYSTEM_FOLDERS.map(PathBuf::from));
    env::join_paths(folders).unwrap_or(path)
}

/// A command's failure in words.
fn refused(program: &str, arguments: &[String], output: &Output) -> Refusal {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    let hint = if ["not permitted", "Permission denied"].iter().any(|words| said.contains(words)) {
        "\nit takes CAP_NET_ADMIN: run it as root (`sudo brownout lab ...`)"
    } else {
        ""
    };
    let code = output.status.code().map_or_else(|| "a signal".into(), |code| format!("code {code}"));
    Refusal::environment(format!("`{program} {}` ended with {code}: {said}{hint}", arguments.join(" ")))
}
