//! One function a command: what its options and arguments come to. Each is named in the table of commands.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::connection::{ClientId, ConnectionOptions};
use super::doctor::{self, Setting};
use super::nearest::nearest;
use super::programs::ProgramLimits;
use super::table::COMMANDS;
use super::values::{self, Given, Values};
use super::{Invocation, MACHINE, StateConfig, Text, sized, usage};
use crate::device_session::controller::Plan;
use crate::device_session::device::DeviceConfig;
use crate::device_session::prefix::Prefix;
use crate::fleet::FleetConfig;
use crate::mqtt::{Level, QoS, TopicFilter};
use crate::role::{Failure, Kind};
use crate::text_request::requester::RequestConfig;
use crate::text_request::responder::ResponderConfig;
use crate::text_request::{Action, ActionName};

/// The options, read before it is known which command they are for.
#[derive(Default)]
pub struct ServiceOptions {
    pub connection: ConnectionOptions,
    pub lines: bool,
    pub qos: Option<QoS>,
    replies: Option<PathBuf>,
    again: Option<Duration>,
    state: Option<StateConfig>,
    is_state_typed: bool,
    /// A folder, or how many.
    commands: Option<Given>,
    actions: Option<PathBuf>,
    limits: ProgramLimits,
    any_action: bool,
    delay: Option<Duration>,
    seed: Option<u64>,
    sessions: Option<u64>,
    roster: Option<PathBuf>,
    page: Option<PathBuf>,
    report: Option<PathBuf>,
    prefix: Prefix,
    verdict: bool,
    share: Option<Level>,
    once: bool,
    pub service: bool,
    pub json: bool,
    /// What is set, where a doctor is to say so.
    pub settings: Vec<Setting>,
    /// The variable that the unit of a device passes on as an argument.
    pub user_id: Option<String>,
}

impl ServiceOptions {
    pub fn read(values: &mut Values<'_>) -> Result<Self, Failure> {
        // Filled in, and not one literal: there each `?` would drop every field before it (20 kB).
        let mut options = Self::default();
        // First: reading an option takes it away.
        if values.has_word(doctor::NAME) {
            options.settings = doctor::settings(values)?;
        }
        let user_id = values.variable(doctor::USER_ID)?;
        options.user_id = user_id.map(|(_, user_id)| user_id);
        options.service = values.count("--service") > 0;
        options.json = values.count("--json") > 0;
        options.connection = ConnectionOptions::read(values)?;
        options.lines = values.count("--lines") > 0;
        options.qos = values.get("--qos", values::qos)?;
        options.replies = values.get("--replies", values::path)?;
        options.again = values.get("--again", values::limit)?.flatten();
        options.is_state_typed = values.is_typed("--state-dir");
        options.state = values.state()?;
        options.commands = values.given("--commands")?;
        options.actions = values.get("--actions", values::path)?;
        options.limits = ProgramLimits::read(values)?;
        options.any_action = values.count("--any-action") > 0;
        options.delay = values.get("--delay", values::seconds)?;
        options.seed = values.get("--seed", values::number)?;
        options.sessions = values.get("--sessions", values::positive)?;
        options.roster = values.get("--roster", values::path)?;
        options.page = values.get("--page", values::path)?;
        options.report = values.get("--report", values::path)?;
        options.prefix = values.get("--prefix", values::prefix)?.unwrap_or_default();
        options.verdict = values.switch("--verdict")? == Some(true);
        options.share = values.get("--share", values::share_name)?;
        options.once = values.count("--once") > 0;
        Ok(options)
    }
}

