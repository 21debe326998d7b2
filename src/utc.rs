//! The date and the time of the day, in UTC, of a number of seconds since 1970, as people write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long ago 1970 began, as far as this machine knows.
#[must_use]
pub fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// The date: the days are counted from the first of March of the year 0, so that a leap day is the last of its year.
#[must_use]
pub fn date(unix: u64) -> String {
    const DAYS_TO_1970: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = unix / 86_400 + DAYS_TO_1970;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = match month < 10 {
        true => (month + 3, year + era * 400),
        false => (month - 9, year + era * 400 + 1),
    };
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date and the minute.
#[must_use]
pub fn minute(unix: u64) -> String {
    let (date, hour, minute) = (date(unix), unix / 3_600 % 24, unix / 60 % 60);
    format!("{date} {hour:02}:{minute:02}")
}

/// The second, as ISO 8601 writes it.
#[must_use]
pub fn second(unix: u64) -> String {
    let minute = minute(unix).replace(' ', "T");
    format!("{minute}:{:02}Z", unix % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01"),
            (68_169_599, "1972-02-28"),
            (68_169_600, "1972-02-29"),
            (68_256_000, "1972-03-01"),
            (951_782_400, "2000-02-29"),
            (1_795_737_600, "2026-11-27"),
            (2_524_607_999, "2049-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn a_time_is_a_day_and_a_minute() {
        for (unix, expected) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (951_868_800, "2000-03-01 00:00"),
            (1_709_164_800, "2024-02-29 00:00"),
            (1_735_689_599, "2024-12-31 23:59"),
            (1_795_776_993, "2026-11-27 10:56"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(minute(unix), expected);
        }
    }

    #[test]
    fn a_second_is_written_as_iso_8601_does() {
        assert_eq!(second(951_782_399), "2000-02-28T23:59:59Z");
    }
}
