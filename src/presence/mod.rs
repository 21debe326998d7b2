//! Who is up: the words of a small protocol in retained messages. A client that is to be seen says them (the link does,
//! for any role), and whoever looks after all of them reads them ([`crate::fleet`]).
//!
//! On the *status topic* the retained payload is [`ONLINE`] or [`OFFLINE`], as Home Assistant and others expect; the
//! latter is the last will, too (MQTT 3.1.1, section 3.1.2.5). One level below it, on `about`, are the
//! [`Details`].

use crate::json::{self, Value};
use crate::mqtt::{Level, TopicName};

/// The payload of a client that is connected.
pub const ONLINE: &str = "online";
/// The payload of a client that is not.
pub const OFFLINE: &str = "offline";

/// The level below the status topic that has the details.
pub const ABOUT: &str = "about";

/// How a run ended that was asked to.
pub const STOPPED: &str = "stopped";
/// How a run ended that did what it was for.
pub const FINISHED: &str = "finished";

/// The topic of the details that belong to this status topic.
#[must_use]
pub fn about(status: &TopicName) -> TopicName {
    match Level::new(ABOUT) {
        Ok(about) => status.join(&about),
        Err(_) => status.clone(),
    }
}

/// What a client says of itself, beside being there. Times are whole seconds since 1970 (Unix time) by the client's clock.
#[derive(Debug, Default)]
pub struct Details {
    /// `device alice`, `controller`, `responder`.
    pub role: String,
    /// The client id.
    pub id: String,
    /// This program's version.
    pub version: String,
    /// When its process began. Where that was before `since`, the process has outlived a lost connection.
    pub started: u64,
    /// When it connected.
    pub since: u64,
    /// When it said this.
    pub at: u64,
    /// What it is doing, in a few words.
    pub doing: String,
    /// How many sessions have come to their end; `None` for a role that has none.
    pub sessions: Option<u64>,
    /// How it ended: [`STOPPED`], [`FINISHED`], or `failed: ` and why. `None` while it is there, and after a loss.
    pub end: Option<String>,
    /// When it is to be back, if it has ended only until then.
    pub next: Option<u64>,
}

impl Details {
    /// The details as a line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let or_null = |value: Option<String>| value.unwrap_or_else(|| "null".to_owned());
        let number = |value: Option<u64>| or_null(value.map(|number| number.to_string()));
        format!(
            "{{\"role\":{},\"id\":{},\"version\":{},\"started\":{},\"since\":{},\"at\":{},\"doing\":{},\"sessions\":{},\"end\":{},\"next\":{}}}",
            json::quoted(&self.role),
            json::quoted(&self.id),
            json::quoted(&self.version),
            self.started,
            self.since,
            self.at,
            json::quoted(&self.doing),
            number(self.sessions),
            or_null(self.end.as_deref().map(json::quoted)),
            number(self.next),
        )
    }
}

/// The details as somebody else has written them: perhaps another version, so that members may be missing or unknown.
#[derive(Debug, PartialEq, Eq)]
pub struct Said(Vec<(String, Value)>);

impl Said {
    /// The details in a payload; `None` where it has none.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        json::members(std::str::from_utf8(payload).ok()?).map(Self)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let mut members = self.0.iter();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// The text of this name.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of this name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Its members in JSON, each with a comma before it.
    #[must_use]
    pub fn members(&self) -> String {
        let mut members = String::new();
        for (name, value) in &self.0 {
            let value = match value {
                Value::Text(text) => json::quoted(text),
                Value::Number(number) => number.to_string(),
                Value::Null => "null".to_owned(),
            };
            for part in [",", &json::quoted(name), ":", &value] {
                members.push_str(part);
            }
        }
        members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_read_as_they_are_written() {
        let details = Details {
            role: "device al\"ice".to_owned(),
            id: "device-al\"ice".to_owned(),
            version: "1".to_owned(),
            started: 1,
            since: 2,
            at: 3,
            doing: "12 commands answered".to_owned(),
            sessions: Some(4),
            end: Some("failed: no answer".to_owned()),
            next: Some(5),
        };
        let json = details.to_json();
        assert_eq!(
            json,
            r#"{"role":"device al\"ice","id":"device-al\"ice","version":"1","started":1,"since":2,"at":3,"doing":"12 commands answered","sessions":4,"end":"failed: no answer","next":5}"#
        );
        let said = Said::read(json.as_bytes()).unwrap();
        assert_eq!(said.members(), format!(",{}", &json[1..json.len() - 1]));
        assert_eq!(said.text("id"), Some("device-al\"ice"));
        assert_eq!((said.text("at"), said.number("at")), (None, Some(3)));
        assert_eq!(said.number("id"), None);
        let few = Said::read(br#"{"end":null,"later":"y"}"#).unwrap();
        assert_eq!((few.text("end"), few.text("id")), (None, None));
        assert_eq!(Said::read(b"online"), None);
        assert_eq!(Said::read(b"\xff"), None);
    }

    #[test]
    fn the_details_are_one_level_below() {
        let status = TopicName::new("mqtt_client/x/status").unwrap();
        assert_eq!(about(&status).as_str(), "mqtt_client/x/status/about");
    }
}
