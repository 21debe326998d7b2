//! A class as one page of HTML that needs nothing else: for a projector, a phone, a file or any web server. It loads itself
//! anew every two seconds and keeps where the reader is.
//!
//! Others have chosen many of its texts. Each is escaped, and beside that the page allows no script but its own, by its
//! hash (Content Security Policy, section 6.7.2.3).

use std::time::Duration;

use super::{Attempt, Class, Row, Seat, Standing, table};
use crate::Seconds;
use crate::mqtt::one_line;

const STYLE: &str = include_str!("page.css");

const SCRIPT: &str = include_str!("page.js");

/// SHA-256 of [`SCRIPT`], in base64. A browser runs the script only where it is right, and a test runs a browser.
const SCRIPT_HASH: &str = "rqO+QOOndL+SUEMA2jgtZIN3ubGF3hObXMZR62LsTzw=";

/// The page as it is `unix_ms` milliseconds after 1970 began. Where the controller has ended it says so.
#[must_use]
pub fn page(class: &Class, unix_ms: u64, has_ended: bool) -> String {
    let summary = table::summary(class);
    let (headline, rest) = summary.split_once(", ").unwrap_or((&summary, ""));
    let ended = match (has_ended, class.outstanding()) {
        (false, _) => "",
        (true, None) if class.has_roster() => "The class is over: all have passed.",
        (true, _) => "The controller has ended.",
    };
    let mut html = Html(String::with_capacity(16 * 1024));
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-");
    html.raw(SCRIPT_HASH);
    html.raw("'\"><noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript><title>");
    html.text(headline);
    html.raw("</title><style>");
    html.raw(STYLE);
    html.raw("</style></head>\n<body><header>");
    html.element("h1", "", headline);
    for line in [rest, ended] {
        if !line.is_empty() {
            html.element("p", "", line);
        }
    }
    html.raw("<p>as of <time data-ms=\"");
    html.raw(&unix_ms.to_string());
    html.raw("\">");
    html.raw(&time_of_day(unix_ms / 1000));
    html.raw(" UTC</time></p></header>\n<main><ol>\n");
    for (index, seat) in class.seats().enumerate() {
        html.seat(index, seat);
    }
    html.raw("</ol></main>\n<script>");
    html.raw(SCRIPT);
    html.raw("</script></body></html>\n");
    html.0
}

fn time_of_day(unix: u64) -> String {
    let (hour, minute, second) = (unix / 3_600 % 24, unix / 60 % 60, unix % 60);
    format!("{hour:02}:{minute:02}:{second:02}")
}

fn seconds(duration: Duration) -> String {
    match duration < Duration::from_secs(1) {
        true => format!("{} ms", duration.as_millis()),
        false => format!("{:.1} s", Seconds(duration)),
    }
}

/// A page that grows. What is not of this file goes through [`Html::text`].
struct Html(String);

impl Html {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn text(&mut self, text: &str) {
        for c in one_line(text).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    /// An element with this text, whose direction is its own matter.
    fn element(&mut self, name: &str, class: &str, text: &str) {
        for part in ["<", name, " dir=auto"] {
            self.raw(part);
        }
        if !class.is_empty() {
            self.raw(" class=");
            self.raw(class);
        }
        self.raw(">");
        self.text(text);
        for part in ["</", name, ">"] {
            self.raw(part);
        }
    }