pub fn request(options: ServiceOptions, mut free: Vec<OsString>) -> Result<Invocation, Failure> {
    let unknown = unknown_command(&free);
    if options.lines {
        if free.len() != 2 {
            return Err(unknown.unwrap_or_else(|| {
                usage("--lines takes NETID ACTION, and each MESSAGE from standard input".to_owned())
            }));
        }
        free.push("-".into());
    }
    let [net_id, action, message]: [OsString; 3] =
        free.try_into().map_err(|free: Vec<OsString>| {
            let quote = match free.len() {
                ..3 => "",
                3.. => "; quote a MESSAGE with blanks",
            };
            let count = free.len();
            let text = format!("NETID ACTION MESSAGE are three arguments, not {count}{quote}");
            unknown.clone().unwrap_or_else(|| usage(text))
        })?;
    let net_id = level("NETID", net_id)?;
    let action = match options.any_action {
        true => ActionName::new(level("ACTION", action)?),
        false => match (action.to_string_lossy().parse::<Action>(), unknown) {
            (Ok(action), _) => action.into(),
            // `juge python3 client.py` is three words, too.
            (Err(()), Some(unknown)) if nearest_action(&action).is_none() => return Err(unknown),
            (Err(()), _) => return Err(unknown_action(&action)),
        },
    };
    let message = match message.into_string() {
        Ok(message) if message == "-" && options.lines => Text::Lines,
        Ok(message) if message == "-" => Text::Stdin,
        Ok(message) => Text::Typed(sized(message)?),
        Err(_) => return Err(Failure::new(Kind::Input, "MESSAGE is not UTF-8")),
    };
    let usual = RequestConfig::new(net_id, action);
    let timeout = options.connection.timeout;
    Ok(Invocation::Request {
        connection: options.connection.named(usual.net_id.as_str())?,
        config: RequestConfig {
            qos: options.qos.unwrap_or(usual.qos),
            timeout: timeout.unwrap_or(usual.timeout),
            ..usual
        },
        message,
    })
}

fn nearest_action(name: &OsStr) -> Option<&'static str> {
    nearest(&name.to_string_lossy(), Action::ALL.map(Action::name))
}

fn unknown_action(name: &OsStr) -> Failure {
    let meant = nearest_action(name).map_or(
        "uppercase, lowercase, title-case, reverse or shuffle, or with --any-action another one of the responder's".to_owned(),
        |meant| format!("did you mean {meant}?"),
    );
    let name = name.to_string_lossy();
    usage(format!("unknown ACTION `{name}`: {meant}"))
}

/// What is wrong with arguments that are no request, where the first looks like the name of a command.
fn unknown_command(free: &[OsString]) -> Option<Failure> {
    let first = free.first()?.to_str()?;
    let meant = nearest(first, COMMANDS.iter().map(|command| command.name))?;
    let text = format!("unknown command `{first}`: did you mean {meant}?");
    Some(usage(text))
}

pub fn device(options: ServiceOptions, free: Vec<OsString>) -> Result<Invocation, Failure> {
    let [user_id]: [OsString; 1] = free.try_into().map_err(|free: Vec<OsString>| {
        usage(format!(
            "device takes one USER_ID, not {} arguments",
            free.len()
        ))
    })?;
    if user_id.is_empty() {
        let text = format!(
            "USER_ID is empty: who is this device? as a service it is told by MQTT_CLIENT_USER_ID; {MACHINE} is the machine's name"
        );
        return Err(usage(text));
    }
    let usual = DeviceConfig::new(level("USER_ID", user_id)?);
    let timeout = options.connection.timeout;
    let folder = options.commands.map(|given| given.read(values::path));
    let programs = options
        .limits
        .of("--commands", folder.transpose()?, options.state.is_some())?;
    // Not the USER_ID itself: a NETID of that name would be the same client, and its request would end the device's
    // session.
    let client_id = match usual.user_id.as_str() {
        MACHINE => ClientId::WithMachine(below(&options.prefix, "device")),
        id if id.contains(MACHINE) => {
            let text = format!("USER_ID `{id}`: {MACHINE}, the machine's name, stands alone");
            return Err(usage(text));
        }
        id => ClientId::Is(format!("{}-{id}", below(&options.prefix, "device"))),
    };
    Ok(Invocation::Device {
        connection: options.connection.config(client_id)?,
        config: DeviceConfig {
            qos: options.qos.unwrap_or(usual.qos),
            timeout: timeout.unwrap_or(usual.timeout),
            has_programs: programs.is_some(),
            prefix: options.prefix,
            verdict: options.verdict,
            ..usual
        },
        programs,
        replies: options.replies,
        again: options.again,
        state: options.state,
    })
}

