//! What the time is, in the words of a header and in the zone that TZ names.

use std::time::SystemTime;

use crate::connection::Connection;
use crate::control::Setup;
use crate::control::zone::Zone;
use crate::log::Log;
use crate::message::date::rfc5322;

impl Connection<'_> {
    /// Now, for RFC 5322: in the zone of the connection, but where a rule has set another TZ for a transaction.
    pub(super) fn date(&mut self, setup: &Setup) -> String {
        let named = |setup: &Setup| setup.environment.get(b"TZ").map(<[u8]>::to_vec);
        if std::ptr::eq(setup, self.setup) || named(setup) == named(self.setup) {
            return rfc5322(now_seconds(), &self.zone);
        }
        rfc5322(now_seconds(), &zone_of(setup, &mut self.log))
    }
}

/// The zone of these settings; if they name none, the log says so, and it is UTC.
pub(super) fn zone_of(setup: &Setup, log: &mut Log) -> Zone {
    Zone::of(&setup.environment).unwrap_or_else(|no_zone| {
        log.lines(&[no_zone.to_string()]);
        Zone::default()
    })
}

pub(super) fn now_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
