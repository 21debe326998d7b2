//! What a failed test needs to fail again: `TEST_SEED`, `TEST_CASE`, and the command with both.
//!
//! A test that draws lots takes its seed from `TEST_SEED`, and a new one where that is not set. A test that
//! goes through many cases goes through the one that `TEST_CASE` names, and through all where that is not
//! set. When such a test fails, the command that repeats the failure is the last thing that it says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// How many failed cases are told at the end; a broken program may fail them all.
const TOLD: usize = 10;

/// A test with a seed, or cases, or both, and those of them that have failed.
pub struct Repeat {
    suite: String,
    test: Option<String>,
    seed: Option<u64>,
    only: Option<String>,
    /// The commands that repeat what has failed.
    failed: Mutex<Vec<String>>,
}

impl Repeat {
    /// A test that draws lots.
    pub fn seeded() -> Self {
        let seed = number("TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
        Self::new(Some(seed))
    }

    /// A test that has cases and draws no lots.
    pub fn unseeded() -> Self {
        Self::new(None)
    }

    fn new(seed: Option<u64>) -> Self {
        Self {
            suite: suite_name(),
            test: test_name(),
            seed,
            only: std::env::var("TEST_CASE").ok(),
            failed: Mutex::default(),
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
    pub fn wanted<T>(&self, cases: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
        let Some(only) = &self.only else {
            return cases;
        };
        let wanted = cases.into_iter().filter(|case| name(case) == *only);
        let wanted: Vec<T> = wanted.collect();
        assert!(!wanted.is_empty(), "no case is called {only}");
        wanted
    }

    /// Takes down that this case has failed.
    pub fn case_failed(&self, name: &str) {
        self.take_down(self.command(self.seed, Some(name)));
    }

    fn take_down(&self, command: String) {
        self.failed.lock().unwrap().push(command);
    }

    /// Checks every wanted case, each under its number in `cases`, so many at a time.
    ///
    /// # Panics
    /// At the end, where a check has panicked.
    pub fn check_all<T: Send>(&self, at_a_time: usize, cases: Vec<T>, check: impl Fn(T) + Sync) {
        let cases = (1..).zip(cases).collect::<Vec<(u32, T)>>();
        let cases = self.wanted(cases, |(number, _)| number.to_string());
        share(at_a_time, cases, |_, cases| {
            for (number, case) in cases {
                if catch_unwind(AssertUnwindSafe(|| check(case))).is_err() {
                    self.case_failed(&number.to_string());
                }
            }
        });
        let failed = self.failed.lock().unwrap().len();
        assert!(failed == 0, "{failed} of the cases failed");
    }

    /// Checks what a seed near the test's own comes to: the repetition begins with that one.
    ///
    /// # Panics
    /// Where the check panics.
    pub fn check_seed(&self, seed: u64, check: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
            self.take_down(self.command(Some(seed), None));
            std::panic::resume_unwind(panic);
        }
    }

    /// The command that repeats this test, with this seed and this case.
    pub fn command(&self, seed: Option<u64>, case: Option<&str>) -> String {
        let seed = seed.map(|seed| format!("TEST_SEED={seed} "));
        let case = case.or(self.only.as_deref());
        let case = case.map(|case| format!("TEST_CASE={case} "));
        let test = self.test.as_ref();
        let test = test.map(|test| format!(" -- --exact {test}"));
        format!(
            "{}{}cargo test --test {}{}",
            seed.unwrap_or_default(),
            case.unwrap_or_default(),
            self.suite,
            test.unwrap_or_default()
        )
    }
}

impl Drop for Repeat {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let mut failed = self
            .failed
            .lock()
            .map_or_else(|_| vec![], |list| list.clone());
        if failed.is_empty() {
            failed.push(self.command(self.seed, None));
        }
        for command in failed.iter().take(TOLD) {
            eprintln!("to repeat it: {command}");
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
    let name = thread.name().filter(|name| *name != "main");
    name.map(str::to_owned)
}

/// The name of the running suite: that of its file, less the hash that cargo adds.
fn suite_name() -> String {
    let file = std::env::current_exe().unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let suite = name.rsplit_once('-').map(|(suite, _)| suite.to_owned());
    suite.unwrap_or(name)
}

/// Gives all of `cases` to so many workers, each on a thread of its own, which take one after the other.
pub fn share<T: Send>(
    workers: usize,
    cases: Vec<T>,
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
