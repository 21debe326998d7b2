//! What the shells offer, from the completions as they are installed: bash and fish are run, and zsh as far as what the
//! completion hands to zsh's own functions.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::needed::{BASH, FISH, Needed, ZSH, missing};
use mqtt_client::cli::{COMMANDS, OPTIONS, OptionSpec};
use mqtt_client::text_request::Action;

use super::manual::options;

/// A shell, and how it is asked.
struct Shell {
    needed: Needed,
    arguments: &'static [&'static str],
    /// The file of the completion, which is its first argument.
    file: &'static str,
    /// Reads a command line a line, without the program's name, and writes what there is for its last word, with a line
    /// of dashes after it.
    script: &'static str,
}

const SHELLS: [Shell; 3] = [
    Shell {
        needed: BASH,
        arguments: &["--norc", "-c"],
        file: "mqtt_client.bash",
        script: r#"
            compopt() { echo "$2"; }
            source "$0"
            while IFS= read -r line; do
                read -ra COMP_WORDS <<<"mqtt_client $line"
                [[ $line == *' ' || -z $line ]] && COMP_WORDS+=("")
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _mqtt_client
                printf '%s\n' "${COMPREPLY[@]}" ---
            done"#,
    },
    Shell {
        needed: FISH,
        arguments: &["--no-config", "-c"],
        file: "mqtt_client.fish",
        script: r#"
            source $argv[1]
            while read -l line
                complete -C "mqtt_client $line" | string replace -r '\t.*' ''
                echo ---
            end"#,
    },
    Shell {
        needed: ZSH,
        arguments: &["-f", "-c"],
        file: "_mqtt_client",
        script: r#"
            _arguments() { }
            source $0
            _arguments() { print -rl -- ${(M)@:#*\[*} $offered }
            _normal() { print -rl -- normal $words[CURRENT] }
            while IFS= read -r line; do
                words=(mqtt_client ${=line})
                [[ $line == *' ' || -z $line ]] && words+=('')
                CURRENT=${#words}
                _mqtt_client
                print -- ---
            done"#,
    },
];

impl Shell {
    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("packaging/completions")
            .join(self.file)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// What there is for the last word of each of these lines.
    fn offers(&self, lines: &[String]) -> Vec<BTreeSet<String>> {
        let mut child = Command::new(self.needed.path())
            .args(self.arguments)
            .arg(self.script)
            .arg(self.path())
            .current_dir(self.path().parent().unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let offered = output.split("---\n").map(|part| {
            let lines = part.lines().filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect()
        });
        let mut offered: Vec<BTreeSet<String>> = offered.collect();
        assert_eq!(offered.pop(), Some(BTreeSet::new()));
        assert_eq!(offered.len(), lines.len(), "{}", self.file);
        offered
    }

    /// Asserts that each line offers what is expected, in the words of `of`.
    fn assert_offers<T: PartialEq + std::fmt::Debug>(
        &self,
        cases: Vec<(String, T)>,
        of: impl Fn(BTreeSet<String>) -> T,
    ) {
        let (lines, expected): (Vec<String>, Vec<T>) = cases.into_iter().unzip();
        for ((line, expected), offered) in lines.iter().zip(expected).zip(self.offers(&lines)) {
            assert_eq!(of(offered), expected, "{}: {line:?}", self.file);
        }
    }
}

/// The shells that are here.
fn shells() -> impl Iterator<Item = &'static Shell> {
    SHELLS.iter().filter(|shell| !missing(&[shell.needed]))
}

/// The long names among what is offered.
fn long_names(offered: BTreeSet<String>) -> BTreeSet<String> {
    options(&offered.into_iter().collect::<Vec<_>>().join("\n"))
}

fn options_for(commands: &[&str]) -> BTreeSet<String> {
    let taken = |option: &&OptionSpec| commands.iter().any(|name| option.is_for(name));
    let taken = OPTIONS.iter().filter(taken);
    taken.map(|option| option.long.to_owned()).collect()
}

fn set<'a>(words: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_command_is_offered_the_options_that_it_takes() {
    for shell in shells() {
        let mut cases = vec![
            ("--".to_owned(), set(OPTIONS.iter().map(|o| o.long))),
            ("abcd01 --".to_owned(), options_for(&["request"])),
            ("abcd01 upper x --".to_owned(), options_for(&["request"])),
        ];
        // zsh's _arguments sees to that itself.
        if shell.needed != ZSH {
            cases.push(("device -- x --".to_owned(), BTreeSet::new()));
        }
        for command in &COMMANDS {
            let name = command.name;
            cases.push((format!("{name} --"), options_for(&[name])));
            if !["doctor", "judge", "demo"].contains(&name) {
                let both = options_for(&["doctor", name]);
                cases.push((format!("doctor {name} --"), both));
            }
        }
        shell.assert_offers(cases, long_names);
    }
}

/// Or else the value would be taken for the command.
#[test]
fn the_value_of_an_option_is_no_command() {
    let fleet = options_for(&["fleet"]);
    for shell in shells() {
        let mut cases = Vec::new();
        for option in &OPTIONS {
            for name in option.short.into_iter().chain([option.long]) {
                let value = option.value.map_or("", |_| " value");
                cases.push((format!("{name}{value} fleet --"), fleet.clone()));
            }
            if option.value.is_some() {
                // bash splits words there, and the script above does not.
                let is = if shell.needed == BASH { " = " } else { "=" };
                let line = format!("{}{is}value fleet --", option.long);
                cases.push((line, fleet.clone()));
            }
        }
        shell.assert_offers(cases, long_names);
    }
}

/// What there is for a value, by what the help text calls it.
enum Value {
    File,
    Folder,
    Words(BTreeSet<String>),
}

impl Value {
    fn of(option: &OptionSpec) -> Option<Self> {
        Some(match (option.long, option.value?) {
            ("--qos", _) => Self::Words(set(["0", "1", "2"])),
            (_, "FILE" | "F") => Self::File,
            // Of a device; of a controller it is a number.
            (_, "DIR" | "WHAT") => Self::Folder,
            (_, words) if words.contains('|') => Self::Words(set(words.split('|'))),
            // Nothing, or the names of hosts.
            _ => return None,
        })
    }
}

#[test]
fn bash_offers_files_folders_and_words_for_values() {
    let values = OPTIONS.iter().filter_map(|option| {
        let offered = match Value::of(option)? {
            Value::File => set(["default"]),
            Value::Folder => set(["dirnames"]),
            Value::Words(words) => words,
        };
        Some((format!("{} ", option.long), offered))
    });
    let [bash, ..] = &SHELLS;
    if missing(&[bash.needed]) {
        return;
    }
    bash.assert_offers(values.collect(), |offered| offered);
}

/// zsh and fish do the rest themselves.
#[test]
fn zsh_and_fish_know_short_names_and_what_values_are() {
    let [_, fish_text, zsh_text] = SHELLS.map(|shell| shell.text());
    let line = |text: &str, word: &str| {
        let mut lines = text.lines().filter(|line| line.contains(word));
        let line = lines.next().unwrap_or_else(|| panic!("{word}"));
        assert_eq!(lines.next(), None, "{word}");
        line.to_owned()
    };
    for option in OPTIONS {
        let OptionSpec { long, short, .. } = option;
        let is = if option.value.is_some() { "=" } else { "" };
        let zsh = match short {
            Some("-v") => "'*'{-v,--verbose}'[".to_owned(),
            Some(short) => format!("'({short} {long})'{{{short},{long}{is}}}'["),
            None => format!("'{long}{is}["),
        };
        let zsh = line(&zsh_text, &zsh);
        let fish = match short {
            Some(short) => format!("' -s {} -l {} ", &short[1..], &long[2..]),
            None => format!("' -l {} ", &long[2..]),
        };
        let fish = line(&fish_text, &fish);
        assert_eq!(zsh.contains("]:"), option.value.is_some(), "zsh: {long}");
        let asks = fish.contains(" -x ") || fish.contains(" -r ");
        assert_eq!(asks, option.value.is_some(), "fish: {long}");
        let (is_file, is_folder) = (fish.contains(" -r -F "), fish.contains("_directories"));
        let value = Value::of(&option);
        assert_eq!(is_file, matches!(value, Some(Value::File)), "fish: {long}");
        assert_eq!(
            is_folder,
            matches!(value, Some(Value::Folder)),
            "fish: {long}"
        );
        assert_eq!(zsh.contains(":_files'"), is_file, "zsh: {long}");
        assert_eq!(zsh.contains(":_directories'"), is_folder, "zsh: {long}");
        if let Some(Value::Words(words)) = value {
            let offered = |text: &str, before: &str, after: &str| {
                let (_, rest) = text.split_once(before).unwrap();
                set(rest.split_once(after).unwrap().0.split(' '))
            };
            assert_eq!(offered(&zsh, ":(", ")"), words, "zsh: {long}");
            assert_eq!(offered(&fish, "-a '", "'"), words, "fish: {long}");
        }
    }
}

#[test]
fn commands_and_actions_are_offered_where_they_stand() {
    let commands = set(COMMANDS.iter().map(|command| command.name));
    let examined = set(["request", "device", "controller", "responder"]);
    let actions = set(Action::ALL.into_iter().map(Action::name));
    let cases = [
        ("", commands.clone()),
        ("-v ", commands.clone()),
        ("-h pi -W 3 ", commands),
        ("doctor ", examined),
        ("abcd01 ", actions.clone()),
        ("request abcd01 ", actions.clone()),
        ("doctor abcd01 ", actions.clone()),
        ("-h pi abcd01 ", actions),
        ("abcd01 reverse ", BTreeSet::new()),
        ("device ", set(["%H"])),
        ("device alice ", BTreeSet::new()),
        ("controller ", BTreeSet::new()),
        ("fleet ", BTreeSet::new()),
        ("demo ", BTreeSet::new()),
    ];
    for shell in shells() {
        let cases = cases.iter().cloned();
        shell.assert_offers(
            cases
                .map(|(line, words)| (line.to_owned(), words))
                .collect(),
            // zsh is handed the options, too.
            |offered| {
                offered
                    .into_iter()
                    .filter(|word| !word.contains('['))
                    .collect()
            },
        );
    }
}

#[test]
fn what_follows_the_client_of_judge_is_the_clients() {
    for shell in shells() {
        // What the script above says where the shell itself goes on.
        let file = match shell.needed {
            BASH => "default",
            FISH => "mqtt_client.fish",
            _ => "normal",
        };
        let lines = [
            "judge ./client --",
            "-W 5 judge ./client -l --roster mqtt_client.f",
            "judge -W 5 ./client mqtt_client.f",
            "judge -- ./client mqtt_client.f",
        ];
        for (line, offered) in lines.iter().zip(shell.offers(&lines.map(str::to_owned))) {
            let name = shell.file;
            let has_file = line.ends_with('-') || offered.contains(file);
            assert!(has_file, "{name}: {line}: {offered:?}");
            assert_eq!(long_names(offered), BTreeSet::new(), "{name}: {line}");
        }
    }
}
