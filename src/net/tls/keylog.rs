//! SSLKEYLOGFILE: the secrets of sessions, for Wireshark, where somebody asked for them.

use super::error::TlsError;
use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The environment variable that names the file.
pub const VARIABLE: &str = "SSLKEYLOGFILE";

/// The key log of a run: into a file, or nowhere.
///
/// The format is that of NSS (draft-ietf-tls-keylogfile): `LABEL CLIENT_RANDOM SECRET`, a line a secret.
#[derive(Default)]
pub struct KeyLog {
    into: Option<Open>,
}

struct Open {
    path: PathBuf,
    file: Mutex<File>,
}

impl KeyLog {
    /// No key log.
    pub fn off() -> KeyLog {
        KeyLog::default()
    }

    /// The one that SSLKEYLOGFILE asks for; none where it is not set, or empty.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or kept from others.
    pub fn from_environment() -> Result<KeyLog, TlsError> {
        match std::env::var_os(VARIABLE) {
            Some(path) if !path.is_empty() => KeyLog::to(Path::new(&path)),
            Some(_) | None => Ok(KeyLog::off()),
        }
    }

    /// Appends to this file. It is made for its owner alone (0600), and made so where it is there.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or kept from others.
    pub fn to(path: &Path) -> Result<KeyLog, TlsError> {
        let told = |error| TlsError::file("write the key log that SSLKEYLOGFILE names,", path, error);
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(told)?;
        let metadata = file.metadata().map_err(told)?;
        // A device such as /dev/stderr keeps the mode it has.
        if metadata.is_file() && metadata.permissions().mode() & 0o777 != 0o600 {
            file.set_permissions(Permissions::from_mode(0o600)).map_err(told)?;
        }
        Ok(KeyLog { into: Some(Open { path: path.to_owned(), file: Mutex::new(file) }) })
    }

    /// Where secrets are written; `None` where they are not. Whoever starts a run says so loudly.
    pub fn active(&self) -> Option<&Path> {
        self.into.as_ref().map(|open| open.path.as_path())
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyLog").field(&self.active()).finish()
    }
}

impl rustls::KeyLog for KeyLog {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let Some(open) = &self.into else { return };
        let line = format!("{label} {} {}\n", Hex(client_random), Hex(secret));
        // One write a line: several processes may append to the same file. What cannot be written is lost; the run
        // does not hang on it.
        let mut file = open.file.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = file.write_all(line.as_bytes());
    }

    fn will_log(&self, _label: &str) -> bool {
        self.into.is_some()
    }
}

struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::KeyLog as _;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secrets_are_appended_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        KeyLog::to(&path).unwrap().log("CLIENT_RANDOM", &[0, 0xab], &[0x10]);
        assert_eq!(mode(&path), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let log = KeyLog::to(&path).unwrap();
        assert_eq!(mode(&path), 0o600, "a file that was there is tightened");
        log.log("CLIENT_RANDOM", &[1], &[2]);
        assert_eq!(log.active(), Some(path.as_path()));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "CLIENT_RANDOM 00ab 10\nCLIENT_RANDOM 01 02\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = KeyLog::to(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("SSLKEYLOGFILE") && error.contains(&*folder.path().to_string_lossy()),
            "{error}"
        );
        assert_eq!(KeyLog::off().active(), None);
        assert!(!KeyLog::off().will_log("CLIENT_RANDOM"));
    }
}
