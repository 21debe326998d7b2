//! A command line, an argument to each NUL, and after a line feed the environment.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use mqtt_client::cli::{Command, parse};
use mqtt_client::role::Kind;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
    let arguments = parts.next().unwrap_or_default();
    let environment = parts.next().unwrap_or_default();
    let endless = |bytes: &[u8]| bytes.windows(4).any(|part| part == b"/dev");
    if endless(bytes) {
        return;
    }
    let arguments = arguments.split(|byte| *byte == 0);
    let arguments = arguments.map(|argument| OsStr::from_bytes(argument).to_owned());
    let lookup = |name: &str| {
        let mut lines = environment.split(|byte| *byte == 0);
        let value = lines.find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        value.map(|value| OsStr::from_bytes(value).to_owned())
    };
    let options = match parse(arguments, &lookup) {
        Err(failure) => {
            assert!(matches!(
                failure.kind,
                Kind::Usage | Kind::Input | Kind::Config
            ));
            return assert!(!failure.text.is_empty());
        }
        Ok((_, Command::Help | Command::Version | Command::Demo)) => return,
        Ok((_, Command::Request { options, .. })) => options,
        Ok((_, Command::Device { options, .. })) => options,
        Ok((_, Command::Controller { options, .. })) => options,
        Ok((_, Command::Responder { options, .. })) => options,
    };
    assert!(options.port > 0 && !options.host.is_empty() && !options.client_id.is_empty());
    assert!(options.login.is_none_or(|login| !login.username.is_empty()));
});
