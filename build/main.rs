//! Has the linker put the functions that a run executes side by side (`order.ld`).
//!
//! The kernel maps an executable in stretches, so functions that lie scattered over all of it take several times the memory
//! that they need (docs/PERFORMANCE.md). It changes nothing else, so where the linker does not take the list, it is left out.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ORDER: &str = "build/order.ld";

fn main() {
    println!("cargo::rerun-if-changed=build");
    let order = path("CARGO_MANIFEST_DIR").join(ORDER);
    let argument = format!("-Wl,-T,{}", order.display());
    // A debug build is linked often, and its memory is nobody's matter.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && links_with(&argument) {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// Whether an empty program comes out right with it.
fn links_with(argument: &str) -> bool {
    let program = path("OUT_DIR").join("ordered");
    let Ok(target) = env::var("TARGET") else { return false };
    let is_native = env::var("HOST").is_ok_and(|host| host == target);
    compiled(&program, &target, argument)
        && (!is_native || Command::new(&program).status().is_ok_and(|status| status.success()))
}

/// As cargo compiles this crate: with the same linker and flags.
fn compiled(program: &Path, target: &str, argument: &str) -> bool {
    let mut rustc = Command::new(path("RUSTC"));
    rustc.args(["--crate-name", "ordered", "--target", target, "-C"]).arg(format!("link-arg={argument}"));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={}", Path::new(&linker).display()));
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    rustc.arg("-o").arg(program).arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = rustc.spawn() else { return false };
    let written = child.stdin.take().is_some_and(|mut source| source.write_all(b"fn main() {}\n").is_ok());
    child.wait().is_ok_and(|status| status.success() && written)
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env::var_os(name).unwrap_or_default())
}
