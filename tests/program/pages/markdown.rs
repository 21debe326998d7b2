//! What a page of Markdown has: headings, links, code. As much of Markdown as the pages here use.

use std::collections::BTreeMap;

/// A page, by its path from the root of the repository.
pub struct Page {
    pub path: String,
    pub text: String,
}

/// A fenced block of code.
pub struct Block<'a> {
    /// What stands behind the fence: `sh`, or nothing.
    pub language: &'a str,
    pub lines: Vec<&'a str>,
}

impl Page {
    /// The lines that are in a fenced block, and those that are not.
    fn parts(&self) -> (Vec<Block<'_>>, Vec<&str>) {
        let (mut blocks, mut prose) = (Vec::new(), Vec::new());
        let mut block: Option<Block<'_>> = None;
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), block.take()) {
                (Some(language), None) => {
                    let lines = Vec::new();
                    block = Some(Block { language, lines });
                }
                (Some(_), Some(whole)) => blocks.push(whole),
                (None, Some(mut part)) => {
                    part.lines.push(line);
                    block = Some(part);
                }
                (None, None) => prose.push(line),
            }
        }
        assert!(block.is_none(), "{}: a fence is open", self.path);
        (blocks, prose)
    }

    pub fn blocks(&self) -> Vec<Block<'_>> {
        self.parts().0
    }

    /// The code in the lines, without what marks it; a span may go over the end of a line.
    pub fn spans(&self) -> Vec<String> {
        let (mut spans, _) = split(&self.parts().1);
        spans.retain(|span| !span.is_empty());
        spans
    }

    /// Where the links and pictures lead.
    pub fn links(&self) -> Vec<String> {
        let (_, text) = split(&self.parts().1);
        let links = text.match_indices("](").map(|(at, mark)| {
            let rest = &text[at + mark.len()..];
            rest[..rest.find(')').unwrap()].to_owned()
        });
        links.collect()
    }

    /// The anchors that GitHub gives to the headings: small letters, digits, `-` and `_` stay, a blank becomes `-`,
    /// everything else goes, and the second of a name has `-1` behind it.
    pub fn anchors(&self) -> Vec<String> {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        let mut anchors = Vec::new();
        for line in self.parts().1 {
            let heading = line.trim_start_matches('#');
            if heading.len() == line.len() || !heading.starts_with(' ') {
                continue;
            }
            let kept = heading.trim().to_lowercase();
            let kept = kept.chars().filter_map(|c| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                _ => c.is_alphanumeric().then_some(c),
            });
            let anchor: String = kept.collect();
            let times = seen.entry(anchor.clone()).or_default();
            anchors.push(match *times {
                0 => anchor,
                _ => format!("{anchor}-{times}"),
            });
            *times += 1;
        }
        anchors
    }

    /// The first cells of the rows of the page's tables.
    pub fn first_cells(&self) -> Vec<&str> {
        let rows = self.parts().1.into_iter();
        let cells = rows.filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
        cells.collect()
    }
}

/// The spans of code, and the text without them. A span ends with as many backquotes as it begins with.
pub fn split(lines: &[&str]) -> (Vec<String>, String) {
    let (mut spans, mut text) = (Vec::new(), String::new());
    // A paragraph at a time, or a backquote without its other one would turn the rest of the page inside out.
    for paragraph in lines.join("\n").split("\n\n") {
        let mut rest = paragraph;
        while let Some(at) = rest.find('`') {
            text.push_str(&rest[..at]);
            let inside = rest[at..].trim_start_matches('`');
            let mark = &rest[at..rest.len() - inside.len()];
            match inside.find(mark) {
                Some(end) => {
                    let span = inside[..end].split_whitespace().collect::<Vec<_>>();
                    spans.push(span.join(" "));
                    rest = &inside[end + mark.len()..];
                }
                None => rest = inside,
            }
        }
        text.push_str(rest);
        text.push_str("\n\n");
    }
    (spans, text)
}

#[test]
fn headings_links_and_code_are_found() {
    let text = "# A `b` & C\n[x](y.md#z) `[no](link)` ``a ` b``\n## a\n## a\n```sh\n# no heading\n[n](o)\n```\n| `c` | d |";
    let page = Page {
        path: "x.md".to_owned(),
        text: text.to_owned(),
    };
    assert_eq!(page.anchors(), ["a-b--c", "a", "a-1"]);
    assert_eq!(page.links(), ["y.md#z"]);
    assert_eq!(page.spans(), ["b", "[no](link)", "a ` b", "c"]);
    assert_eq!(page.first_cells(), ["`c`"]);
    let blocks = page.blocks();
    assert_eq!((blocks.len(), blocks[0].language), (1, "sh"));
    assert_eq!(blocks[0].lines, ["# no heading", "[n](o)"]);
}
