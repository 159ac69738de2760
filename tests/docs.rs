//! Documents that list what the code has: nothing is left out, and nothing is told that is not there.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of the variants of `What`, as JSON has them.
fn events() -> BTreeSet<String> {
    let source = include_str!("../src/event/mod.rs");
    let body = source.split_once("pub enum What {").unwrap().1.split_once("\n}").unwrap().0;
    let variants = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    variants
        .map(|line| snake(&line.chars().take_while(char::is_ascii_alphanumeric).collect::<String>()))
        .collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for (place, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[test]
fn every_event_is_told() {
    let rows = include_str!("../docs/EVENTS.md").lines().filter_map(|line| line.strip_prefix("| `"));
    let told: BTreeSet<String> = rows.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect();
    let told: BTreeSet<String> = told.into_iter().filter(|name| name != "event").collect();
    assert_eq!(told, events());
}

/// The pages that people read, by their path from the root.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.to_owned(), root.join("docs"), root.join("profiles")];
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Where a page's headings can be jumped to: lower case, without punctuation, words joined by dashes.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-"))
        .collect()
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut seen = 0;
    for page in pages() {
        for target in link.captures_iter(&fs::read_to_string(&page).unwrap()).map(|found| found[1].to_owned())
        {
            if target.starts_with("http") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(file.exists(), "{}: {target}: there is no such file", page.display());
            let leads = anchor.is_empty() || anchors(&file).contains(anchor);
            assert!(leads, "{}: {target}: there is no such heading", page.display());
            seen += 1;
        }
    }
    assert!(seen > 100, "only {seen} links were looked at");
}

/// All files below a folder, as `/` and the path from the root.
fn files(folder: &Path, root: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of = |path: PathBuf| match path.is_dir() {
        true => files(&path, root),
        false => vec![format!("/{}", path.strip_prefix(root).unwrap().display())],
    };
    entries.flat_map(of).collect()
}

/// A page may name a file by the end of its path: `net/clock.rs`.
#[test]
fn every_source_that_a_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "tests", "benches", "build", "docs", "profiles"].map(|folder| root.join(folder));
    let there: Vec<String> = folders.iter().flat_map(|folder| files(folder, root)).collect();
    let named = regex::Regex::new(r"`([a-z_/]+\.rs|[a-z_/]+/[a-z_]+\.(?:py|md))`").unwrap();
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for name in named.captures_iter(&text).map(|found| format!("/{}", &found[1])) {
            let is_there = there.iter().any(|path| path.ends_with(&name));
            assert!(is_there, "{} names {name}, which is not there", page.display());
            seen += 1;
        }
    }
    assert!(seen > 50, "only {seen} names were looked at");
}

#[test]
fn readme_says_what_each_measure_means() {
    let readme = include_str!("../README.md");
    let figures =
        readme.split_once("\n## What each figure means\n").unwrap().1.split_once("\n## ").unwrap().0;
    let rows = figures.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
    let told: BTreeSet<String> = rows
        .flat_map(|(names, _)| names.split(", ").filter_map(|name| name.strip_prefix('`')?.strip_suffix('`')))
        .map(str::to_owned)
        .collect();
    let measures = include_str!("../profiles/REFERENCE.md").split_once("\n## Measures\n").unwrap().1;
    let measures =
        measures.split_once("\n| `of` |").unwrap().0.lines().filter_map(|line| line.strip_prefix("| `"));
    let measures = measures.filter_map(|row| Some(row.split_once('`')?.0.to_owned())).collect();
    assert_eq!(told, measures);
}
