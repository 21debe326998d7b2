//! A command line, an argument to each NUL, and after a line feed the environment.
#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use mqtt_client::cli::{ClientId, Invocation, Patient, parse};
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
    let connection = match parse(arguments, &lookup) {
        Err(failure) => {
            assert!(matches!(
                failure.kind,
                Kind::Usage | Kind::Input | Kind::Config
            ));
            return assert!(!failure.text.is_empty());
        }
        Ok((_, Invocation::Help | Invocation::Version | Invocation::Demo)) => return,
        Ok((_, Invocation::Request { connection, .. })) => connection,
        Ok((_, Invocation::Device { connection, .. })) => connection,
        Ok((_, Invocation::Controller { connection, .. })) => connection,
        Ok((_, Invocation::Responder { connection, .. })) => connection,
        Ok((_, Invocation::Fleet { connection, .. })) => connection,
        Ok((_, Invocation::Judge(config))) => {
            assert!(!config.client.is_empty() && !config.time.is_zero());
            return;
        }
        Ok((_, Invocation::Doctor { patient, .. })) => match patient {
            Patient::Unit(_) => return,
            Patient::Run { run, .. } => match run.connection() {
                Some(connection) => connection.clone(),
                None => return,
            },
        },
    };
    let (ClientId::Is(id) | ClientId::WithMachine(id)) = &connection.client_id;
    assert!(!id.is_empty());
    assert!(connection.broker.port > 0 && !connection.broker.host.is_empty());
    let username = connection.login.username;
    assert!(username.is_none_or(|username| !username.is_empty()));
});
