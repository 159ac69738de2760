//! Memory that the process can do without.

use std::fs;

/// Gives back the pages of the executable's own code that have been run so far: most of what runs at a start (options, files,
/// certificates) never runs again. What is run later comes back from the page cache, some pages at a time. Where the kernel does
/// not say what is mapped, or does not do it, all stays as it is.
pub fn forget_code() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let Some(own) =
        fs::read_link("/proc/self/exe").ok().and_then(|path| path.into_os_string().into_string().ok())
    else {
        return;
    };
    for (from, to) in maps.lines().filter_map(|line| code_of(line, &own)) {
        // SAFETY: the mapping is of a file, private, and cannot be written to, so that its pages hold what the file holds:
        // what is dropped is read from there again when it is used next (madvise(2)).
        unsafe { libc::madvise(std::ptr::without_provenance_mut(from), to - from, libc::MADV_DONTNEED) };
    }
}

/// From where to where a line of maps (proc(5)) tells of code of this file: executable, private, and never writable. (What
/// is only readable may have been relocated before it became so, and would be lost.)
fn code_of(line: &str, file: &str) -> Option<(usize, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let path = rest.splitn(5, ' ').nth(4)?.trim_start();
    if !rest.starts_with("r-xp ") || path != file {
        return None;
    }
    let (from, to) = range.split_once('-')?;
    let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
    (from < to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_executable_is_taken() {
        let line = |flags: &str, path: &str| {
            format!("55d9a08b9000-55d9a128e000 {flags} 002f1000 fe:00 10010944                   {path}")
        };
        let taken = Some((0x55d9_a08b_9000, 0x55d9_a128_e000));
        assert_eq!(code_of(&line("r-xp", "/usr/bin/a b"), "/usr/bin/a b"), taken);
        assert_eq!(code_of(&line("r--p", "/usr/bin/brownout"), "/usr/bin/brownout"), None);
        assert_eq!(code_of(&line("rwxp", "/usr/bin/brownout"), "/usr/bin/brownout"), None);
        assert_eq!(code_of(&line("r-xp", "/usr/bin/brownout (deleted)"), "/usr/bin/brownout"), None);
        assert_eq!(code_of("7ffc-7ffd r-xp 00000000 00:00 0 [vdso]", "/usr/bin/brownout"), None);
        assert_eq!(code_of("", ""), None);
    }

    #[test]
    fn what_was_forgotten_runs_again() {
        forget_code();
        assert_eq!(code_of("1-2 r-xp 0 0 0 x", "x"), Some((1, 2)));
    }
}
