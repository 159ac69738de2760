//! Files that are written lie apart: of two in one place, one would be gone, and nobody told.

use super::exit::Refusal;
use std::fs;
use std::path::{Path, PathBuf, absolute};

/// Files, and what brought each of them.
#[derive(Debug, Default)]
pub struct Apart(Vec<(String, PathBuf)>);

impl Apart {
    /// One more, if it is there: `what` wants it (`--pcap`). A pipe or a device may be wanted more than once, and `-` is no file.
    ///
    /// # Errors
    /// Another one wants the same place; both are named.
    pub fn with(mut self, what: &str, path: Option<&Path>) -> Result<Apart, Refusal> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else { return Ok(self) };
        let is_through = fs::metadata(path).is_ok_and(|known| !known.is_file() && !known.is_dir());
        if is_through {
            return Ok(self);
        }
        let place = place(path);
        if let Some((other, _)) = self.0.iter().find(|(_, taken)| *taken == place) {
            return Err(Refusal::usage(format!(
                "{other} and {what} are both {}; give each a file of its own",
                path.display()
            )));
        }
        self.0.push((what.to_owned(), place));
        Ok(self)
    }

    /// All of these of one directory.
    ///
    /// # Errors
    /// As [`Apart::with`].
    pub fn with_all(self, what: &str, directory: Option<&Path>, names: &[&str]) -> Result<Apart, Refusal> {
        let Some(directory) = directory else { return Ok(self) };
        names.iter().try_fold(self, |apart, name| apart.with(what, Some(&directory.join(name))))
    }
}

/// Where this is, with no link on the way as far as there is anything yet.
fn place(path: &Path) -> PathBuf {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    let known = path.ancestors().find_map(|known| Some((known, fs::canonicalize(known).ok()?)));
    let Some((known, real)) = known else { return path };
    let rest = path.strip_prefix(known).unwrap_or(Path::new(""));
    if rest.as_os_str().is_empty() { real } else { real.join(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn two_in_one_place_are_refused_whatever_leads_there() {
        let folder = tempfile::TempDir::new().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::create_dir(&real).unwrap();
        symlink(&real, &link).unwrap();
        let taken = || Apart::default().with_all("--report", Some(&real), &["a", "b"]).unwrap();
        for there in [real.join("b"), link.join("b"), real.join("../real/./b")] {
            let refusal = taken().with("--pcap", Some(&there)).unwrap_err();
            let told = format!("--report and --pcap are both {}; give", there.display());
            assert!(refusal.message.starts_with(&told), "{}", refusal.message);
        }
        taken().with("--pcap", Some(&real.join("c"))).unwrap().with("--json", None).unwrap();
    }

    #[test]
    fn one_that_is_not_there_yet_is_known_by_its_name() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("no/such/file");
        let apart = Apart::default().with("--json", Some(&path)).unwrap();
        assert!(apart.with("--csv", Some(&path)).is_err());
    }

    #[test]
    fn standard_output_and_devices_are_no_files() {
        for path in [Path::new("-"), Path::new("/dev/null")] {
            let once = Apart::default().with("--json", Some(path)).unwrap();
            once.with("--csv", Some(path)).unwrap();
        }
    }
}
