//! The environment's variables that are meant for this program and that it does not know.

use std::ffi::OsString;

use super::nearest::nearest;
use super::table::{OPTIONS, variable};

const PREFIX: &str = "MQTT_CLIENT_";

/// The shipped unit passes it on as an argument.
const USER_ID: &str = "MQTT_CLIENT_USER_ID";

/// A line for each variable that has this program's prefix and stands in for no option: it does nothing, and was
/// perhaps to do something.
pub fn unknown_variables(names: impl IntoIterator<Item = OsString>) -> Vec<String> {
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
    let line = |name: String| {
        let meant = nearest(&name[PREFIX.len()..], rests());
        let meant = meant.map_or("see --help for the options".to_owned(), |rest| {
            format!("did you mean {PREFIX}{rest}?")
        });
        format!("the variable {name} stands in for no option, and does nothing: {meant}")
    };
    unknown.into_iter().map(line).collect()
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
        assert_eq!(unknown_variables(names.clone()), [""; 0]);
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
        for (line, end) in found.iter().zip(ends) {
            assert!(line.ends_with(end), "{line}");
        }
    }
}
