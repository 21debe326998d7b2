//! The replies file of a device or a controller.

use std::path::Path;

use crate::device_session::Replies;
use crate::role::{Failure, Kind};

/// The replies in the file `path`; `usual` where there is none.
///
/// # Errors
/// Names the file, and the line of it that is wrong.
pub fn load(path: Option<&Path>, usual: Replies) -> Result<Replies, Failure> {
    let Some(path) = path else {
        return Ok(usual);
    };
    let wrong = |why: String| {
        let text = format!("replies file {}: {why}", path.display());
        Failure::new(Kind::Config, text)
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Replies::parse(&text).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replies_file_that_is_wrong_is_named_with_its_line() {
        let file = std::env::temp_dir().join(format!("mqtt_client-replies-{}", std::process::id()));
        std::fs::write(&file, "CMD1=yes\nCMD1=no").unwrap();
        let failure = load(Some(&file), Replies::default()).unwrap_err();
        assert_eq!(failure.kind, Kind::Config);
        assert!(failure.text.contains("line 2"), "{failure}");
        std::fs::remove_file(&file).unwrap();
        let failure = load(Some(&file), Replies::default()).unwrap_err();
        assert_eq!(failure.kind, Kind::Config);
        let usual = Replies::default();
        assert_eq!(load(None, usual.clone()), Ok(usual));
    }
}
