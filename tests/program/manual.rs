//! The manual page and the shells' completions (as texts) know the commands and the options of the program's table.

use std::collections::BTreeSet;

use mqtt_client::cli::{COMMANDS, HELP, OPTIONS, OptionSpec, PORT, PORT_TLS};
use mqtt_client::device_session::PAUSE;
use mqtt_client::device_session::controller::Plan;
use mqtt_client::device_session::device::DeviceConfig;
use mqtt_client::link::Options;
use mqtt_client::text_request::requester::RequestConfig;
use mqtt_client::text_request::responder::ResponderConfig;

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
