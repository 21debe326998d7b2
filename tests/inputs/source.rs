//! Random texts and bytes, of the kind that parsers stumble over, and how many of them.

use fastrand::Rng;
use harness::repeat::{Repeat, number, test_name};

/// Without `TEST_INPUTS`.
const USUAL: u64 = 4_000;

/// Runs `check` on as many inputs as are asked for. Each has a seed of its own.
pub fn inputs(what: &str, mut check: impl FnMut(&mut Rng)) {
    let count = number("TEST_INPUTS").unwrap_or(USUAL);
    let repeat = Repeat::seeded();
    eprintln!("{what}: {count} inputs, TEST_SEED={}", repeat.seed());
    for input in 0..count {
        let seed = repeat.seed().wrapping_add(input);
        repeat.check_seed(seed, || check(&mut Rng::with_seed(seed)));
    }
}

#[test]
fn a_failure_is_repeated_by_one_command() {
    let repeat = Repeat::seeded();
    let test = "cargo test --test inputs -- --exact source::a_failure_is_repeated_by_one_command";
    let seed = repeat.seed();
    let command = repeat.command(Some(seed), Some("qos1-Up-7"));
    // With one test at a time the threads do not know the tests' names.
    let test = match test_name() {
        Some(_) => test,
        None => "cargo test --test inputs",
    };
    let whole = format!("TEST_SEED={seed} TEST_CASE=qos1-Up-7 {test}");
    assert_eq!(command, whole);
}

/// One of them.
pub fn choice<T: Copy>(random: &mut Rng, from: &[T]) -> T {
    from[random.usize(..from.len())]
}

fn character(random: &mut Rng) -> char {
    match random.u8(..12) {
        0..=3 => random.alphanumeric(),
        4 => choice(
            random,
            &['+', '#', '/', '$', '=', '-', '.', ' ', '\n', '\r', '\t'],
        ),
        5 => char::from(random.u8(..32)),
        6 => random.char('\u{7f}'..='\u{a0}'),
        7 => choice(
            random,
            &['\u{85}', '\u{2028}', '\u{3000}', '\u{feff}', '\u{202e}'],
        ),
        8 => choice(
            random,
            &[
                '\u{ffff}',
                '\u{fdd0}',
                '\u{1fffe}',
                '\u{10ffff}',
                '\u{fffd}',
            ],
        ),
        9 => choice(random, &['ß', 'ΐ', 'İ', 'Σ', 'ŉ', 'ﬃ', 'Ǆ', 'é']),
        10 => choice(
            random,
            &[
                '\u{301}',
                '\u{200d}',
                '👩',
                '🇩',
                '\u{1f3fd}',
                'क',
                '\u{94d}',
            ],
        ),
        _ => random.char(..),
    }
}

/// A text, made of `words` and of single characters; seldom a long one.
pub fn text(random: &mut Rng, words: &[&str]) -> String {
    let mut text = String::new();
    for _ in 0..random.u8(..8) {
        match random.u8(..3) {
            0 => text.push_str(choice(random, words)),
            _ => text.push(character(random)),
        }
    }
    if random.u16(..500) == 0 {
        text = text.repeat(random.usize(..30_000));
    }
    text
}

/// Bytes: a text, and seldom not even that.
pub fn bytes(random: &mut Rng, words: &[&str]) -> Vec<u8> {
    let mut bytes = text(random, words).into_bytes();
    while random.u8(..4) == 0 {
        mutate(random, &mut bytes);
    }
    bytes
}

/// Changes, adds or takes away a byte, or cuts the end off.
pub fn mutate(random: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return bytes.push(random.u8(..));
    }
    let at = random.usize(..bytes.len());
    match random.u8(..4) {
        0 => bytes[at] = random.u8(..),
        1 => bytes.insert(at, random.u8(..)),
        2 => drop(bytes.remove(at)),
        _ => bytes.truncate(at),
    }
}
