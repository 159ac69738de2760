//! Documents that list what the code has: nothing is left out, and nothing is told that is not there.

#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;

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
