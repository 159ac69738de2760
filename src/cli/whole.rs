//! A file that is there whole or not at all: written beside its place, and put there once all of it is. A full disk, or a
//! kill, leaves no half of one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Such a file.
#[derive(Clone, Debug)]
pub struct WholeFile {
    /// As it was given.
    path: PathBuf,
    /// Where that is, with no link on the way.
    place: PathBuf,
    beside: PathBuf,
}

impl WholeFile {
    /// At this place; where a link leads to it, at its end.
    pub fn at(path: &Path) -> WholeFile {
        let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        WholeFile { path: path.to_owned(), beside: place.with_file_name(format!(".{name}.new")), place }
    }

    /// Tries whether it can be written, long before it is.
    pub fn tried(path: &Path) -> io::Result<WholeFile> {
        let file = WholeFile::at(path);
        file.is_there()?;
        File::create(&file.beside)?;
        fs::remove_file(&file.beside)?;
        Ok(file)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes away the one that was there before, which would pass for what comes now.
    pub fn clear(&self) -> io::Result<()> {
        if self.is_there()? { fs::remove_file(&self.place) } else { Ok(()) }
    }

    /// Whether a file is there. What is none, a device say, is an error: nothing takes its place.
    fn is_there(&self) -> io::Result<bool> {
        match fs::metadata(&self.place) {
            Ok(known) if known.is_file() => Ok(true),
            Ok(known) if known.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => Err(io::Error::other("it is no regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts this there, in the place of what was.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let written = fs::write(&self.beside, text).and_then(|()| fs::rename(&self.beside, &self.place));
        if written.is_err() {
            let _ = fs::remove_file(&self.beside);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn it_is_there_once_it_is_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = WholeFile::tried(&folder.path().join("a")).unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
        file.clear().unwrap();
        file.write("one").unwrap();
        file.write("two").unwrap();
        assert_eq!(
            (fs::read_to_string(file.path()).unwrap(), names(folder.path())),
            ("two".into(), vec!["a".into()])
        );
        file.clear().unwrap();
        assert_eq!(names(folder.path()), [""; 0]);
    }

    /// A disk that is full where it is written beside, which `/dev/full` stands for.
    #[test]
    fn what_cannot_be_written_whole_leaves_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = WholeFile::at(&folder.path().join("a"));
        symlink("/dev/full", folder.path().join(".a.new")).unwrap();
        assert_eq!(file.write("one").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    /// As root, it would be gone.
    #[test]
    fn a_device_stays_where_it_is() {
        let folder = tempfile::TempDir::new().unwrap();
        let (socket, link) = (folder.path().join("socket"), folder.path().join("link"));
        let _bound = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        symlink(&socket, &link).unwrap();
        for path in [&socket, &link] {
            assert_eq!(WholeFile::tried(path).unwrap_err().to_string(), "it is no regular file");
            WholeFile::at(path).clear().unwrap_err();
        }
        assert!(socket.exists());
    }

    #[test]
    fn a_link_is_followed_and_a_folder_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let (end, link) = (folder.path().join("end"), folder.path().join("link"));
        fs::write(&end, "old").unwrap();
        symlink(&end, &link).unwrap();
        WholeFile::tried(&link).unwrap().write("new").unwrap();
        assert_eq!((fs::read_to_string(&end).unwrap(), link.is_symlink()), ("new".into(), true));
        assert_eq!(WholeFile::tried(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(
            WholeFile::tried(&folder.path().join("no/a")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
