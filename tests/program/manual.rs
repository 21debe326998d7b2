//! The manual page and the shells' completions (as texts) know the commands and the options of the program's table.

use std::collections::BTreeSet;

use mqtt_client::cli::{COMMANDS, Group, HELP, OPTIONS, OptionSpec, PORT, PORT_TLS};
use mqtt_client::device_session::PAUSE;
use mqtt_client::device_session::controller::Plan;
use mqtt_client::device_session::device::DeviceConfig;
use mqtt_client::link::Options;
use mqtt_client::text_request::requester::RequestConfig;
use mqtt_client::text_request::responder::ResponderConfig;

use super::pages::{named, shell};

const MANUAL: &str = include_str!("../../packaging/mqtt_client.1");
const BASH: &str = include_str!("../../packaging/completions/mqtt_client.bash");
const ZSH: &str = include_str!("../../packaging/completions/_mqtt_client");
const FISH: &str = include_str!("../../packaging/completions/mqtt_client.fish");

/// Every `--option` in a text.
pub fn options(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
    text.match_indices("--")
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '-'))
        .map(|(at, _)| {
            text[at..]
                .chars()
                .take_while(|c| is_name(*c))
                .collect::<String>()
        })
        .filter(|option| option.len() > 2)
        .collect()
}

/// What the page's escapes stand for.
fn without_roff(text: &str) -> String {
    text.replace("\\-", "-")
        .replace("\\(aq", "'")
        .replace("\\e", "\\")
}

/// The lines between the line that begins a section and the next one of its kind or a higher one.
fn section<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    let mut lines = text.lines().skip_while(|line| *line != beginning);
    let first = lines.next().unwrap_or_else(|| panic!("no {beginning}"));
    let is_high = first.starts_with(".SH ");
    let is_next = |line: &&str| line.starts_with(".SH ") || !is_high && line.starts_with(".SS ");
    lines.take_while(|line| !is_next(line)).collect()
}

#[test]
fn no_text_has_an_option_that_is_not_in_the_table() {
    let known: BTreeSet<String> = OPTIONS
        .iter()
        .map(|option| option.long.to_owned())
        .collect();
    // fish names options without their dashes.
    let fish: Vec<&str> = FISH
        .lines()
        .filter(|l| l.starts_with("complete "))
        .collect();
    let fish = fish.join("\n").replace(" -l ", " --");
    let manual = without_roff(MANUAL);
    for (name, text) in [
        ("help", HELP),
        ("manual", &manual),
        ("bash", BASH),
        ("zsh", ZSH),
        ("fish", &fish),
    ] {
        assert_eq!(options(text), known, "{name}");
    }
}

/// The lines with which the manual page begins an option: its heading, and the options under it.
#[test]
fn the_manual_has_the_options_of_the_table_in_its_order() {
    let manual = without_roff(MANUAL);
    let mut heading = "";
    let mut found = Vec::new();
    let mut lines = manual.lines();
    while let Some(line) = lines.next() {
        heading = line.strip_prefix(".SS ").unwrap_or(heading);
        if line == ".TP" {
            let line = lines.next().unwrap();
            let option = line.strip_prefix(".B ").or(line.strip_prefix(".BR "));
            found.extend(option.filter(|o| o.starts_with('-')).map(|o| (heading, o)));
        }
    }
    let written = |option: &OptionSpec| {
        let value = if option.value.is_some() {
            " \" \\fI"
        } else {
            ""
        };
        let short = option.short.map(|short| format!("{short} \", \" "));
        format!("{}{}{value}", short.unwrap_or_default(), option.long)
    };
    assert_eq!(found.len(), OPTIONS.len());
    for (option, (heading, line)) in OPTIONS.iter().zip(found) {
        assert_eq!(heading, option.group.heading(), "{line}");
        let (has_value, expected) = (line.contains("\\fI"), written(option));
        assert!(line.starts_with(&expected), "{line} is not {expected}");
        assert_eq!(has_value, option.value.is_some(), "{line}");
    }
}

