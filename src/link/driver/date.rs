//! Dates of certificates and of the clock, as people write them: 2026-11-27, in UTC.

/// The date of an instant, in seconds since 1970.
#[must_use]
pub fn of(seconds: u64) -> String {
    // Days from 1 March of the year 0, so that a leap day is the last of its year; 400 years have 146,097 days.
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = match month {
        ..10 => (month + 3, 0),
        _ => (month - 9, 1),
    };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year + next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (68_169_599, "1972-02-28"),
            (68_169_600, "1972-02-29"),
            (68_256_000, "1972-03-01"),
            (951_782_400, "2000-02-29"),
            (1_795_737_600, "2026-11-27"),
            (2_524_607_999, "2049-12-31"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(of(seconds), date, "{seconds}");
        }
    }
}
