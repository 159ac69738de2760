//! `brownout check` and `brownout profiles`.

use super::args::{CheckArgs, ProfilesCommand};
use super::exit::{Exit, Refusal};
use super::load;
use super::out;
use crate::profile::{self, render, shipped, timeline};

/// Tells the problems of a profile, or what it will do.
pub(super) fn check(args: &CheckArgs) -> Exit {
    let told = load::text(&args.profile).and_then(|text| {
        let checked = load::checked(&text, &args.sets)?;
        Ok((text, checked))
    });
    let (text, checked) = match told {
        Ok(told) => told,
        Err(refusal) => return refusal.tell(),
    };
    out::show(timeline::tell(&checked.plan, args.keep_alive));
    if !checked.notes.is_empty() {
        out::show_line("");
        out::show(render(&checked.notes, &text.name, &text.text, super::colour_on_stdout()));
    }
    Exit::Met
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
