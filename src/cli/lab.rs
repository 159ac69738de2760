//! `brownout lab`: leads the connects of devices behind an interface to brownout, and undoes that.
//!
//! Owns an nftables table of its own, and the rule and route of policy routing that TPROXY takes. Invariant: what it sets is
//! known again by itself (the table's name; the protocol number of rules and routes), so no file says that it is up, and
//! `down` takes away exactly that, whatever ended in between. Deliberately absent: anybody else's tables, rules and
//! settings, which are looked at and told of at most.
//!
//! ```text
//!   setting  what is asked for, checked
//!   script   what is done for it, as commands
//!   standing what is there already, from what `nft` and `ip` show
//!   tools    runs the commands
//!   machine  what else of this machine may be in the way
//! ```

mod machine;
mod script;
mod setting;
mod standing;
#[cfg(test)]
mod tests;
mod tools;

use super::exit::{Exit, Refusal};
use super::out;
use clap::{Args, Subcommand};
use setting::{Mode, Setting, UpArgs};
use standing::Standing;

/// Its arguments.
#[derive(Debug, Args)]
pub(super) struct LabArgs {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Lead devices' connects to `brownout run --transparent` from now on
    Up(UpArgs),
    /// Take away what `up` has set, and nothing else; also after a crash
    Down(DownArgs),
    /// Show what is set, and how much has passed; ends with code 1 where nothing is
    Status,
}

#[derive(Debug, Args)]
struct DownArgs {
    /// Print the commands as a shell script, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What `up` has nftables do, by REDIRECT and by TPROXY, in a table of this name: for those who ask whether it would work.
pub(super) fn rulesets(table: &str) -> [String; 2] {
    [Mode::Redirect, Mode::Tproxy].map(|mode| script::ruleset(&Setting::usual(mode), table))
}

/// Does it.
pub(super) fn lab(args: &LabArgs) -> Exit {
    let done = match &args.command {
        LabCommand::Up(args) => up(args),
        LabCommand::Down(args) => down(args),
        LabCommand::Status => status(),
    };
    done.unwrap_or_else(Refusal::tell)
}

fn up(args: &UpArgs) -> Result<Exit, Refusal> {
    let setting = Setting::of(args, machine::has_ipv6()).map_err(Refusal::usage)?;
    if args.dry_run {
        out::show(script::shell("up", &script::up(&setting, &Standing::default())));
        return Ok(Exit::Met);
    }
    setting.inside.iter().try_for_each(|interface| machine::find(interface))?;
    let before = Standing::look()?;
    if let Some(trouble) = before.collision(&setting) {
        return Err(Refusal::environment(trouble));
    }
    set(&setting, &before)?;
    if before.is_up() {
        out::tell("lab: it was up already; what was set is replaced");
    }
    out::tell(format_args!("lab: {setting}"));
    for note in machine::notes(&setting, &before) {
        out::tell(format_args!("lab: {note}"));
    }
    Ok(Exit::Met)
}

/// Sets it, and then takes away what stood before. One that fails leaves what stood: never a gap through which devices go
/// past brownout.
fn set(setting: &Setting, before: &Standing) -> Result<(), Refusal> {
    let tried = tools::run_all(&[script::check(setting)]).and_then(|()| {
        tools::run_all(&script::up(setting, before)).map_err(|refusal| match undo(before) {
            Ok(()) => refusal,
            Err(second) => with(refusal, &format!("nor could all be undone: {}", second.message)),
        })
    });
    let left = if before.is_up() { "what was up before still is" } else { "nothing is up" };
    tried.map_err(|refusal| with(refusal, &format!("lab: {left}")))?;
    tools::run_all(&script::clear_before(setting, before)).map_err(|refusal| {
        with(refusal, "lab: it is up; what is left of before, `brownout lab down` takes away, too")
    })
}

/// Takes away what was not there before.
fn undo(before: &Standing) -> Result<(), Refusal> {
    tools::run_all(&script::down(&Standing::look()?.without(before)))
}

fn with(refusal: Refusal, more: &str) -> Refusal {
    Refusal { message: format!("{}\n{more}", refusal.message), ..refusal }
}

fn down(args: &DownArgs) -> Result<Exit, Refusal> {
    let standing = Standing::look()?;
    let steps = script::down(&standing);
    if args.dry_run {
        out::show(script::shell("down", &steps));
    } else {
        tools::run_all(&steps)?;
        let told = if standing.is_up() { "down: what `up` had set is gone" } else { "nothing was up" };
        out::tell(format_args!("lab: {told}"));
    }
    Ok(Exit::Met)
}

fn status() -> Result<Exit, Refusal> {
    let standing = Standing::look()?;
    if !standing.is_up() {
        out::show_line("lab: down");
        return Ok(Exit::Unmet);
    }
    let is_whole = standing.is_whole(machine::has_ipv6());
    out::show_line(match is_whole {
        true => "lab: up",
        false => {
            "lab: a part of it is gone; `brownout lab up` sets it anew, `brownout lab down` takes away the rest"
        }
    });
    standing.lines().iter().for_each(out::show_line);
    Ok(if is_whole { Exit::Met } else { Exit::Unmet })
}
