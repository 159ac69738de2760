//! A process that is measured: started on its cores, stopped whatever happens.

use crate::sys;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A child, killed and waited for when it is dropped; the kernel kills it if we are killed.
pub struct Process {
    child: Child,
    stderr: PathBuf,
}

impl Process {
    /// Reads its program from the disk, as a program that was installed is; a template's is the shell's to find, and stays as it is.
    pub fn start(mut command: Command, cores: &[usize], stderr: &Path) -> Process {
        let program = Path::new(command.get_program());
        if program.is_absolute() {
            sys::forget(program).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(stderr).unwrap());
        sys::pin(&mut command, cores);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Process { child, stderr: stderr.to_owned() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn cpu(&self) -> Duration {
        sys::cpu_time(self.id())
    }

    /// For how long its threads could have run and did not, since the core was another's (proc(5), schedstat).
    pub fn waited(&self) -> Duration {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let waited = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
            text.split_whitespace().nth(1)?.parse::<u64>().ok()
        });
        Duration::from_nanos(waited.sum())
    }

    /// Its share of memory in bytes (Pss of proc(5), smaps_rollup): pages of files count once for all who map them.
    pub fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id())).unwrap();
        let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
