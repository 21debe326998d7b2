//! The folder of programs that answer commands or actions, and what is said of it at the start.

use log::{info, warn};
use nix::sys::signal::Signal;

use crate::link::{ProgramOptions, Programs};
use crate::mqtt::printable;
use crate::role::{Failure, Kind};

use crate::signals;

/// Opens it. Says which programs there are, and which of the `usual` answers they replace.
///
/// # Errors
/// When it cannot be used, or others could change it.
pub fn open(options: Option<ProgramOptions>, usual: &[&str]) -> Result<Option<Programs>, Failure> {
    let Some(options) = options else {
        return Ok(None);
    };
    if signals::is_ignored(Signal::SIGCHLD) {
        let text = "SIGCHLD is ignored, so the kernel tells no program's exit code: start mqtt_client without `trap '' CHLD`";
        return Err(Failure::new(Kind::Config, text));
    }
    let folder = options.folder.display().to_string();
    let programs = Programs::open(options)?;
    let names = programs.names();
    if names.is_empty() {
        warn!("there is no program in {folder} yet: an executable file there answers to its name");
    }
    for name in &names {
        let shown = printable(name.as_bytes());
        match usual.contains(&name.as_str()) {
            true => warn!("{folder}/{shown} answers {shown}, instead of the usual reply"),
            false => info!("{folder}/{shown} answers {shown}"),
        }
    }
    Ok(Some(programs))
}
