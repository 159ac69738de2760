//! Profiles from files or from those built in.

use super::exit::Refusal;
use crate::profile::{self, Checked, Override, shipped};
use std::path::Path;

/// A profile's text, and what it is called in messages.
#[derive(Debug)]
pub struct Text {
    /// The path as given, or the shipped name.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The profile of that path or shipped name.
///
/// What looks like a path (a slash, or the ending of a YAML file) is one; else it is a shipped name.
pub fn text(name: &str) -> Result<Text, Refusal> {
    let is_path = name.contains('/') || [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    if !is_path && !Path::new(name).is_file() {
        let shipped = shipped::find(name).map_err(|unknown| {
            Refusal::usage(format!(
                "{unknown}\n  a profile of your own is named by its file, such as ./{name}.yaml"
            ))
        })?;
        return Ok(Text { name: name.to_owned(), text: shipped.text.to_owned() });
    }
    match std::fs::read(name).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Text { name: name.to_owned(), text }),
        Ok(Err(_)) => Err(Refusal::usage(format!("{name} is not UTF-8 text; a profile is a YAML file"))),
        Err(error) => Err(Refusal::usage(format!("cannot read the profile {name}: {error}"))),
    }
}

/// The checked profile; all its problems at once where it has any.
pub fn checked(text: &Text, sets: &[Override]) -> Result<Checked, Refusal> {
    profile::read(&text.text, sets).map_err(|problems| {
        let colour = super::colour_on_stderr();
        let shown = profile::render(&problems.0, &text.name, &text.text, colour);
        Refusal::usage(format!("{} cannot be run:\n{shown}", text.name))
    })
}
