//! The machine's name, where a device or a member of a group goes by it.

use crate::cli::MACHINE;
use crate::mqtt::Level;
use crate::role::{Failure, Kind};

/// The names of a machine that has been given none: Linux's own, and what installers leave there.
const NOBODYS: [&str; 4] = ["", "(none)", "localhost", "localhost.localdomain"];

/// What the kernel calls this machine; empty where it does not tell. Not from /proc, which has no more than processes
/// in a service that is locked in (ProcSubset=pid).
#[must_use]
pub fn name() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    name.to_string_lossy().trim().to_owned()
}

/// A USER_ID as it was typed, and the machine's name where that is [`MACHINE`].
///
/// # Errors
/// The machine has no name, or one that cannot be a topic level.
pub fn user_id(typed: Level) -> Result<Level, Failure> {
    match typed.as_str() {
        MACHINE => level(&name()),
        _ => Ok(typed),
    }
}

fn level(name: &str) -> Result<Level, Failure> {
    let refused = |why: String| {
        let text = format!(
            "USER_ID {MACHINE}: the machine's name `{name}` {why}; `hostnamectl set-hostname NAME` gives it another"
        );
        Failure::new(Kind::Config, text)
    };
    if NOBODYS.contains(&name) {
        return Err(refused("tells it from no other".to_owned()));
    }
    Level::new(name).map_err(|why| refused(format!("cannot be a topic level: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_names_its_device_where_it_has_a_name() {
        for (name, refusal) in [
            ("greenhouse", None),
            ("pi.example.org", None),
            ("raspberrypi", None),
            ("", Some("tells it from no other")),
            ("(none)", Some("tells it from no other")),
            ("localhost", Some("`localhost` tells it from no other")),
            ("a/b", Some("cannot be a topic level: it has a `/`")),
            ("a\nb", Some("cannot be a topic level")),
        ] {
            match (level(name), refusal) {
                (Ok(level), None) => assert_eq!(level.as_str(), name),
                (Err(failure), Some(why)) => {
                    assert_eq!(failure.kind, Kind::Config);
                    assert!(failure.text.contains(why), "{failure}");
                    assert!(failure.text.contains("hostnamectl"), "{failure}");
                }
                (other, _) => panic!("{name}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_user_id_that_was_typed_is_left_alone() {
        let typed = Level::known("alice");
        assert_eq!(user_id(typed.clone()), Ok(typed));
    }
}
