//! Files of lines that a person has written: the replies, the roster.

use std::path::Path;

use super::byte_order_mark::without_mark;
use crate::device_session::InvalidFile;
use crate::role::{Failure, Kind};

/// What `parse` makes of the file `path`; `what` it is.
///
/// # Errors
/// Names the file, and the line of it that is wrong.
pub fn read<T>(
    what: &str,
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, InvalidFile>,
) -> Result<T, Failure> {
    let wrong = |why: String| {
        let text = format!("{what} {}: {why}", path.display());
        Failure::new(Kind::Config, text)
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    parse(without_mark(&text)).map_err(|error| wrong(error.to_string()))
}
