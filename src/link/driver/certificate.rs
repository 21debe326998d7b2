//! From when until when a certificate is valid (RFC 5280, section 4.1), for people: rustls alone decides.

/// The dates, as `2026-11-27`.
#[derive(Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first day.
    pub from: String,
    /// The last day.
    pub until: String,
}

/// The validity in a certificate's DER; `None` where it is not there.
#[must_use]
pub fn validity(der: &[u8]) -> Option<Validity> {
    /// Context-specific, constructed, 0: the version, which version 1 leaves out.
    const VERSION: u8 = 0xa0;
    let (_, certificate, _) = element(der)?;
    let (_, mut fields, _) = element(certificate)?;
    let (tag, _, after_version) = element(fields)?;
    if tag == VERSION {
        fields = after_version;
    }
    // The serial number, the signature's algorithm, the issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (_, validity, _) = element(fields)?;
    let (tag, from, rest) = element(validity)?;
    let from = date(tag, from)?;
    let (tag, until, _) = element(rest)?;
    let until = date(tag, until)?;
    Some(Validity { from, until })
}

/// The first element of DER: its tag, its content, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        ..0x80 => (usize::from(first), rest),
        0x80.. => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            // No certificate is longer than three bytes can say.
            let fits = bytes.len() <= 3;
            let length = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (Some(length).filter(|_| fits)?, rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// UTCTime, whose years are 1950 to 2049, or GeneralizedTime (section 4.1.2.5).
fn date(tag: u8, time: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(time).ok()?;
    let text = match tag {
        0x17 if text < "50" => format!("20{text}"),
        0x17 => format!("19{text}"),
        _ => text.to_owned(),
    };
    let part = |range: std::ops::Range<usize>| text.get(range);
    Some(format!("{}-{}-{}", part(0..4)?, part(4..6)?, part(6..8)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut der = vec![tag, 0x82];
        der.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        der.extend(content);
        der
    }

    fn certificate(version: &[u8], times: [(u8, &str); 2]) -> Vec<u8> {
        let times = times.map(|(tag, text)| wrapped(tag, text.as_bytes()));
        let head = [version, &[2, 1, 7], &[0x30, 0], &[0x30, 0]].concat();
        let fields = [head, wrapped(0x30, &times.concat()), vec![0x30, 0]].concat();
        wrapped(0x30, &wrapped(0x30, &fields))
    }

    #[test]
    fn the_dates_of_any_version_and_century() {
        let version_3 = [0xa0, 3, 2, 1, 2];
        for (version, times, dates) in [
            (
                &version_3[..],
                [(0x17, "200101000000Z"), (0x17, "491231000000Z")],
                ["2020-01-01", "2049-12-31"],
            ),
            (
                &[],
                [(0x17, "991231235959Z"), (0x18, "20520229000000Z")],
                ["1999-12-31", "2052-02-29"],
            ),
        ] {
            let der = certificate(version, times);
            let [from, until] = dates.map(str::to_owned);
            assert_eq!(validity(&der), Some(Validity { from, until }));
            for length in 0..der.len() {
                assert_eq!(validity(&der[..length]), None, "{length}");
            }
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_dates() {
        for der in [
            &b""[..],
            b"0",
            b"0\xff",
            b"0\x84\xff\xff\xff\xff",
            b"0\x02\x30\x80",
            b"\x30\x05hello",
        ] {
            assert_eq!(validity(der), None, "{der:?}");
        }
    }
}
