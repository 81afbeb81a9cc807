//! A message on its way from the client to the queue program, and what refuses it.

use crate::control::Setup;
use crate::message::unstuff::Bare;
use crate::message::{Content, Limits, Settled};
use crate::policy::verdict::LookupFailed;
use crate::screen::Screening;
use crate::screen::rules::{Lists, Rules};
use crate::session::Outcome;

/// One message on its way, with the limits and the lists that the settings of its transaction have.
#[derive(Debug)]
pub struct Passage {
    content: Content,
    /// None where no list is asked for; most messages need not carry its room about.
    screening: Option<Box<Screening>>,
}

impl Passage {
    /// The beginning of a message.
    ///
    /// # Errors
    ///
    /// A list of content that is refused cannot be read.
    pub fn new(setup: &Setup) -> Result<Self, LookupFailed> {
        let screening = Rules::of(&Lists::of(setup)?)?.map(|rules| Box::new(Screening::new(rules)));
        let control = &setup.control;
        let content = Content::new(Limits {
            octets_max: control.databytes,
            hops_max: control.hops_max,
            bare: Bare { lf: control.allow_bare_lf, cr: !control.forbid_bare_cr },
        });
        Ok(Self { content, screening })
    }

    /// Takes the octets of `buffer` behind [`Content::HEADROOM`] and leaves the text to store in the same buffer.
    pub fn take(&mut self, buffer: &mut [u8]) -> Settled {
        let settled = self.content.take(buffer);
        if let Some(screening) = &mut self.screening {
            screening.take(buffer.get(settled.text.clone()).unwrap_or_default());
            if settled.stop.is_some() {
                screening.end();
            }
        }
        settled
    }

    /// Nobody shall get the message, so nobody needs more of it.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.content.flaw().is_some() || self.screening.as_ref().is_some_and(|screening| screening.found().is_some())
    }

    /// What becomes of the message without the queue program, once its end was read; none if that is asked.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let banned = self.screening.as_ref().and_then(|screening| screening.found()).cloned();
        banned.map(Outcome::Banned).or_else(|| self.content.flaw().map(Outcome::Flawed))
    }

    /// How many octets of the text stand in front of the line that a list refuses.
    #[must_use]
    pub fn found_at(&self) -> Option<u64> {
        self.screening.as_ref().and_then(|screening| screening.found_at())
    }

    /// The octets of the message as stored: LF for each line end, without trace header.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.content.octets()
    }

    /// The trace lines of its header so far.
    #[must_use]
    pub fn hops(&self) -> u32 {
        self.content.hops()
    }
}