pub fn controller(options: ServiceOptions, free: Vec<OsString>) -> Result<Invocation, Failure> {
    none_left(free, "controller")?;
    let usual = Plan::default();
    let timeout = options.connection.timeout;
    let in_a_group = options.share.is_some();
    let commands = options.commands.map(|given| given.read(values::range));
    let commands = commands.transpose()?;
    if options.roster.is_some() {
        let why = match (options.sessions, in_a_group) {
            (Some(_), _) => {
                "--roster and --sessions: the one ends when all have passed, the other after N sessions; leave one away"
            }
            (None, true) => {
                "--roster and --share: of a group no controller sees everybody's sessions; leave one away"
            }
            (None, false) => "",
        };
        if !why.is_empty() {
            return Err(usage(why.to_owned()));
        }
    }
    Ok(Invocation::Controller {
        connection: options
            .connection
            .service(&below(&options.prefix, "controller"), in_a_group)?,
        plan: Plan {
            commands,
            delay: options.delay.unwrap_or(usual.delay),
            timeout: timeout.unwrap_or(usual.timeout),
            qos: options.qos.unwrap_or(usual.qos),
            seed: options.seed.unwrap_or_else(|| fastrand::u64(..)),
            sessions: options.sessions,
            share: options.share,
            prefix: options.prefix,
            verdict: options.verdict,
            ..usual
        },
        replies: options.replies,
        roster: options.roster,
        page: options.page,
        report: options.report,
        state: options.state,
    })
}

pub fn responder(options: ServiceOptions, free: Vec<OsString>) -> Result<Invocation, Failure> {
    none_left(free, "responder")?;
    if options.share.is_some() && options.is_state_typed {
        let text = "--share and --state-dir: while this responder is away the others of its group answer, and nothing is kept for it";
        return Err(usage(text.to_owned()));
    }
    let in_a_group = options.share.is_some();
    let programs = options
        .limits
        .of("--actions", options.actions, options.state.is_some())?;
    Ok(Invocation::Responder {
        connection: options.connection.service("responder", in_a_group)?,
        config: ResponderConfig {
            qos: options.qos.unwrap_or(ResponderConfig::QOS),
            share: options.share,
            has_programs: programs.is_some(),
            seed: fastrand::u64(..),
        },
        programs,
        state: options.state,
    })
}

pub fn fleet(options: ServiceOptions, free: Vec<OsString>) -> Result<Invocation, Failure> {
    if free.len() > 1 {
        let text = format!("fleet takes one FILTER, not {} arguments", free.len());
        return Err(usage(text));
    }
    let filter = match free.into_iter().next() {
        None => FleetConfig::FILTER.to_owned(),
        Some(filter) => filter.to_string_lossy().into_owned(),
    };
    let shown = crate::mqtt::printable(filter.as_bytes());
    let filter = TopicFilter::new(filter)
        .map_err(|why| usage(format!("FILTER `{shown}` is no topic filter: {why}")))?;
    let timeout = options.connection.timeout;
    // Several may watch at the same time.
    let name = format!("mqtt_client-fleet-{:08x}", fastrand::u32(..));
    let connection = options.connection.named(&name)?;
    Ok(Invocation::Fleet {
        connection,
        config: FleetConfig {
            filter,
            is_once: options.once,
            timeout: timeout.unwrap_or(Some(FleetConfig::TIMEOUT)),
        },
        json: options.json,
    })
}

pub fn demo(_: ServiceOptions, free: Vec<OsString>) -> Result<Invocation, Failure> {
    none_left(free, "demo").map(|()| Invocation::Demo)
}

/// The part of a client id that says what it is, with the prefix of its topics: two classes on one broker have a controller
/// and a device of the same name each. Without a slash, because a client id may be one level of a topic.
fn below(prefix: &Prefix, role: &str) -> String {
    match prefix.text() {
        Some(prefix) => format!("{role}-{}", prefix.replace('/', "-")),
        None => role.to_owned(),
    }
}

fn none_left(free: Vec<OsString>, command: &str) -> Result<(), Failure> {
    match free.first() {
        None => Ok(()),
        Some(arg) => Err(usage(format!(
            "{command} takes no argument `{}`",
            arg.to_string_lossy()
        ))),
    }
}

fn level(name: &str, arg: OsString) -> Result<Level, Failure> {
    let shown = arg.to_string_lossy().into_owned();
    if shown.contains("://") {
        return Err(usage(format!(
            "there is a URL where {name} is wanted: put --url before it"
        )));
    }
    Level::from_bytes(arg.as_encoded_bytes()).map_err(|why| {
        usage(format!(
            "{name} `{}` cannot be a topic level: {why}",
            crate::mqtt::printable(shown.as_bytes())
        ))
    })
}
