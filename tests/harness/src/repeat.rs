//! What a failed test takes to fail again: `TEST_SEED`, `TEST_CASE`, and the command with both.
//!
//! A test that draws lots takes its seed from `TEST_SEED`, and a new one where that is not set. A test that
//! goes through many cases goes through the one that `TEST_CASE` names, and through all where that is not
//! set. Either says the whole command when it fails.

use std::cell::RefCell;
use std::fmt::{Display, Write};
use std::sync::Mutex;

/// A test with a seed, or cases, or both. Prints the command that repeats it when it fails.
pub struct Repeat {
    suite: String,
    test: Option<String>,
    seed: Option<u64>,
    only: Option<String>,
    /// The case that is under way, where there is one at a time.
    current: RefCell<Option<String>>,
}

impl Repeat {
    /// A test that draws lots.
    pub fn seeded() -> Self {
        let seed = number("TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
        Self::new(Some(seed))
    }

    /// A test that has cases and draws no lots.
    pub fn cases() -> Self {
        Self::new(None)
    }

    fn new(seed: Option<u64>) -> Self {
        Self {
            suite: suite_name(),
            test: test_name(),
            seed,
            only: std::env::var("TEST_CASE").ok(),
            current: RefCell::default(),
        }
    }

    /// The seed.
    ///
    /// # Panics
    /// In a test that draws no lots.
    pub fn seed(&self) -> u64 {
        self.seed.expect("a test that draws no lots has no seed")
    }

    /// Whether one case alone is wanted.
    pub fn is_of_one_case(&self) -> bool {
        self.only.is_some()
    }

    /// The cases that are wanted: all, or the one that `TEST_CASE` names.
    ///
    /// # Panics
    /// Where no case has that name.
    pub fn wanted<T>(
        &self,
        cases: impl IntoIterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> Vec<T> {
        let wanted = |case: &T| self.only.as_ref().is_none_or(|only| *only == name(case));
        let cases: Vec<T> = cases.into_iter().filter(wanted).collect();
        assert!(!cases.is_empty(), "no case: {:?}", self.only);
        cases
    }

    /// Takes down which case begins.
    pub fn begin(&self, case: impl Display) {
        *self.current.borrow_mut() = Some(case.to_string());
    }

    /// The command that repeats this test, or one case of it.
    pub fn command(&self, case: Option<&str>) -> String {
        let mut command = String::new();
        if let Some(seed) = self.seed {
            let _ = write!(command, "TEST_SEED={seed} ");
        }
        if let Some(case) = case.or(self.only.as_deref()) {
            let _ = write!(command, "TEST_CASE={case} ");
        }
        let _ = write!(command, "cargo test --test {}", self.suite);
        if let Some(test) = &self.test {
            let _ = write!(command, " -- --exact {test}");
        }
        command
    }
}

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let command = self.command(self.current.borrow().as_deref());
            eprintln!("repeat it with: {command}");
        }
    }
}

/// An environment variable that is a number.
///
/// # Panics
/// Where it is something else.
pub fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    let number = value.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// The name of the test that this thread runs, less its suite. With one test at a time libtest runs them
/// all on the thread `main`, and there is none.
pub fn test_name() -> Option<String> {
    let thread = std::thread::current();
    thread
        .name()
        .filter(|name| *name != "main")
        .map(str::to_owned)
}

/// The name of the running test target: that of its file, less the hash that cargo adds.
fn suite_name() -> String {
    let file = std::env::current_exe().unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    name.rsplit_once('-')
        .map_or(name.clone(), |(name, _)| name.to_owned())
}

/// Gives all of `cases` to so many workers, each on a thread of its own, which take one after the other.
pub fn share<T: Send>(
    workers: usize,
    cases: impl IntoIterator<Item = T, IntoIter: Send>,
    work: impl Fn(usize, &mut dyn Iterator<Item = T>) + Sync,
) {
    let cases = Mutex::new(cases.into_iter());
    let next = || cases.lock().unwrap().next();
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (work, next) = (&work, &next);
            scope.spawn(move || work(worker, &mut std::iter::from_fn(next)));
        }
    });
}
