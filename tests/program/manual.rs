//! The help text, the manual page and the shells' completions know the same options.

use std::collections::BTreeSet;

use mqtt_client::cli::HELP;

/// Every `--option` in a text; roff writes a hyphen as `\-`.
fn options(text: &str) -> BTreeSet<String> {
    let text = text.replace("\\-", "-");
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

#[test]
fn the_manual_and_the_completions_know_the_options_of_the_help() {
    let known = options(HELP);
    assert!(known.len() > 15, "{known:?}");
    let fish = include_str!("../../packaging/completions/mqtt_client.fish");
    // fish names options without their dashes.
    let fish = fish.replace(" -l ", " --");
    for (name, text) in [
        ("manual", include_str!("../../packaging/mqtt_client.1")),
        (
            "bash",
            include_str!("../../packaging/completions/mqtt_client.bash"),
        ),
        (
            "zsh",
            include_str!("../../packaging/completions/_mqtt_client"),
        ),
        ("fish", &fish),
    ] {
        let found = options(text);
        assert_eq!(
            known.difference(&found).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{name}"
        );
        assert_eq!(
            found.difference(&known).collect::<Vec<_>>(),
            Vec::<&String>::new(),
            "{name}"
        );
    }
}

#[test]
fn the_manual_and_the_readme_know_the_exit_codes() {
    let manual = include_str!("../../packaging/mqtt_client.1");
    let readme = include_str!("../../README.md");
    for code in ["0", "64", "65", "69", "74", "75", "76", "77", "78", "130"] {
        assert!(manual.contains(&format!(".B {code}\n")), "{code}");
        assert!(readme.contains(&format!("\n| {code} |")), "{code}");
        assert!(HELP.contains(&format!("{code} ")), "{code}");
    }
}
