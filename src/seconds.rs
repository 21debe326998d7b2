//! Times as people write them: `30`, `0.5`. In whole numbers, because the tables with which Rust reads and shows an
//! `f64` would be the largest part of this program that is not TLS.

use std::fmt;
use std::time::Duration;

/// The longest time that makes sense, a century. Keeps `Instant` from overflowing.
const LONGEST: Duration = Duration::from_secs(36_525 * 86_400);

/// A time in seconds, with as many decimals as the format wants, or else as many as are needed, at most three.
#[derive(Debug, Clone, Copy)]
pub struct Seconds(pub Duration);

impl Seconds {
    /// The time in a text.
    pub fn parse(text: &str) -> Option<Duration> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole = format!("0{whole}").parse().ok()?;
        let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        Some(Duration::new(whole, nanos)).filter(|time| *time <= LONGEST)
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(3).min(3);
        let half_unit = [500, 50, 5, 0][decimals];
        let rounded = self.0 + Duration::from_millis(half_unit);
        let text = format!("{}.{:03}", rounded.as_secs(), rounded.subsec_millis());
        let shown = match f.precision() {
            Some(_) => &text[..text.len() - 3 + decimals],
            None => text.trim_end_matches('0'),
        };
        f.write_str(shown.trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        for (text, millis) in [
            ("30", 30_000),
            ("0.05", 50),
            (".5", 500),
            ("5.", 5_000),
            ("0", 0),
        ] {
            let time = Duration::from_millis(millis);
            assert_eq!(Seconds::parse(text), Some(time), "{text}");
        }
        let nanos = Seconds::parse("0.0000000019");
        assert_eq!(nanos, Some(Duration::from_nanos(1)));
        for text in [
            "",
            ".",
            "-1",
            "+1",
            "1e3",
            "1.2.3",
            "1,5",
            " 1",
            "٣",
            "1.é",
            "99999999999",
        ] {
            assert_eq!(Seconds::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_is_shown_without_needless_decimals() {
        let shown = |millis| Seconds(Duration::from_millis(millis));
        assert_eq!(shown(30_000).to_string(), "30");
        assert_eq!(shown(500).to_string(), "0.5");
        assert_eq!(shown(1_234).to_string(), "1.234");
        assert_eq!(shown(0).to_string(), "0");
        assert_eq!(
            format!("{:.1} {:.1}", shown(1_250), shown(1_949)),
            "1.3 1.9"
        );
        assert_eq!(format!("{:.3} {:.0}", shown(20), shown(9_500)), "0.020 10");
    }
}
