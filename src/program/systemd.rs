//! Life under systemd: readiness, status, watchdog (sd_notify(3)), and the journal's priorities
//! (sd-daemon(3)). Outside systemd nothing here does anything.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use log::{Level, debug};
use sd_notify::NotifyState;

use super::unknown_variables;
use crate::cli::UnknownVariable;
use crate::link::Watcher;
use crate::mqtt::one_line;
use crate::role::Failure;

/// The shortest time between two status lines: systemd keeps the last one only.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// The service manager, as the link sees it.
#[derive(Debug, Default)]
pub struct Systemd {
    /// A third of WATCHDOG_USEC, where the unit asks for a watchdog.
    feed_every: Option<Duration>,
    fed: Option<Instant>,
    status: StatusLine,
    /// What every status ends with.
    remark: String,
    /// Whether systemd started this process and wants to be notified.
    present: bool,
}

/// What systemd knows of the status.
#[derive(Debug, Default)]
enum StatusLine {
    /// Nothing yet.
    #[default]
    Unsent,
    /// This text, sent then.
    Sent { at: Instant, text: String },
    /// A text that was sent then, and has changed since: the new one follows as soon as it may.
    Outdated { sent_at: Instant },
}

impl StatusLine {
    /// Sends `status` where it has changed and the last line is old enough.
    fn update(&mut self, now: Instant, status: &dyn Fn() -> String) {
        let recent = |at: Instant| now.saturating_duration_since(at) < STATUS_EVERY;
        match self {
            Self::Outdated { sent_at } if recent(*sent_at) => {}
            Self::Sent { at, text } if recent(*at) => {
                if *text != status() {
                    *self = Self::Outdated { sent_at: *at };
                }
            }
            Self::Unsent | Self::Sent { .. } | Self::Outdated { .. } => {
                let status = status();
                if !matches!(self, Self::Sent { text, .. } if *text == status) {
                    send(&[NotifyState::Status(&status)]);
                    *self = Self::Sent {
                        at: now,
                        text: status,
                    };
                }
            }
        }
    }
}

impl Systemd {
    /// Whether systemd started this process and wants to be notified.
    #[must_use]
    pub fn is_present() -> bool {
        std::env::var_os("NOTIFY_SOCKET").is_some()
    }

    /// Tells systemd, if it is there, that the configuration is valid and the work begins. Not that
    /// there is a broker: waiting for one would keep the boot in "activating".
    #[must_use]
    pub fn ready() -> Self {
        let present = Self::is_present();
        if present {
            send(&[NotifyState::Ready]);
        }
        Self {
            feed_every: sd_notify::watchdog_enabled().map(|limit| limit / 3),
            present,
            remark: remark(&unknown_variables()),
            ..Self::default()
        }
    }

    /// Tells systemd why a service ends. `systemctl status` shows it until the service starts again.
    pub fn failed(failure: &Failure) {
        if Self::is_present() {
            let status = format!("{failure}{}", remark(&unknown_variables()));
            send(&[NotifyState::Status(&status)]);
        }
    }

    /// Tells systemd that the end has begun.
    pub fn stopping() {
        if Self::is_present() {
            send(&[NotifyState::Stopping]);
        }
    }
}

/// What is to be seen of settings that do nothing for as long as they stand there: the journal has them at the start
/// only.
fn remark(ignored: &[UnknownVariable]) -> String {
    let names: Vec<&str> = ignored.iter().map(|variable| &*variable.name).collect();
    let names = one_line(&names.join(", "));
    match ignored.len() {
        0 => String::new(),
        1 => format!("; 1 setting is ignored: {names}"),
        count => format!("; {count} settings are ignored: {names}"),
    }
}

fn send(state: &[NotifyState<'_>]) {
    // Without notifications systemd applies the unit's timeouts, so the run goes on.
    if let Err(error) = sd_notify::notify(state) {
        debug!("systemd does not listen: {error}");
    }
}

impl Watcher for Systemd {
    fn interval(&self) -> Option<Duration> {
        match self.status {
            StatusLine::Outdated { .. } => Some(
                self.feed_every
                    .map_or(STATUS_EVERY, |every| every.min(STATUS_EVERY)),
            ),
            StatusLine::Unsent | StatusLine::Sent { .. } => self.feed_every,
        }
    }

    fn look(&mut self, now: Instant, status: &dyn Fn() -> String) {
        if !self.present {
            return;
        }
        if let Some(every) = self.feed_every {
            let due = |fed: Instant| now.saturating_duration_since(fed) >= every;
            if self.fed.is_none_or(due) {
                send(&[NotifyState::Watchdog]);
                self.fed = Some(now);
            }
        }
        let remark = &self.remark;
        self.status.update(now, &|| format!("{}{remark}", status()));
    }
}

/// Whether standard error goes to the journal (systemd.exec(5), JOURNAL_STREAM): then lines carry a
/// priority and nothing that the journal adds itself.
#[must_use]
pub fn stderr_is_journal() -> bool {
    let Some(stream) = std::env::var_os("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(metadata) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    let stderr = format!("{}:{}", metadata.dev(), metadata.ino());
    stream.to_str() == Some(&stderr)
}

/// A level as the journal wants it: the priority of syslog(3) in angle brackets.
#[must_use]
pub fn journal_prefix(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_outdated(line: &StatusLine) -> bool {
        matches!(line, StatusLine::Outdated { .. })
    }

    #[test]
    fn a_status_that_changes_too_soon_is_looked_at_again() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut line = StatusLine::default();
        for (ms, status, outdated) in [
            (0, "a", false),
            (100, "a", false),
            (200, "b", true),
            // That it is as before does not matter: the next line is due.
            (300, "a", true),
            (1000, "a", false),
            (1500, "a", false),
            (5000, "a", false),
            // The last line is old enough.
            (5100, "b", false),
        ] {
            line.update(at(ms), &|| status.to_owned());
            assert_eq!(is_outdated(&line), outdated, "{ms} ms, {status}");
        }
    }
}
