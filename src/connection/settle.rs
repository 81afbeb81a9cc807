//! What became of a message, for the log, for LOGFILTER, for the client and for who should have had it.

use crate::connection::Connection;
use crate::connection::date::now_seconds;
use crate::errno::words;
use crate::queue::log_filter::LogFilter;
use crate::queue::program::Program;
use crate::queue::status::QueueStatus;
use crate::session::{Delivery, Outcome, Turn};

impl Connection<'_> {
    /// What became of a message: the log and LOGFILTER are told, and the client hears it.
    pub(super) fn settle(
        &mut self,
        delivery: &Delivery,
        octets: u64,
        outcome: &Outcome,
        filter: Option<&mut LogFilter>,
    ) -> Turn {
        let own_pid = nix::unistd::getpid().as_raw();
        let mut remark = Vec::new();
        if let (Some(filter), Outcome::Handed(_)) = (filter, outcome) {
            remark = filter.line();
            let lines = self.session.filter_lines(delivery, octets, &remark, own_pid);
            // D93: nothing that goes wrong here becomes a reply: the client has none to wait for.
            if let Err((fifo, error)) = filter.tell(&lines) {
                self.log.lines(&[format!("fifo {}: {}", fifo.display(), words(&error))]);
            }
        }
        for line in self.session.outcome_lines(delivery, octets, outcome, &remark) {
            self.log.lines(&[line]);
        }
        self.session.settle(outcome, now_seconds(), own_pid)
    }

    /// DATABYTES_NOTIFY: tells the recipients of a message that was too big. What becomes of it is only logged.
    pub(super) fn notify(&mut self, delivery: &Delivery, octets: u64) {
        let setup = delivery.setup().unwrap_or(self.setup);
        let date = self.date(setup);
        let Some(notice) = self.session.notice(delivery, octets, &date) else { return };
        let failed = match Program::start(setup, &self.session.exported(delivery.certified()), None) {
            Ok(None) => return, // Nobody would get it.
            Ok(Some(mut program)) => {
                program.write(&self.session.trace_header(delivery, &date));
                program.write(&notice.text);
                match program.hand_over(&notice.envelope) {
                    QueueStatus::Queued { .. } => None,
                    QueueStatus::Refused { text, .. } => Some(String::from_utf8_lossy(&text).into_owned()),
                }
            }
            Err(error) => Some(error.to_string()),
        };
        match failed {
            None => self.log.lines(&self.session.notice_lines(delivery, &notice, octets)),
            Some(why) => self.log.lines(&[format!("notice not queued: {why} reason=DATABYTES_NOTIFY")]),
        }
    }
}
