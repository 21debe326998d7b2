//! The replies file of a device or a controller.

use std::path::Path;

use super::text_file;
use crate::device_session::Replies;
use crate::role::Failure;

/// The replies in the file `path`; `usual` where there is none.
///
/// # Errors
/// Names the file, and the line of it that is wrong.
pub fn load(path: Option<&Path>, usual: Replies) -> Result<Replies, Failure> {
    match path {
        Some(path) => text_file::read("replies file", path, Replies::parse),
        None => Ok(usual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Kind;

    #[test]
    fn a_replies_file_that_is_wrong_is_named_with_its_line() {
        let file = std::env::temp_dir().join(format!("mqtt_client-replies-{}", std::process::id()));
        std::fs::write(&file, "CMD1=yes\nCMD1=no").unwrap();
        let failure = load(Some(&file), Replies::default()).unwrap_err();
        assert_eq!(failure.kind, Kind::Config);
        assert!(failure.text.contains("line 2"), "{failure}");
        std::fs::write(&file, "\u{feff}CMD1=yes").unwrap();
        let replies = load(Some(&file), Replies::default()).unwrap();
        assert!(replies.answer("CMD1").is_some(), "{replies:?}");
        std::fs::remove_file(&file).unwrap();
        let failure = load(Some(&file), Replies::default()).unwrap_err();
        assert_eq!(failure.kind, Kind::Config);
        let usual = Replies::default();
        assert_eq!(load(None, usual.clone()), Ok(usual));
    }
}
