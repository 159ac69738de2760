//! What else of this machine may be in the way. It is told, and left as it is.

use super::setting::{Mode, Setting};
use super::standing::Standing;
use super::tools;
use crate::cli::exit::Refusal;
use std::fs;
use std::path::Path;

/// Whether the machine has IPv6, and its loopback takes routes of it.
pub(super) fn has_ipv6() -> bool {
    read("ipv6/conf/lo/disable_ipv6").is_some_and(|disabled| disabled == "0")
}

/// Refuses an interface that is not there, or whose packets come in as another's.
pub(super) fn find(interface: &str) -> Result<(), Refusal> {
    let shown = Path::new("/sys/class/net").join(interface);
    // A port of a bridge, a part of a bond: the kernel's rules see the whole.
    if let Ok(master) = fs::read_link(shown.join("master")) {
        let master = master.file_name().unwrap_or_default().to_string_lossy();
        return Err(Refusal::environment(format!(
            "--inside: `{interface}` is a part of `{master}`, as whose packets come in what devices send; give {master}"
        )));
    }
    if shown.exists() {
        return Ok(());
    }
    let mut names: Vec<String> = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    Err(Refusal::environment(format!(
        "--inside: there is no interface `{interface}` here; there are {}",
        names.join(", ")
    )))
}

/// What should be known of this machine.
pub(super) fn notes(setting: &Setting, standing: &Standing) -> Vec<String> {
    let mut notes = notes_of(setting, read);
    notes.extend(standing.before(setting));
    notes.extend(closed_chains(&tools::chains()));
    notes
}

/// A setting of the kernel's network, by its path.
fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new("/proc/sys/net").join(path)).ok().map(|text| text.trim().to_owned())
}

/// What the kernel's settings mean for it.
pub(super) fn notes_of(setting: &Setting, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is = |path: &str, value: &str| read(path).is_some_and(|found| found == value);
    let mut notes = Vec::new();
    for (path, key, family, is_there) in [
        ("ipv4/ip_forward", "net.ipv4.ip_forward", "IPv4", true),
        ("ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding", "IPv6", setting.ipv6),
    ] {
        if is_there && is(path, "0") {
            let rest =
                if setting.fail_open { ", and without brownout their connects reach no hub" } else { "" };
            notes.push(format!(
                "note: this machine forwards no {family}: what else devices send goes no further{rest}; to change that: \
                 sysctl -w {key}=1"
            ));
        }
    }
    if setting.mode == Mode::Tproxy && is("ipv4/conf/all/src_valid_mark", "1") {
        notes.push(
            "WARNING: net.ipv4.conf.all.src_valid_mark is 1 (wg-quick sets it): the kernel then takes marked IPv4 packets \
             for forged, and drops them; to change that: sysctl -w net.ipv4.conf.all.src_valid_mark=0"
                .to_owned(),
        );
    }
    for interface in &setting.inside {
        let own = format!("ipv4/conf/{interface}/rp_filter");
        // The stricter of the two holds, and 2 (loose) is the greater number (ip-sysctl).
        let greatest = [own.as_str(), "ipv4/conf/all/rp_filter"].into_iter().filter_map(&read).max();
        if greatest.as_deref() == Some("1") {
            notes.push(format!(
                "note: {interface} takes IPv4 packets from addresses alone that are routed to {interface} (rp_filter is 1): \
                 those of devices whose addresses are not, vanish"
            ));
        }
    }
    notes
}

/// Chains of others that drop what no rule of theirs lets in, from what `nft list chains` says. What is led to brownout
/// comes in there, with the address that the device dialled.
pub(super) fn closed_chains(shown: &str) -> Vec<String> {
    let (mut table, mut chain, mut found) = ("", "", Vec::new());
    for line in shown.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches('{').trim();
        } else if let Some(name) = line.strip_prefix("chain ") {
            chain = name.trim_end_matches('{').trim();
        } else if line.contains(" hook input ") && line.contains("policy drop") {
            found.push(format!(
                "note: the chain `{chain}` of the table `{table}` drops what no rule of it lets in: see to it that what \
                 devices send to hubs may come in there"
            ));
        }
    }
    found
}
