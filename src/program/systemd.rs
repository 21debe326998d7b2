//! Life under systemd: readiness, status, watchdog (sd_notify(3)), and the journal's priorities
//! (sd-daemon(3)). Outside systemd nothing here does anything.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use log::{Level, debug};
use sd_notify::NotifyState;

use crate::link::Watcher;

/// The shortest time between two status lines: systemd keeps the last one only.
const STATUS_EVERY: Duration = Duration::from_secs(1);

/// The service manager, as the link sees it.
#[derive(Debug, Default)]
pub struct Systemd {
    /// A third of WATCHDOG_USEC, where the unit asks for a watchdog.
    feed_every: Option<Duration>,
    fed: Option<Instant>,
    said: Option<(Instant, String)>,
    /// Whether anybody listens.
    present: bool,
}

impl Systemd {
    /// Tells systemd, if it is there, that the configuration is valid and the work begins. Not that
    /// there is a broker: waiting for one would keep the boot in "activating".
    #[must_use]
    pub fn ready() -> Self {
        let present = std::env::var_os("NOTIFY_SOCKET").is_some();
        if present {
            send(&[NotifyState::Ready]);
        }
        Self {
            feed_every: sd_notify::watchdog_enabled().map(|limit| limit / 3),
            present,
            ..Self::default()
        }
    }

    /// Tells systemd that the end has begun.
    pub fn stopping() {
        if std::env::var_os("NOTIFY_SOCKET").is_some() {
            send(&[NotifyState::Stopping]);
        }
    }
}

fn send(state: &[NotifyState<'_>]) {
    // systemd notices the silence itself; there is nobody else to tell.
    if let Err(error) = sd_notify::notify(state) {
        debug!("systemd does not listen: {error}");
    }
}

impl Watcher for Systemd {
    fn interval(&self) -> Option<Duration> {
        let overdue = self.said.as_ref().is_some_and(|(_, text)| text.is_empty());
        match overdue {
            true => Some(
                self.feed_every
                    .map_or(STATUS_EVERY, |every| every.min(STATUS_EVERY)),
            ),
            false => self.feed_every,
        }
    }

    fn look(&mut self, now: Instant, status: &dyn Fn() -> String) {
        if !self.present {
            return;
        }
        let long_ago = |at: Instant, time| now.saturating_duration_since(at) >= time;
        if let Some(every) = self.feed_every {
            if self.fed.is_none_or(|at| long_ago(at, every)) {
                send(&[NotifyState::Watchdog]);
                self.fed = Some(now);
            }
        }
        match &mut self.said {
            // Too soon after the last line: an empty text stands for "look again".
            Some((at, text)) if !long_ago(*at, STATUS_EVERY) => {
                if *text != status() {
                    text.clear();
                }
            }
            said => {
                let status = status();
                if said.as_ref().is_none_or(|(_, text)| *text != status) {
                    send(&[NotifyState::Status(&status)]);
                    *said = Some((now, status));
                }
            }
        }
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
