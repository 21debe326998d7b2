//! The help text says what the tables of commands and options say, and cites the roles' own defaults.

use super::*;
use crate::device_session::PAUSE;
use crate::link::Options;
use crate::mqtt::QoS;
use crate::text_request::Action;

#[test]
fn the_help_fits_a_terminal_and_names_every_code() {
    assert!(HELP.lines().all(|line| line.chars().count() <= 80));
    for kind in [
        Kind::Usage,
        Kind::Input,
        Kind::Unreachable,
        Kind::Output,
        Kind::NoAnswer,
        Kind::Busy,
        Kind::Protocol,
        Kind::Refused,
        Kind::Config,
    ] {
        assert!(HELP.contains(&kind.exit_code().to_string()), "{kind:?}");
    }
}

#[test]
fn the_help_begins_with_the_commands() {
    let mut usage: Vec<&str> = HELP.lines().take_while(|line| !line.is_empty()).collect();
    usage[0] = usage[0].strip_prefix("Usage:").unwrap();
    for (command, line) in COMMANDS.iter().zip(usage) {
        let name = Some(command.name).filter(|name| *name != "request");
        let arguments = Some(command.arguments).filter(|arguments| !arguments.is_empty());
        let words: Vec<&str> = name.into_iter().chain(arguments).collect();
        let words = words.join(" ");
        let options = if command.name == "demo" {
            ""
        } else {
            "[OPTIONS] "
        };
        assert_eq!(line.trim(), format!("mqtt_client {options}{words}"));
        assert!(HELP.contains(&format!("\n  {words}  ")), "{words}");
    }
    for action in Action::ALL {
        assert!(HELP.contains(action.name()), "{action}");
    }
}

/// The option lines of the help text: heading, option, and what is said of it on the same line or the next.
fn option_lines() -> Vec<(&'static str, &'static str, &'static str)> {
    let mut heading = "";
    let mut found = Vec::new();
    let mut lines = HELP.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            heading = text;
        }
        let Some(rest) = line
            .strip_prefix("  ")
            .filter(|rest| rest.trim_start().starts_with('-'))
        else {
            continue;
        };
        assert_eq!(rest.starts_with("-"), !rest.starts_with("    --"), "{line}");
        let (option, text) = rest
            .trim_start()
            .split_once("  ")
            .unwrap_or_else(|| (rest.trim_start(), *lines.peek().unwrap()));
        found.push((heading, option, text.trim_start()));
    }
    found
}

#[test]
fn the_help_says_what_the_table_of_options_says() {
    let lines = option_lines();
    assert_eq!(lines.len(), OPTIONS.len());
    for (option, (heading, synopsis, text)) in OPTIONS.iter().zip(lines) {
        assert_eq!(synopsis, option.synopsis());
        assert_eq!(heading, option.group.heading(), "{synopsis}");
        let (before, _) = text.split_once(':').unwrap_or_default();
        if !option.only_for.is_empty() {
            assert_eq!(before, option.only_for.join(", "), "{synopsis}");
        }
        for command in option.only_for {
            assert!(
                COMMANDS.iter().any(|known| known.name == *command),
                "{command}"
            );
        }
    }
}

#[test]
fn the_help_says_the_defaults() {
    let seconds = |time: std::time::Duration| time.as_secs();
    let text = HELP.split_whitespace().collect::<Vec<_>>().join(" ");
    let (low, high) = Plan::default().range().into_inner();
    for said in [
        format!("broker's name or address ({HOST})"),
        format!("broker's port ({PORT}; {PORT_TLS} with TLS)"),
        format!("0 for none ({})", seconds(Options::KEEP_ALIVE)),
        format!(
            "request: seconds for all of it ({})",
            seconds(RequestConfig::TIMEOUT)
        ),
        format!(
            "fleet --once: seconds for all of it ({})",
            seconds(FleetConfig::TIMEOUT)
        ),
        format!(
            "seconds for each run of CLIENT ({})",
            seconds(JudgeConfig::TIME)
        ),
        format!("has + and # ({})", FleetConfig::FILTER),
        format!(
            "without a word from the controller ({})",
            seconds(DeviceConfig::TIMEOUT)
        ),
        format!("without the next reply ({})", seconds(Plan::TIMEOUT)),
        format!("doubling to 60 ({})", seconds(Options::RECONNECT_DELAY)),
        format!(
            "(request, responder: {}; others: {})",
            RequestConfig::QOS.level(),
            Plan::QOS.level()
        ),
        format!("commands a session ({low}-{high})"),
        format!("seconds before the first command ({})", seconds(PAUSE)),
    ] {
        assert!(text.contains(&said), "{said}");
    }
    let qos: [QoS; 2] = [ResponderConfig::QOS, DeviceConfig::QOS];
    assert_eq!(qos, [RequestConfig::QOS, Plan::QOS]);
}

/// A value that the option takes.
fn value(option: &OptionSpec) -> Option<&'static str> {
    Some(match option.value? {
        "URL" => "mqtt://h",
        "offline|clear" => "clear",
        "LEVEL" | "N" | "S" | "PORT" => "1",
        _ => "x",
    })
}

#[test]
fn every_option_of_the_table_is_understood() {
    for option in OPTIONS {
        let command = option.only_for.first().unwrap_or(&"responder");
        let command: &[&str] = match *command {
            "request" => &["net", "reverse"],
            "device" => &["device", "alice"],
            other => &[other],
        };
        for name in option.short.into_iter().chain([option.long]) {
            let mut args = vec![name];
            args.extend(value(&option));
            args.extend(command);
            match option.long {
                "--cert" => args.extend(["--key", "x"]),
                "--sync" => args.extend(["--state-dir", "x"]),
                "--presence-end" => args.extend(["--presence", "x"]),
                "--key" => args.extend(["--cert", "x"]),
                "--program-time" | "--program-output" | "--programs-at-once" => {
                    args.extend(["--commands", "x"]);
                }
                "--at-most-once" => args.extend(["--commands", "x", "--state-dir", "x"]),
                "--any-action" => args.push("x"),
                "--password" | "--password-file" => args.extend(["-u", "x"]),
                _ => {}
            }
            assert!(parse_with(&args, &[]).is_ok(), "{args:?}");
        }
    }
}

#[test]
fn every_option_with_a_variable_has_it_read() {
    for option in OPTIONS {
        let name = variable(option.long);
        let read = std::cell::Cell::new(false);
        let environment = |asked: &str| {
            read.set(read.get() || asked == name);
            None
        };
        let command = match option.only_for.first() {
            Some(&"request") => &["net", "reverse", "x"][..],
            Some(&"device") => &["device", "alice"],
            _ => &["controller"],
        };
        parse(command.iter().map(OsString::from), &environment).unwrap();
        assert_eq!(read.get(), option.has_variable, "{name}");
    }
}
