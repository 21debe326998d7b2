//! The environment's variables that are meant for this program and that it does not know.

use std::ffi::OsString;
use std::fmt;

use super::nearest::nearest;
use super::table::{OPTIONS, variable};

const PREFIX: &str = "MQTT_CLIENT_";

/// The shipped unit passes it on as an argument.
const USER_ID: &str = "MQTT_CLIENT_USER_ID";

/// A variable that has this program's prefix and stands in for no option: it does nothing, and was perhaps to do
/// something. It displays as a line that says so, with the variable that was meant.
#[derive(Debug)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    meant: Option<String>,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        write!(
            f,
            "the variable {name} stands in for no option, and does nothing: "
        )?;
        match &self.meant {
            Some(meant) => write!(f, "did you mean {meant}?"),
            None => f.write_str("see --help for the options"),
        }
    }
}

/// Those among `names`, in the order of the alphabet.
pub fn unknown_variables(names: Vec<OsString>) -> Vec<UnknownVariable> {
    let of_options = OPTIONS.iter().filter(|option| option.has_variable);
    let mut known: Vec<String> = of_options.map(|option| variable(option.long)).collect();
    known.push(USER_ID.to_owned());
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    let names = names.filter(|name| name.starts_with(PREFIX) && !known.contains(name));
    // Sorted as they come: a sort for strings would be 3 kB of the binary.
    let mut unknown: Vec<String> = Vec::new();
    for name in names {
        let at = unknown.partition_point(|before| *before < name);
        unknown.insert(at, name);
    }
    let rests = || known.iter().filter_map(|name| name.strip_prefix(PREFIX));
    let with_meant = |name: String| {
        let meant = nearest(&name[PREFIX.len()..], rests());
        let meant = meant.map(|rest| format!("{PREFIX}{rest}"));
        UnknownVariable { name, meant }
    };
    unknown.into_iter().map(with_meant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_does_nothing_is_named_with_the_one_that_was_meant() {
        let known = OPTIONS.iter().filter(|option| option.has_variable);
        let known = known.map(|option| variable(option.long));
        let mut names: Vec<OsString> = known.map(OsString::from).collect();
        let others = [USER_ID, "MQTT_CLIENT", "PATH", "mqtt_client_host", ""];
        names.extend(others.map(OsString::from));
        assert!(unknown_variables(names.clone()).is_empty());
        let slips = ["HSOT", "PASSWORDFILE", "LINES", "X"];
        names.extend(slips.map(|slip| OsString::from(format!("{PREFIX}{slip}"))));
        let ends = [
            "MQTT_CLIENT_HOST?",
            "the options",
            "MQTT_CLIENT_PASSWORD_FILE?",
            "the options",
        ];
        let found = unknown_variables(names);
        assert_eq!(found.len(), ends.len(), "{found:?}");
        for (variable, end) in found.iter().zip(ends) {
            let line = variable.to_string();
            assert!(line.contains(&variable.name), "{line}");
            assert!(line.ends_with(end), "{line}");
        }
    }
}
