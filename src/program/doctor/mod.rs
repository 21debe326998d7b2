//! The command `doctor`: the way to the broker, step by step, and what the broker allows. It changes nothing: it has a
//! client id of its own and a clean session, and publishes on topics of its own.

mod broker;
mod examination;
mod plan;
mod report;
mod unit;
mod way;

use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::connection::Connection;
use super::{machine, programs, replies, until_found};
use crate::cli::{self, Examined, Invocation, Patient, Setting, Source};
use crate::link::{Address, End, Options, Session, Stop};
use crate::mqtt::Level;
use crate::role::{Failure, Kind};
use broker::Broker;
use plan::Plan;
use report::Report;
use unit::Unit;

/// Examines. The exit code is that of the first step that failed.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(patient: Patient, json: bool) -> Result<u8, Failure> {
    until_found(move |stop, code| {
        let mut report = Report::new(json);
        let end = examine(patient, &mut report, stop);
        code.store(report.code(), Ordering::Relaxed);
        report.finish().and(end)
    })
}

fn examine(patient: Patient, report: &mut Report, stop: &Stop) -> Result<End, Failure> {
    let (run, settings, unit) = match patient {
        Patient::Run { run, settings } => (run, settings, None),
        Patient::Unit(name) => match of_unit(&name) {
            Ok((run, settings, unit)) => {
                report.fact("unit", &name);
                (run, settings, Some(unit))
            }
            Err(failure) => {
                report.bad("settings", &failure);
                return Ok(End::Finished);
            }
        },
    };
    say_settings(report, &settings, unit.as_ref());
    let own = own_level();
    let (plan, connection) = match prepare(&run, &own) {
        Ok(ready) => ready,
        Err(failure) => {
            // A unit's password is root's.
            let is_roots = unit.is_some() && failure.text.contains("Permission denied");
            let remedy = if is_roots {
                "; run it as root, by sudo"
            } else {
                ""
            };
            let failure = Failure::new(failure.kind, failure.text + remedy);
            report.bad("settings", &failure);
            return Ok(End::Finished);
        }
    };
    report.fact("settings", &plan.title);
    let Some(options) = connection.for_person(Session::Clean, stop)? else {
        return Ok(End::Stopped);
    };
    let brokers = options.brokers();
    for broker in &brokers {
        if brokers.len() > 1 {
            report.turn_to(broker.to_string());
        }
        let options = options_for(&options, broker, &own);
        if way::to_broker(&options, report) {
            let mut broker = Broker::new(&options, &plan, stop, report);
            if broker.examine() == End::Stopped {
                return Ok(End::Stopped);
            }
        }
        if report.is_unsaid() {
            break;
        }
    }
    Ok(End::Finished)
}

/// What a unit runs, and its settings.
fn of_unit(name: &str) -> Result<(Examined, Vec<Setting>, Unit), Failure> {
    let unit = unit::read(name)?;
    let arguments = unit.arguments.iter().map(OsString::from);
    let arguments = std::iter::once("doctor".into()).chain(arguments);
    match cli::parse(arguments, &|name| unit.environment(name))? {
        (
            _,
            Invocation::Doctor {
                patient: Patient::Run { run, settings },
                ..
            },
        ) => Ok((run, settings, unit)),
        _ => {
            let text = format!("{name} runs what is no device, controller or responder");
            Err(Failure::new(Kind::Config, text))
        }
    }
}

fn say_settings(report: &mut Report, settings: &[Setting], unit: Option<&Unit>) {
    for setting in settings {
        let mut line = setting.to_string();
        if let (Source::Variable(name), Some(unit)) = (&setting.source, unit) {
            let place = unit.variable(name).map_or("the unit", |known| &known.place);
            line = line.replace(&format!("({name})"), &format!("({name} in {place})"));
        }
        report.fact("setting", &line);
    }
    let unknown = match unit {
        Some(unit) => {
            let names = unit.variables.iter().map(|known| known.name.clone().into());
            cli::unknown_variables(names.collect())
        }
        None => super::unknown_variables(),
    };
    for variable in unknown {
        report.note("setting", &variable.to_string(), "");
    }
}

/// A topic level of the doctor's own, which no other client has.
fn own_level() -> Level {
    let text = format!("doctor-{:08x}", fastrand::u32(..));
    // It has no character that a level may not have.
    Level::new(&text).unwrap_or_else(|_| Level::known("doctor"))
}

/// Reads what the settings name, as the run itself would.
fn prepare(run: &Examined, own: &Level) -> Result<(Plan, Connection), Failure> {
    let mut user_id = None;
    if let Examined::Role(run) = run {
        match &**run {
            Invocation::Device {
                config,
                replies,
                programs,
                ..
            } => {
                user_id = Some(machine::user_id(config.user_id.clone())?);
                replies::load(replies.as_deref(), config.replies.clone())?;
                programs::open(programs.clone(), &[])?;
            }
            Invocation::Controller { plan, replies, .. } => {
                replies::load(replies.as_deref(), plan.replies.clone())?;
            }
            Invocation::Responder { programs, .. } => {
                programs::open(programs.clone(), &[])?;
            }
            _ => {}
        }
    }
    let plan = Plan::new(run, user_id.as_ref(), own);
    let connection = run
        .connection()
        .cloned()
        .ok_or_else(|| Failure::new(Kind::Usage, "there is no connection to examine"))?;
    Ok((plan, Connection::load(connection)?))
}

/// The same options for one broker, and for a client of its own: where the broker wants client ids to begin in some
/// way, this one does.
fn options_for(options: &Options, broker: &Address, own: &Level) -> Options {
    Options {
        host: broker.host.clone(),
        port: broker.port,
        others: Vec::new(),
        client_id: format!("{}-{own}", options.client_id),
        // A broker that closes the connection at a message is tried again, soon.
        reconnect_delay: Duration::from_millis(20),
        ..options.clone()
    }
}
