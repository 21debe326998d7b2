//! The texts of the sources, and what is made of them.

use std::fs;

use super::{read, root};

/// The Rust files below a folder, or that file.
pub fn texts(path: &str) -> Vec<(String, String)> {
    let full = root().join(path);
    let Ok(entries) = fs::read_dir(&full) else {
        let path = match full.exists() {
            true => path.to_owned(),
            false => format!("{path}.rs"),
        };
        return match path.ends_with(".rs") {
            true => vec![(path.clone(), read(&path))],
            false => Vec::new(),
        };
    };
    let below = entries
        .flatten()
        .flat_map(|entry| texts(&format!("{path}/{}", entry.file_name().to_string_lossy())));
    below.collect()
}

/// Whether a line of the program can read like this: pieces of two words or more that stand in the sources, put together.
pub fn is_made_of(part: &str, texts: &[(String, String)]) -> bool {
    let is_there = |piece: &str| texts.iter().any(|(_, text)| text.contains(piece));
    let words: Vec<&str> = part.split(' ').collect();
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let longest = (1..=rest.len())
            .rev()
            .find(|count| is_there(&rest[..*count].join(" ")));
        match longest {
            Some(count) if count > 1 || words.len() == 1 => rest = &rest[count..],
            _ => return false,
        }
    }
    true
}
