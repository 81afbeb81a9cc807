//! `postern explain`: situations through the very code of smtpd, with every source, its reasons, and what would change them.

mod batch;
mod candidates;
mod change;
mod data;
mod in_force;
mod message;
mod overlay;
mod show;
mod steps;
mod words;

use std::io::Write;

use crate::control::Setup;
use crate::lookup::Known;
use crate::operator::command::Explain;
use crate::operator::ended::Ended;
use crate::operator::situation::Situation;
use crate::operator::surroundings::{Connection, Surroundings, control_directory};
use crate::policy::{Certificate, Credentials};

pub use crate::operator::explain::show::exit_code;
pub use crate::operator::explain::steps::{Explanation, Outcome, Until, explain};

use crate::operator::explain::change::{Trials, Turnaround};
use crate::operator::explain::message::Message;
use crate::operator::explain::overlay::Overlay;
use crate::operator::explain::show::{as_json, as_text};

/// Explains the situation of the options, or those of a batch on standard input, and returns the exit code.
///
/// # Errors
///
/// What keeps us from knowing, or from telling.
pub fn run(options: &Explain, output: &mut dyn Write) -> Result<u8, Ended> {
    let directory = control_directory(&options.place)?;
    let mut surroundings = Surroundings::new(directory, &options.variables, options.rules.as_deref(), options.dns)?;
    let Some(situation) = situation(options) else { return batch::run(&mut surroundings, options.json, output) };
    let message = options.message.as_deref().map(Message::read).transpose()?;
    let until = message.as_ref().map_or(Until::Data, Until::Message);
    let mut explanation = explain(&mut surroundings, &situation, &[], until)?;
    look_for_changes(&mut surroundings, &situation, &mut explanation)?;
    let directory = &surroundings.directory;
    let text = match options.json {
        true => format!("{:#}\n", as_json(&explanation, &situation, directory)),
        false => as_text(&explanation, directory),
    };
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).map_err(|error| Ended::unwritten(&error))?;
    Ok(exit_code(explanation.outcome(situation.recipients.len())))
}

/// The situation of the options; none is a batch.
fn situation(options: &Explain) -> Option<Situation> {
    let octets = |text: &String| text.clone().into_bytes();
    Some(Situation {
        name: options.name.as_ref().map(octets).filter(|name| !name.is_empty()),
        helo: options.helo.as_ref().map(octets),
        sender: octets(&options.from),
        recipients: options.rcpt.iter().map(octets).collect(),
        credentials: Credentials {
            user: options.auth.as_ref().map(octets),
            without_relay: false,
            tls: options.tls || options.cert.is_some(),
            certificate: options.cert.as_ref().map(|address| Certificate::Of(vec![octets(address)])),
        },
        at_seconds: options.at,
        ..Situation::of(options.ip?)
    })
}

/// Finds for each decision the smallest change that turns it around.
fn look_for_changes(
    surroundings: &mut Surroundings,
    situation: &Situation,
    explanation: &mut Explanation,
) -> Result<(), Ended> {
    let connection: Connection = surroundings.connection(situation, &[])?;
    // Where smtpd cannot begin there is nothing to turn around but that.
    let Ok(setup) = surroundings.setup(connection.environment.clone()) else { return Ok(()) };
    let directory = &surroundings.directory;
    let overlay = match Overlay::new(directory) {
        Ok(overlay) => overlay,
        Err(error) => {
            if let Some(step) = explanation.steps.last_mut() {
                step.change = Some(Turnaround::NotTried(format!("no private directory for it: {error}")));
            }
            return Ok(());
        }
    };
    let known = Known::from(surroundings.dns(&setup));
    let mut trials = Trials { connection: &connection, setup: &setup, situation, known, overlay };
    for recipient in 0..situation.recipients.len() {
        let at = explanation.decided_at(recipient);
        if explanation.steps.get(at).is_some_and(|step| step.change.is_none()) {
            let found = trials.turnaround(explanation, recipient);
            if let Some(step) = explanation.steps.get_mut(at) {
                step.change = found;
            }
        }
    }
    Ok(())
}

/// Whether the settings of a connection ask for AUTH or TLS before MAIL.
#[must_use]
pub fn demanded(setup: &Setup) -> Credentials {
    let control = &setup.control;
    Credentials {
        user: control.require_auth.then(|| b"somebody".to_vec()),
        tls: control.force_tls,
        ..Credentials::default()
    }
}
