//! `brownout check` and `brownout profiles`.

use super::args::{CheckArgs, ModeWanted, ProfilesCommand};
use super::exit::{Exit, Refusal};
use super::load;
use super::out;
use super::run::LISTEN;
use super::tls;
use crate::profile::{self, ListenerPlan, Plan, render, shipped, timeline};

/// Tells the problems of a profile, or what it will do.
pub(super) fn check(args: &CheckArgs) -> Exit {
    let told = load::text(&args.profile).and_then(|text| {
        let mut checked = load::checked(&text, &args.sets)?;
        let reach = match args.tls {
            Some(mode) => as_run(&text, &mut checked.plan, mode)?,
            None => String::new(),
        };
        Ok((text, checked, reach))
    });
    let (text, checked, reach) = match told {
        Ok(told) => told,
        Err(refusal) => return refusal.tell(),
    };
    out::show(timeline::tell(&checked.plan, args.keep_alive));
    if !checked.notes.is_empty() {
        out::show_line("");
        out::show(render(&checked.notes, &text.name, &text.text, super::colour_on_stdout()));
    }
    if !reach.is_empty() {
        out::show_line("");
        out::show(reach);
    }
    Exit::Met
}

/// Puts the listener of `run --tls` into the plan; what it does not give, as notes.
fn as_run(text: &load::Text, plan: &mut Plan, mode: ModeWanted) -> Result<String, Refusal> {
    let tls = tls::bare(mode);
    let listeners = match plan.listeners.as_slice() {
        [] => vec![ListenerPlan {
            name: "main".into(),
            listen: LISTEN.into(),
            upstream: "the hub of --upstream".into(),
            tls,
        }],
        [only] => vec![ListenerPlan { tls, ..only.clone() }],
        several => return Err(tls::not_one(several.len())),
    };
    let reach = tls::reach(&text.name, plan, &listeners)?;
    plan.listeners = listeners;
    Ok(reach)
}

/// Lists the shipped profiles, or prints what was asked for.
pub(super) fn profiles(command: Option<&ProfilesCommand>) -> Exit {
    match command {
        None | Some(ProfilesCommand::List) => list(),
        Some(ProfilesCommand::Show { name }) => match shipped::find(name) {
            Ok(shipped) => out::show(shipped.text),
            Err(unknown) => return Refusal::usage(unknown.to_string()).tell(),
        },
        Some(ProfilesCommand::Reference) => out::show(profile::schema::reference()),
        Some(ProfilesCommand::Schema) => out::show_line(format_args!("{:#}", profile::schema::json_schema())),
    }
    Exit::Met
}

fn list() {
    for shipped in shipped::all() {
        let Ok(checked) = profile::read(shipped.text, &[]) else { continue };
        out::show_line(format_args!("{}\n    {}", shipped.name, checked.plan.summary));
        if let Some(reproduces) = checked.plan.reproduces {
            out::show_line(format_args!("    Reproduces: {reproduces}"));
        }
    }
}