/// Each command has a section, and in it are its options: those that not every command with a broker takes.
#[test]
fn a_commands_section_names_its_options() {
    let manual = without_roff(MANUAL);
    let sections: Vec<&str> = section(&manual, ".SH COMMANDS")
        .into_iter()
        .filter_map(|line| line.strip_prefix(".SS "))
        .collect();
    assert_eq!(sections, COMMANDS.each_ref().map(|command| command.name));
    for command in &COMMANDS {
        let has_own_broker = ["judge", "demo"].contains(&command.name);
        let is_named = |option: &&OptionSpec| {
            let is_for_all = option.only_for.is_empty();
            let is_said_above = option.group == Group::Output || !has_own_broker;
            option.is_for(command.name) && !(is_for_all && is_said_above)
        };
        let expected = OPTIONS.iter().filter(is_named);
        let expected: BTreeSet<String> = expected.map(|option| option.long.to_owned()).collect();
        let lines = section(&manual, &format!(".SS {}", command.name));
        let named = lines.iter().skip_while(|line| **line != "Options");
        let named: Vec<&str> = named.copied().take_while(|line| *line != ".TP").collect();
        assert_eq!(options(&named.join(" ")), expected, "{}", command.name);
        // Those that the section speaks of besides are for the command, too.
        for option in options(&lines.join("\n")) {
            let spec = OPTIONS.iter().find(|known| known.long == option);
            // Of the command line that judge asks of a client.
            let is_clients = command.name == "judge" && ["--help", "--host"].contains(&&*option);
            let is_right = spec.is_some_and(|spec| spec.is_for(command.name)) || is_clients;
            // By what the clients say.
            let is_others = command.name == "fleet" && option == "--presence";
            assert!(is_right || is_others, "{}: {option}", command.name);
        }
    }
}

#[test]
fn the_options_without_a_variable_are_named() {
    let manual = without_roff(MANUAL);
    let text = section(&manual, ".SH ENVIRONMENT").join(" ");
    let (_, none) = text.split_once("These have none:").unwrap();
    let (none, _) = none.split_once('.').unwrap();
    let expected = OPTIONS.iter().filter(|option| !option.has_variable);
    assert_eq!(
        options(none),
        expected.map(|option| option.long.to_owned()).collect()
    );
}

/// The lines of examples are command lines of the program: in the section of each command, and at the end.
#[test]
fn the_examples_of_the_manual_can_be_run() {
    let manual = without_roff(MANUAL).replace("\\\n", "");
    let examples = |lines: Vec<&str>| -> Vec<String> {
        let mut is_example = false;
        let mut found = Vec::new();
        for line in lines {
            match line {
                ".nf" => is_example = true,
                ".fi" => is_example = false,
                _ if is_example => found.push(line.to_owned()),
                _ => {}
            }
        }
        found
    };
    let mut sections: Vec<String> = COMMANDS
        .each_ref()
        .map(|command| format!(".SS {}", command.name))
        .to_vec();
    sections.push(".SH EXAMPLES".to_owned());
    for name in sections {
        let lines = examples(section(&manual, &name));
        assert!(!lines.is_empty(), "{name}");
        for command in shell::commands(lines.iter().map(String::as_str)) {
            let words = command.words.join(" ");
            let (_, command_name) = name.split_once(' ').unwrap();
            let is_request = ["request", "EXAMPLES"].contains(&command_name);
            assert!(words.contains("mqtt_client "), "{name}: {words}");
            assert!(
                is_request || words.contains(command_name),
                "{name}: {words}"
            );
            assert_eq!(named::check(&command), Ok(()), "{name}: {words}");
        }
    }
}

#[test]
fn the_manual_says_the_defaults() {
    let manual = MANUAL.split_whitespace().collect::<Vec<_>>().join(" ");
    let (low, high) = Plan::default().range().into_inner();
    let low =
        u32::try_from(Plan::default().replies.commands().len()).map_or(low, |all| low.max(all));
    for said in [
        format!("port ({PORT}; {PORT_TLS} with TLS)"),
        format!("0 for none ({})", Options::KEEP_ALIVE.as_secs()),
        format!("connecting included ({})", RequestConfig::TIMEOUT.as_secs()),
        format!(
            "a word from the controller ({})",
            DeviceConfig::TIMEOUT.as_secs()
        ),
        format!("without the next reply ({})", Plan::TIMEOUT.as_secs()),
        format!(
            "attempt to connect ({})",
            Options::RECONNECT_DELAY.as_secs()
        ),
        format!(
            "a request and the responder {}, others {}",
            ResponderConfig::QOS.level(),
            DeviceConfig::QOS.level()
        ),
        format!("a session gets ({low}-{high})"),
        format!("to the first command ({})", PAUSE.as_secs()),
    ] {
        assert!(manual.contains(&said), "{said}");
    }
}

#[test]
fn the_manual_and_the_troubleshooting_know_the_exit_codes() {
    let page = include_str!("../../docs/troubleshooting.md");
    for code in ["0", "64", "65", "69", "74", "75", "76", "77", "78", "130"] {
        assert!(MANUAL.contains(&format!(".B {code}\n")), "{code}");
        assert!(page.contains(&format!("\n| {code} |")), "{code}");
        assert!(HELP.contains(&format!("{code} ")), "{code}");
    }
}
