//! The real engine, with rumqttc's packets and the real roles of both ends, in simulated time: a broker, a
//! network that cuts, a clock that jumps. Thousands of whole sessions a second.
//!
//! `TEST_SEED=<seed>` runs one history of a random test alone, `TEST_CASE=<case>` one of an enumerated test; each
//! failure ends with the command that does so. `TEST_HISTORIES=<count>` says how many a random test tries.

mod broker;
mod client;
#[cfg(test)]
mod crashes;
pub mod disk;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod oddities;
pub mod party;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod presence;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod restores;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod sessions;
mod shelf;
#[cfg(test)]
mod stops;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// How many histories a random test of this crate tries unless told otherwise: enough for a second or two in a debug build.
#[cfg(test)]
const HISTORIES: u64 = 1_000;

/// Runs `history` for many seeds, on every core.
#[cfg(test)]
fn each_seed(test: &str, history: impl Fn(u64) + Sync) {
    each_seed_of(HISTORIES, test, history);
}

/// The same for this number of them, unless told otherwise.
pub fn each_seed_of(count: u64, test: &str, history: impl Fn(u64) + Sync) {
    if let Some(seed) = variable("TEST_SEED") {
        let _ = env_logger::Builder::from_default_env()
            .is_test(true)
            .try_init();
        return history(seed);
    }
    let first = fastrand::u64(..u64::MAX / 2);
    let count = variable("TEST_HISTORIES").unwrap_or(count);
    let next = AtomicU64::new(first);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let number = seed - first + 1;
                    run_one(test, number, "SEED", &seed.to_string(), || history(seed));
                }
            });
        }
    });
}

/// Runs `history` for each of these cases, which have names.
#[cfg(test)]
fn each_case<T: std::fmt::Debug>(
    test: &str,
    cases: impl IntoIterator<Item = T>,
    history: impl Fn(T),
) {
    let only = std::env::var("TEST_CASE").ok();
    let mut ran = 0;
    for case in cases {
        let name: String = format!("{case:?}").split_whitespace().collect();
        if only.as_ref().is_none_or(|only| *only == name) {
            if only.is_some() {
                let _ = env_logger::Builder::from_default_env()
                    .is_test(true)
                    .try_init();
            }
            ran += 1;
            run_one(test, ran, "CASE", &name, || history(case));
        }
    }
    assert!(ran > 0, "there is no such case");
}

fn run_one(test: &str, number: u64, kind: &str, which: &str, history: impl FnOnce()) {
    let result = catch_unwind(AssertUnwindSafe(history));
    if result.is_err() {
        panic!(
            "history {number} of this test failed; to repeat it: RUST_LOG=trace TEST_{kind}='{which}' cargo test {test} -- --nocapture"
        );
    }
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(
        value
            .parse()
            .unwrap_or_else(|_| panic!("{name}={value} is no number")),
    )
}