    fn seat(&mut self, index: usize, seat: &Seat) {
        let standing = seat.standing();
        let class = match standing {
            Standing::Passed => "passed",
            Standing::Failed => "failed",
            Standing::Awaited => "awaited",
            Standing::LoggedIn | Standing::Commanded { .. } => "busy",
        };
        let state = format!("{} {}", standing.symbol(), standing.words());
        let mut more = match seat.begun {
            0 => String::new(),
            1 => "1 attempt".to_owned(),
            begun => format!("{begun} attempts"),
        };
        let mut remark = |text: &str| {
            if !more.is_empty() {
                more.push_str(" · ");
            }
            more.push_str(text);
        };
        if !seat.name.is_empty() {
            remark(seat.user_id.as_str());
        }
        if !seat.is_on_roster {
            remark("not on the roster");
        }
        let id = format!("s{index}");
        for part in [
            "<li class=\"seat ",
            class,
            "\"><details id=\"",
            &id,
            "\"><summary>",
        ] {
            self.raw(part);
        }
        self.element("span", "who", seat.title());
        self.element("span", "state", &state);
        self.element("span", "more", &more);
        self.element("span", "why", &seat.last_words());
        self.raw("</summary>");
        for attempt in seat.attempts.iter().rev() {
            self.attempt(attempt);
        }
        self.raw("</details></li>\n");
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let standing = attempt.standing();
        let after = attempt.verdict.map_or(String::new(), |(after, _)| {
            format!(", {} after the login", seconds(after))
        });
        let number = attempt.number;
        let (symbol, words) = (standing.symbol(), standing.words());
        self.element(
            "h2",
            "",
            &format!("Attempt {number}: {symbol} {words}{after}"),
        );
        if !attempt.rows.is_empty() {
            self.raw("<table><tr><th>command<th>sent<th>reply<th>took</tr>");
            attempt.rows.iter().for_each(|row| self.row(row));
            self.raw("</table>");
        }
        self.raw("<ul>");
        for (after, sentence) in &attempt.remarks {
            self.element("li", "", &format!("{}: {sentence}", seconds(*after)));
        }
        let is_new = |sentence: &&String| {
            let mut remarks = attempt.remarks.iter();
            // It may have "and 2 more of this kind" behind it.
            remarks.all(|(_, known)| !sentence.starts_with(known.as_str()))
        };
        for sentence in attempt.mistakes.iter().filter(is_new) {
            self.element("li", "", sentence);
        }
        for hint in &attempt.hints {
            self.element("li", "", &format!("hint: {hint}"));
        }
        if attempt.left_out > 0 {
            let text = format!(
                "and {} more commands, replies or mistakes",
                attempt.left_out
            );
            self.element("li", "", &text);
        }
        self.raw("</ul>");
    }

    fn row(&mut self, row: &Row) {
        self.raw("<tr>");
        self.element("td", "", row.command.as_str());
        let sent = row.sent.map_or("-".to_owned(), seconds);
        self.element("td", "", &sent);
        let (reply, took) = match &row.reply {
            None => ("none yet".to_owned(), "-".to_owned()),
            Some((word, after, is_right)) => {
                let sign = if *is_right { '✓' } else { '✗' };
                let took = row.sent.map(|sent| after.saturating_sub(sent));
                (
                    format!("{sign} {word}"),
                    took.map_or("-".to_owned(), seconds),
                )
            }
        };
        self.element("td", "", &reply);
        self.element("td", "", &took);
        self.raw("</tr>");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{class, commanded, logged_in, replied};
    use super::*;

    #[test]
    fn a_page_says_of_each_where_it_stands_and_what_happened() {
        let html = page(&class(), 1_795_776_993_250, false);
        for part in [
            "<title>1 of 6 passed</title>",
            "2 failed, 2 under way, 1 awaited; 1 not on the roster",
            "10:56:33 UTC",
            ">Alice A.</span>",
            ">✓ passed</span>",
            ">1 attempt · alice</span>",
            "<td dir=auto>CMD1</td><td dir=auto>3.0 s</td><td dir=auto>✓ Apple</td><td dir=auto>250 ms</td>",
            "Attempt 1: ✗ failed, 3.6 s after the login",
            "3.1 s: `Ape` came on U2/CMD1",
            ">… 1 of 3 replies</span>",
            ">○ awaited</span>",
        ] {
            assert!(html.contains(part), "{part}\n{html}");
        }
        assert_eq!(html.matches("<li class=\"seat").count(), 7);
        assert!(!html.contains("has ended"));
        assert!(page(&class(), 0, true).contains("The controller has ended."));
    }

    #[test]
    fn nothing_that_others_have_chosen_is_html() {
        let mut class = class();
        let now = std::time::Instant::now();
        let evil = "<img src=x onerror='alert(1)'>\"&";
        class.take(now, logged_in(evil, "E"));
        class.take(now, commanded("E", &[evil]));
        class.take(now, replied("E", evil, evil, false));
        let html = page(&class, 0, false);
        assert!(!html.contains("<img"), "{html}");
        assert!(!html.contains("<script>alert"), "{html}");
        let harmless = "&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&quot;&amp;";
        assert_eq!(html.matches(harmless).count(), 3, "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;"));
    }

    /// How long it takes: `cargo test --release --lib -- --ignored --nocapture a_page_of_30`.
    #[test]
    #[ignore = "it measures, and asserts nothing"]
    fn a_page_of_30_devices_is_made_in() {
        let mut class = Class::new(&super::super::Roster::default());
        let now = std::time::Instant::now();
        for device in 0..30 {
            for attempt in 0..3 {
                let id = format!("U{device}-{attempt}");
                class.take(now, logged_in(&format!("device{device}"), &id));
                class.take(now, commanded(&id, &["CMD1"; 15]));
                (0..15).for_each(|_| class.take(now, replied(&id, "CMD1", "Apple", true)));
            }
        }
        let begun = std::time::Instant::now();
        let length = page(&class, 0, false).len();
        println!("{length} bytes in {:?}", begun.elapsed());
    }
}
