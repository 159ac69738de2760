//! The floors hold: a module imports only from modules before it, the pure ones know no sockets, clocks or files, and
//! `unsafe` stands in one place.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// All modules from the ground up: each may use those before it, and itself.
const ORDER: [&str; 18] = [
    "base",
    "azure",
    "mqtt",
    "tls",
    "ws",
    "fault",
    "event",
    "profile",
    "session",
    "measure",
    "engine",
    "report",
    "net",
    "hub",
    "device",
    "sim",
    "keepalive",
    "cli",
];

/// Modules up to this one are pure.
const LAST_PURE: &str = "report";

/// Pure ones above it.
const ALSO_PURE: [&str; 2] = ["sim", "keepalive"];

/// What pure code does not know.
const IMPURE: [&str; 9] = [
    "tokio",
    "socket2",
    "libc",
    "std::fs",
    "std::io",
    "std::net::Tcp",
    "Instant::now",
    "SystemTime",
    "std::thread",
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Each source file with the module it belongs to and its text, comments left out.
fn sources() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let all = rust_files(&root);
    all.into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
            (inside.to_owned(), module, code.join("\n"))
        })
        .filter(|(_, module, _)| module != "lib" && module != "main")
        .collect()
}

fn floor(module: &str) -> usize {
    ORDER.iter().position(|known| *known == module).unwrap_or_else(|| panic!("module {module} has no floor"))
}

/// The modules of the crate that a text names, by `crate::name` or in `use crate::{...}`.
fn named(code: &str) -> Vec<String> {
    let word =
        |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => names.push(word(rest)),
            Some(list) => {
                let list = &list[..list.find("};").unwrap_or(list.len())];
                names.extend(list.split(',').map(|part| word(part.trim())).filter(|name| !name.is_empty()));
            }
        }
    }
    names.into_iter().filter(|name| ORDER.contains(&name.as_str())).collect()
}

#[test]
fn a_module_imports_only_from_below() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        for name in named(&code) {
            if floor(&name) > floor(&module) {
                wrong.push(format!("{}: {module} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_floors_know_no_world() {
    let mut wrong = Vec::new();
    for (path, module, code) in sources() {
        let is_test =
            path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
        let is_pure = floor(&module) <= floor(LAST_PURE) || ALSO_PURE.contains(&module.as_str());
        if !is_pure || is_test {
            continue;
        }
        for word in IMPURE {
            if code.contains(word) {
                wrong.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_stands_in_net_sys_alone_and_says_why() {
    for (path, _, code) in sources() {
        let found =
            code.lines().filter(|line| line.contains("unsafe {") || line.contains("unsafe fn")).count();
        if path.starts_with("net/sys") {
            let text =
                fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&path)).unwrap();
            let reasons = text.matches("SAFETY:").count();
            assert!(reasons >= found, "{}: {found} unsafe, {reasons} reasons", path.display());
        } else {
            assert_eq!(found, 0, "{} is unsafe", path.display());
        }
    }
}

#[test]
fn the_checks_themselves_see_what_they_look_for() {
    assert_eq!(named("use crate::{base, net::sys};\nuse crate::cli::x;"), ["base", "net", "cli"]);
    assert!(floor("cli") > floor("base"));
}
