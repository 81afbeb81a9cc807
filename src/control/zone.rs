//! The time zone of dates: what TZ names, as the C library reads it (tzset(3)); without TZ it is UTC (D21).

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use tz::TimeZone;

use crate::control::environment::Environment;
use crate::control::load::read_list;

/// Where zones are, unless TZDIR names another directory.
const DIRECTORY: &[u8] = b"/usr/share/zoneinfo";

/// A time zone; UTC by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zone(Option<Box<TimeZone>>);

/// TZ names no zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoZone {
    name: Vec<u8>,
}

impl fmt::Display for NoZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TZ={} names no time zone: dates are UTC", self.name.escape_ascii())
    }
}

impl Zone {
    /// The zone of `TZ`: the name of a file in `TZDIR`, the path of one, or a rule of POSIX as `CET-1CEST,M3.5.0,M10.5.0/3`,
    /// each behind a colon or not; UTC if it is not set, or empty. A rule that names a summer time has to say when it is: what
    /// the C library takes it for depends on the host.
    ///
    /// # Errors
    ///
    /// [`NoZone`] if it is none of these.
    pub fn of(environment: &Environment) -> Result<Self, NoZone> {
        let value = environment.get(b"TZ").unwrap_or_default();
        let name = value.strip_prefix(b":").unwrap_or(value);
        if name.is_empty() {
            return Ok(Self(None));
        }
        let directory = environment.get(b"TZDIR").filter(|directory| !directory.is_empty()).unwrap_or(DIRECTORY);
        let zone = of_file(directory, name).or_else(|| of_rule(name));
        zone.map(|zone| Self(Some(Box::new(zone)))).ok_or_else(|| NoZone { name: value.to_vec() })
    }

    /// What its clocks are ahead of UTC at a moment, in seconds.
    #[must_use]
    pub fn offset_seconds(&self, moment: u64) -> i32 {
        let Some(zone) = self.0.as_deref() else { return 0 };
        let found = zone.find_local_time_type(i64::try_from(moment).unwrap_or(i64::MAX)).ok();
        // A file may end without a rule for the time after its last change.
        let last = || zone.as_ref().local_time_types().get(zone.as_ref().transitions().last()?.local_time_type_index());
        found.or_else(last).map_or(0, tz::LocalTimeType::ut_offset)
    }
}

/// A file of a zone; a name does not lead out of the directory.
fn of_file(directory: &[u8], name: &[u8]) -> Option<TimeZone> {
    let name = Path::new(OsStr::from_bytes(name));
    if name.components().any(|component| component == Component::ParentDir) {
        return None;
    }
    let file = read_list(&Path::new(OsStr::from_bytes(directory)).join(name)).ok()??;
    TimeZone::from_tz_data(&file).ok()
}

/// A rule of POSIX, as the last line of a file that says nothing else (RFC 9636, 3.3): there hours may be negative or beyond
/// 24, as the C library has it, too.
fn of_rule(rule: &[u8]) -> Option<TimeZone> {
    // No changes, one kind of local time, whose name is empty: it holds nowhere, because the rule always does.
    let header = [b"TZif3".as_slice(), &[0; 15 + 16], &1_u32.to_be_bytes(), &1_u32.to_be_bytes()].concat();
    let data = [0; 6 + 1];
    let zone = TimeZone::from_tz_data(&[&header, data.as_slice(), &header, &data, b"\n", rule, b"\n"].concat()).ok()?;
    zone.as_ref().extra_rule().is_some().then_some(zone)
}
