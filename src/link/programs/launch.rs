//! Between this program and a program that it runs: the same executable once more, which gives the signals back their
//! usual effect, and then becomes the other one.
//!
//! This program blocks SIGTERM, SIGINT and SIGHUP in all its threads, and a new process inherits that (signal(7)). A
//! program that is born so could not be ended by SIGTERM, and neither could what it starts: `timeout 5 sensor` would hang
//! with a sensor that hangs. To change that between fork and exec takes `unsafe`; here it does not.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::SigSet;

/// What marks such a start. It is no option's variable, and the program does not get it.
pub const MARK: &str = "MQTT_CLIENT_LAUNCH";

/// The exit codes of a program that could not be begun, as a shell has them.
const CANNOT: u8 = 126;

/// The way to this executable, even when another one has taken its place on the disk meanwhile.
const ITSELF: &str = "/proc/self/exe";

/// A command that becomes `program`.
#[must_use]
pub fn command(program: &Path) -> Command {
    let itself = match Path::new(ITSELF).exists() {
        true => ITSELF.into(),
        false => std::env::current_exe().unwrap_or_default(),
    };
    let mut command = Command::new(itself);
    command.env(MARK, "1").arg(program);
    command
}

/// Whether this process is to become another program.
#[must_use]
pub fn marks_a_launch() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Becomes the program of the first of `args`, with the others as its arguments. Where that cannot be it says so on
/// standard error, and returns the exit code.
pub fn launch(args: impl IntoIterator<Item = OsString>) -> u8 {
    let mut args = args.into_iter();
    let program = args.next().unwrap_or_default();
    // It ends when what has started it ends, even by SIGKILL (PR_SET_PDEATHSIG, prctl(2)).
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let error = match SigSet::empty().thread_set_mask() {
        Ok(()) => Command::new(&program).args(args).env_remove(MARK).exec(),
        Err(error) => error.into(),
    };
    let hint = match error.raw_os_error() == Some(nix::libc::ENOEXEC) {
        true => " (does its first line begin with #! ?)",
        false => "",
    };
    eprintln!("cannot be run: {error}{hint}");
    CANNOT
}
