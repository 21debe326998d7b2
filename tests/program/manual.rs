//! The manual page and the shells' completions know the commands and the options of the program's table.

use std::collections::BTreeSet;

use mqtt_client::cli::{COMMANDS, HELP, OPTIONS, OptionSpec, PORT, PORT_TLS};
use mqtt_client::device_session::PAUSE;
use mqtt_client::device_session::controller::Plan;
use mqtt_client::device_session::device::DeviceConfig;
use mqtt_client::link::Options;
use mqtt_client::text_request::Action;
use mqtt_client::text_request::requester::RequestConfig;
use mqtt_client::text_request::responder::ResponderConfig;

const MANUAL: &str = include_str!("../../packaging/mqtt_client.1");
const BASH: &str = include_str!("../../packaging/completions/mqtt_client.bash");
const ZSH: &str = include_str!("../../packaging/completions/_mqtt_client");
const FISH: &str = include_str!("../../packaging/completions/mqtt_client.fish");

/// Every `--option` in a text.
fn options(text: &str) -> BTreeSet<String> {
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

/// roff writes a hyphen as `\-`.
fn without_roff(text: &str) -> String {
    text.replace("\\-", "-")
}

#[test]
fn no_text_has_an_option_that_is_not_in_the_table() {
    let known: BTreeSet<String> = OPTIONS
        .iter()
        .map(|option| option.long.to_owned())
        .collect();
    // fish names options without their dashes.
    let fish = FISH.replace(" -l ", " --");
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

#[test]
fn the_completions_know_short_names_and_values() {
    // bash: the patterns before which a value is completed.
    let patterns: BTreeSet<&str> = BASH
        .lines()
        .filter_map(|line| line.trim().strip_suffix(')'))
        .filter(|line| line.starts_with('-'))
        .flat_map(|line| line.split('|'))
        .collect();
    let valued = OPTIONS.iter().filter(|option| option.value.is_some());
    let valued = valued.flat_map(|option| option.short.into_iter().chain([option.long]));
    assert_eq!(patterns, valued.collect(), "bash");
    for option in OPTIONS {
        let OptionSpec { long, short, .. } = option;
        let has_value = option.value.is_some();
        let line = |text: &'static str, word: &str| {
            let mut lines = text.lines().filter(|line| line.contains(word));
            let line = lines.next().unwrap_or_else(|| panic!("{word}"));
            assert_eq!(lines.next(), None, "{word}");
            line
        };
        let zsh = match short {
            Some("-v") => "'*'{-v,--verbose}'[".to_owned(),
            Some(short) => format!("'({short} {long})'{{{short},{long}}}'["),
            None => format!("'{long}["),
        };
        assert_eq!(line(ZSH, &zsh).contains("]:"), has_value, "zsh: {long}");
        let fish = match short {
            Some(short) => format!(" -s {} -l {} ", &short[1..], &long[2..]),
            None => format!("mqtt_client -l {} ", &long[2..]),
        };
        let fish = line(FISH, &fish);
        let asks = fish.contains(" -x ") || fish.contains(" -r ");
        assert_eq!(asks, has_value, "fish: {long}");
    }
}

#[test]
fn the_completions_know_the_commands_and_the_actions() {
    let commands: BTreeSet<&str> = COMMANDS.iter().map(|command| command.name).collect();
    let actions: BTreeSet<&str> = Action::ALL.into_iter().map(Action::name).collect();
    let between = |text: &'static str, before: &str, after: &str| -> BTreeSet<&'static str> {
        let (_, rest) = text.split_once(before).unwrap();
        let (words, _) = rest.split_once(after).unwrap();
        words.split(' ').collect()
    };
    let both: BTreeSet<&str> = commands.union(&actions).copied().collect();
    assert_eq!(between(BASH, "local words=\"", "\""), both);
    assert_eq!(between(ZSH, "'1:command or NETID:(", ")"), commands);
    assert_eq!(between(ZSH, "'2:ACTION:(", ")"), actions);
    assert_eq!(between(FISH, "-n __fish_is_first_arg -a '", "'"), commands);
    assert_eq!(
        between(FISH, "-n 'not __fish_is_first_arg' -a '", "'"),
        actions
    );
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
