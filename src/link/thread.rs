//! Threads, all of one type: std's code for a thread would be there once for each type of work (3 kB).

/// Runs `work` on a thread of this name, by which the log knows it.
///
/// # Errors
/// When the system has no thread for it.
pub fn spawn(name: &str, work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    let named = std::thread::Builder::new().name(name.to_owned());
    named.spawn(work).map(|_| ())
}

/// The same on a thread of the same name as this one: the log names the run by it.
///
/// # Errors
/// When the system has no thread for it.
pub fn spawn_alike(work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    let this = std::thread::current();
    spawn(this.name().unwrap_or_default(), work)
}
