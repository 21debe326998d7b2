//! The pages for people (README.md, docs, and the others at the root): their links lead somewhere, and their commands name
//! what is there. Needs no network: links to other machines are listed, not fetched.
//!
//! - `markdown`, `shell`: what a page has, and which commands
//! - `named`: whether what a command names is there; `sources`: the texts of the program

mod markdown;
pub mod named;
pub mod shell;
mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use markdown::Page;
use mqtt_client::cli::{OPTIONS, variable};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files in a folder (`""` for the root) whose names end with this.
fn files(folder: &str, end: &str) -> Vec<String> {
    let mut found: Vec<String> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(end))
        .map(|name| Path::new(folder).join(name).to_str().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

fn pages() -> Vec<Page> {
    let paths = [
        files("", ".md"),
        files("docs", ".md"),
        files("tests", ".md"),
    ]
    .concat();
    assert!(paths.len() > 10, "{paths:?}");
    let page = |path: String| Page {
        text: read(&path),
        path,
    };
    paths.into_iter().map(page).collect()
}

/// Ends the test with all that is wrong.
fn assert_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let anchors = |file: &Path| {
        let file = file.strip_prefix(root()).unwrap();
        let page = pages.iter().find(|page| Path::new(&page.path) == file)?;
        Some(page.anchors())
    };
    let (mut wrong, mut elsewhere) = (Vec::new(), BTreeSet::new());
    for page in &pages {
        let this = root().join(&page.path);
        for link in page.links() {
            if link.contains("://") {
                elsewhere.insert(link);
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => Some(this.clone()),
                file => fs::canonicalize(this.parent().unwrap().join(file)).ok(),
            };
            let inside = |target: &PathBuf| target.starts_with(fs::canonicalize(root()).unwrap());
            let Some(target) = target.filter(|target| file.is_empty() || inside(target)) else {
                wrong.push(format!("{}: there is no {file}", page.path));
                continue;
            };
            let known = || anchors(&target).is_some_and(|known| known.iter().any(|k| k == anchor));
            if !anchor.is_empty() && !known() {
                wrong.push(format!("{}: {link} has no such heading", page.path));
            }
        }
    }
    eprintln!("not fetched: {elsewhere:?}");
    assert_right(&wrong);
}

#[test]
fn every_command_names_what_is_there() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in pages() {
        let mut texts = Vec::new();
        for block in page.blocks() {
            let prompted = block
                .lines
                .iter()
                .filter_map(|line| line.strip_prefix("$ "));
            match block.language {
                "sh" => texts.push(block.lines.clone()),
                // What follows a prompt; the rest is what the command says.
                "console" | "" => texts.push(prompted.collect()),
                other => panic!("{}: a block of {other}", page.path),
            }
        }
        let spans = page.spans();
        texts.extend(
            spans
                .iter()
                .filter(|span| named::is_command(span))
                .map(|span| vec![&**span]),
        );
        for command in texts.into_iter().flat_map(shell::commands) {
            count += 1;
            if let Err(why) = named::check(&command) {
                wrong.push(format!(
                    "{}: {:?}: {why}",
                    page.path,
                    command.words.join(" ")
                ));
            }
        }
    }
    assert!(count > 100, "{count} commands");
    assert_right(&wrong);
}

#[test]
fn what_the_pages_name_in_the_sources_is_there() {
    let mut wrong = Vec::new();
    for page in pages() {
        for span in page.spans() {
            if let Err(why) = named::check_name(&span) {
                wrong.push(format!("{}: `{span}`: {why}", page.path));
            }
        }
    }
    assert_right(&wrong);
}

#[test]
fn every_variable_and_option_is_one_of_the_programs() {
    let mut variables: BTreeSet<String> = OPTIONS.iter().map(|o| variable(o.long)).collect();
    variables.insert("MQTT_CLIENT_USER_ID".to_owned());
    // The slip in an example.
    variables.insert("MQTT_CLIENT_HOTS".to_owned());
    let name = |c: char| c.is_ascii_uppercase() || c == '_';
    let mut wrong = Vec::new();
    for page in pages() {
        for (at, prefix) in page.text.match_indices("MQTT_CLIENT_") {
            let rest = &page.text[at + prefix.len()..];
            let rest = &rest[..rest.find(|c| !name(c)).unwrap_or(rest.len())];
            let whole = format!("{prefix}{rest}");
            if !rest.is_empty() && !variables.contains(&whole) {
                wrong.push(format!("{}: {whole}", page.path));
            }
        }
        // Of its own options the pages for users speak; the others are for those who change the program.
        for span in page
            .spans()
            .iter()
            .filter(|_| page.path.starts_with("docs/"))
        {
            let option = span.split([' ', '=']).next().unwrap();
            let foreign = ["--no-default-features", "--force-non-host", "--quick", "--"];
            let known = OPTIONS
                .iter()
                .any(|o| [Some(o.long), o.short].contains(&Some(option)));
            if option.starts_with("--") && !known && !foreign.contains(&option) {
                wrong.push(format!("{}: {option}", page.path));
            }
        }
    }
    assert_right(&wrong);
}

#[test]
fn every_error_in_the_troubleshooting_is_one_of_the_programs() {
    let texts = sources::texts("src");
    let page = pages()
        .into_iter()
        .find(|page| page.path == "docs/troubleshooting.md");
    let page = page.unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for cell in page.first_cells() {
        // cargo's, and the kernel's.
        if cell.starts_with("cargo:") || cell.contains("Illegal instruction") {
            continue;
        }
        for error in markdown::split(&[cell]).0 {
            count += 1;
            for part in error
                .split(['…', '`'])
                .map(str::trim)
                .filter(|part| part.len() > 2)
            {
                if !sources::is_made_of(part, &texts) {
                    wrong.push(format!("no such text: {part}"));
                }
            }
        }
    }
    assert!(count > 40, "{count} errors");
    assert_right(&wrong);
}

#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 150, "{}", readme.lines().count());
    let wrong: Vec<String> = [files("docs", ".md"), files("", ".md")]
        .concat()
        .into_iter()
        .filter(|path| path != "README.md" && !readme.contains(&format!("]({path})")))
        .map(|path| format!("README.md has no link to {path}"))
        .collect();
    assert_right(&wrong);
}

/// One runs the main job, one the tests; and a submission is tried by the very same.
#[test]
fn the_readme_begins_with_the_two_commands_that_ci_runs() {
    let page = Page {
        path: "README.md".to_owned(),
        text: read("README.md"),
    };
    let commands = shell::commands(page.blocks().remove(0).lines);
    let commands: Vec<String> = commands
        .iter()
        .map(|command| command.words.join(" "))
        .collect();
    assert_eq!(commands, ["cargo demo", "cargo test --no-fail-fast"]);
    let ci = read(".ci/run");
    for command in commands {
        assert!(ci.contains(&format!("\nstep {command}\n")), "{command}");
    }
}

#[test]
fn the_package_has_every_page_for_users() {
    let assets = read("Cargo.toml");
    let wrong: Vec<String> = [files("docs", ".md"), files("docs", ".svg")]
        .concat()
        .into_iter()
        .filter(|path| {
            !assets.contains(&format!("[\"{path}\", \"usr/share/doc/mqtt-client/docs/\""))
        })
        .map(|path| format!("Cargo.toml: {path} is not in the package"))
        .collect();
    assert_right(&wrong);
}
