//! Profiles from files or from those built in.

use super::exit::Refusal;
use crate::base::units::to_u64;
use crate::profile::{self, Checked, LARGEST, Override, shipped};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The text of a profile or a suite, and what it is called in messages.
#[derive(Debug)]
pub struct Text {
    /// The path as given, or the shipped name.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The profile of that path or shipped name.
pub fn text(name: &str) -> Result<Text, Refusal> {
    of("profile", name, |name| {
        shipped::find(name).map(|shipped| shipped.text).map_err(|error| error.to_string())
    })
}

/// The text of the file of that path, or of what is shipped under that name.
///
/// What looks like a path (a slash, or the ending of a YAML file) is one, and so is the name of a file that is there; else
/// it is a shipped name.
pub(super) fn of(
    what: &str,
    name: &str,
    find: impl FnOnce(&str) -> Result<&'static str, String>,
) -> Result<Text, Refusal> {
    let is_path = name.contains('/') || [".yaml", ".yml"].iter().any(|ending| name.ends_with(ending));
    if !is_path && !Path::new(name).is_file() {
        let text = find(name).map_err(|unknown| {
            Refusal::usage(format!(
                "{unknown}\n  a {what} of your own is named by its file, such as ./{name}.yaml"
            ))
        })?;
        return Ok(Text { name: name.to_owned(), text: text.to_owned() });
    }
    let bytes = beginning(Path::new(name))
        .map_err(|error| Refusal::usage(format!("cannot read the {what} {name}: {error}")))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // It is refused for its size; a character may be cut where reading ended.
        Err(error) if error.as_bytes().len() > LARGEST => {
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        }
        Err(_) => return Err(Refusal::usage(format!("{name} is not UTF-8 text; a {what} is a YAML file"))),
    };
    Ok(Text { name: name.to_owned(), text })
}

/// As much of a file as tells whether it is too large.
fn beginning(path: &Path) -> io::Result<Vec<u8>> {
    let most = to_u64(LARGEST).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The checked profile; all its problems at once where it has any.
pub fn checked(text: &Text, sets: &[Override]) -> Result<Checked, Refusal> {
    profile::read(&text.text, sets).map_err(|problems| {
        let colour = super::colour_on_stderr();
        let shown = profile::render(&problems.0, &text.name, &text.text, colour);
        Refusal::usage(format!("{} cannot be run:\n{shown}", text.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It was read without an end, before its size was looked at.
    #[test]
    fn no_more_is_read_than_tells_that_it_is_too_much() {
        let text = text("/dev/zero").unwrap();
        assert_eq!(text.text.len(), LARGEST + 1);
        let told = checked(&text, &[]).unwrap_err().message;
        assert!(told.contains("more bytes than are read: at most 1048576 (1 MiB)"), "{told}");
    }
}
