//! The users of the system (passwd(5), group(5), and whatever else nsswitch.conf(5) names).

use std::ffi::{CStr, CString};
use std::io;
use std::path::PathBuf;

/// Room for one user's strings; that of the largest directories is a fraction of it.
const STRINGS: usize = 64 << 10;

/// How many groups a user may be in (NGROUPS_MAX, limits.h).
const MOST_GROUPS: usize = 65_536;

/// A user with the groups it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, where it has one.
    pub name: String,
    /// The user's number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
    /// The numbers of all its groups.
    pub groups: Vec<u32>,
    /// Its home.
    pub home: PathBuf,
}

/// Looks a user up by its name; `None` if there is none of that name.
///
/// # Errors
/// The system's, such as a directory service that does not answer.
pub fn find(name: &str) -> io::Result<Option<User>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    let mut strings = vec![0; STRINGS];
    // SAFETY: plain numbers and pointers; all zero is a value of it.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: the name ends in a zero byte; the entry and the buffer are ours, of the length given, and outlive `found`.
    let error = unsafe {
        libc::getpwnam_r(name.as_ptr(), &raw mut entry, strings.as_mut_ptr(), strings.len(), &raw mut found)
    };
    match error {
        0 if found.is_null() => Ok(None),
        0 => read(&name, &entry).map(Some),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Of an entry whose strings still live.
fn read(name: &CStr, entry: &libc::passwd) -> io::Result<User> {
    let home = if entry.pw_dir.is_null() {
        PathBuf::from("/")
    } else {
        // SAFETY: the system has put a string that ends in a zero byte there, in a buffer that the caller keeps.
        PathBuf::from(unsafe { CStr::from_ptr(entry.pw_dir) }.to_string_lossy().into_owned())
    };
    Ok(User {
        name: name.to_string_lossy().into_owned(),
        uid: entry.pw_uid,
        gid: entry.pw_gid,
        groups: groups(name, entry.pw_gid)?,
        home,
    })
}

fn groups(name: &CStr, gid: u32) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; MOST_GROUPS];
    let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the name ends in a zero byte; the system writes at most `count` numbers, for which there is room.
    let result = unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &raw mut count) };
    let count = usize::try_from(count).ok().filter(|count| result >= 0 && *count <= groups.len());
    groups.truncate(count.ok_or_else(|| io::Error::other("the user is in too many groups"))?);
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_else_of_such_a_name() {
        let root = find("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert!(root.home.is_absolute());
        assert_eq!(find("no-such-user-here").unwrap(), None);
        assert_eq!(find("with\0zero").unwrap(), None);
    }
}
