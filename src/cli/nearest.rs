//! What was meant by a word that is none of those known: the nearest of them.

/// Longer than any word that is known: a text, and no slip.
const LONGEST: usize = 40;

/// The known word that is written most like `word`, where the difference is that of a slip: a third of the letters at
/// the most, an exchange of two neighbours counted as one.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let most = if length > LONGEST { 0 } else { length / 3 };
    let distances = known
        .into_iter()
        .map(|known| (distance(word, known), known));
    let near = distances.filter(|(distance, _)| (1..=most).contains(distance));
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters have to be inserted, removed, replaced or exchanged with their neighbour (the optimal string
/// alignment distance).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["controller", "responder", "device", "demo", "host"];
        for (word, expected) in [
            ("controler", Some("controller")),
            ("Controller", Some("controller")),
            ("responser", Some("responder")),
            ("devcie", Some("device")),
            ("hsot", Some("host")),
            ("demos", Some("demo")),
            ("abcd01", None),
            ("", None),
            ("de", None),
            ("device", None),
            ("ßßß", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
