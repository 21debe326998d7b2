//! Brokers as a URL: `mqtt[s]://[user[:password]@]host[:port][,host[:port]...]`.

use percent_encoding::percent_decode_str;

use super::values::{self, Host};

/// What a URL says.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    pub tls: bool,
    pub username: Option<String>,
    pub password: Option<String>,
    /// One or more.
    pub hosts: Vec<Host>,
}

/// Reads a URL (RFC 3986; the scheme as mosquitto's clients have it).
pub fn parse(url: &str) -> Result<BrokerUrl, String> {
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("no `://`"))?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "mqtt" => false,
        "mqtts" => true,
        _ => return Err(wrong("the scheme is neither mqtt nor mqtts")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(wrong("there is something after the host and port"));
    }
    let (login, authority) = match rest.rsplit_once('@') {
        Some((login, authority)) => (Some(login), authority),
        None => (None, rest),
    };
    let decode = |text: &str| {
        let text = percent_decode_str(text).decode_utf8();
        let text = text.map_err(|_| wrong("user or password is not UTF-8"))?;
        values::text(&text)
            .map_err(|_| wrong("user or password is empty or has a control character"))
    };
    let (username, password) = match login.map(|login| login.split_once(':').ok_or(login)) {
        None => (None, None),
        Some(Ok((username, password))) => (Some(decode(username)?), Some(decode(password)?)),
        Some(Err(username)) => (Some(decode(username)?), None),
    };
    Ok(BrokerUrl {
        tls,
        username,
        password,
        hosts: authority.split(',').map(host).collect::<Result<_, _>>()?,
    })
}

fn wrong(why: &str) -> String {
    format!("mqtt[s]://[user[:password]@]host[:port][,...]: {why}")
}

fn host(authority: &str) -> Result<Host, String> {
    let (host, port) = match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((address, port)) => {
            let address = ipv6(address)?;
            match port.strip_prefix(':') {
                _ if port.is_empty() => (address, None),
                Some(port) => (address, Some(port)),
                None => return Err(wrong("there is something after `]`")),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (authority.to_owned(), None),
        },
    };
    Ok(Host {
        name: values::host(&host).map_err(|_| wrong("no host"))?,
        port: port
            .map(|port| values::port(port).map_err(|_| wrong("the port is not 1 to 65535")))
            .transpose()?,
    })
}

/// An IPv6 address, and perhaps the interface that it is on, as getaddrinfo(3) takes both: `%25eth0` (RFC 6874,
/// section 2), or `%eth0`, as people write it.
fn ipv6(text: &str) -> Result<String, String> {
    let no_address = || wrong("what is in brackets is no IPv6 address");
    let (address, zone) = match text.split_once('%') {
        None => (text, None),
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
    };
    if address.parse::<std::net::Ipv6Addr>().is_err() || zone == Some("") {
        return Err(no_address());
    }
    let Some(zone) = zone else {
        return Ok(address.to_owned());
    };
    let zone = percent_decode_str(zone).decode_utf8();
    let zone = zone.map_err(|_| no_address())?;
    Ok(format!("{address}%{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Result<String, String> {
        parse(url).map(|url| {
            let mut shown = format!(
                "{} {} {}",
                if url.tls { "tls" } else { "tcp" },
                url.username.as_deref().unwrap_or("-"),
                url.password.as_deref().unwrap_or("-"),
            );
            for host in url.hosts {
                let port = host.port.map_or("-".to_owned(), |port| port.to_string());
                shown.push_str(&format!(" {} {port}", host.name));
            }
            shown
        })
    }

    #[test]
    fn urls_of_brokers() {
        for (url, expected) in [
            ("mqtt://pi.local", "tcp - - pi.local -"),
            ("mqtts://pi.local/", "tls - - pi.local -"),
            ("MQTTS://alice@pi:8884", "tls alice - pi 8884"),
            (
                "mqtt://al%40ice:p%3Aw%2Fd@[::1]:1884",
                "tcp al@ice p:w/d ::1 1884",
            ),
            ("mqtt://a:b:c@h", "tcp a b:c h -"),
            ("mqtt://[fe80::1]", "tcp - - fe80::1 -"),
            ("mqtt://[fe80::1%25eth0]", "tcp - - fe80::1%eth0 -"),
            ("mqtts://u@[fe80::1%25en%2D1]:1", "tls u - fe80::1%en-1 1"),
            ("mqtt://[fe80::1%wlan0]:2", "tcp - - fe80::1%wlan0 2"),
            ("mqtt://u:a,b@x:1,[::1]:2,y/", "tcp u a,b x 1 ::1 2 y -"),
        ] {
            assert_eq!(shown(url), Ok(expected.to_owned()), "{url}");
        }
    }

    #[test]
    fn what_is_no_such_url_is_said_so() {
        for (url, words) in [
            ("pi.local", "://"),
            ("http://pi", "neither"),
            ("mqtt://", "no host"),
            ("mqtt://h:0", "the port"),
            ("mqtt://h,", "no host"),
            ("mqtt://h,i:x", "the port"),
            ("mqtt://h:99999", "the port"),
            ("mqtt://h/topic", "after the host"),
            ("mqtt://[::1", "the port"),
            ("mqtt://[x]:1", "no IPv6"),
            ("mqtt://[%25eth0]", "no IPv6"),
            ("mqtt://[fe80::1%25]", "no IPv6"),
            ("mqtt://[fe80::1%25%ff]", "no IPv6"),
            ("mqtt://[fe80::1%25a%20b]", "no host"),
            ("mqtt://[::1]1", "after `]`"),
            ("mqtt://%ff@h", "not UTF-8"),
            ("mqtt://%00@h", "control"),
            ("mqtt://:secret@h", "empty"),
        ] {
            let why = shown(url).unwrap_err();
            assert!(why.contains(words), "{url}: {why}");
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
