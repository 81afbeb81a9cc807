//! The lists of addresses that refuse, drop or except, each read when it is first asked.

use std::path::PathBuf;

use crate::control::Setup;
use crate::errno::words;
use crate::lookup::address::{AddressList, Match, Syntax};
use crate::lookup::sql_list::SqlList;
use crate::lookup::undecided::Undecided;
use crate::lookup::{compiled_failed, entry_of, failed, is_compiled, list_name};
use crate::policy::listing::{Listing, Names};
use crate::policy::verdict::{Answer, FileName, LookupFailed};

/// The lists that were asked so far.
#[derive(Debug, Default)]
pub(super) struct Listed {
    asked: Vec<(Listing, Named)>,
}

/// A list by the name that it has here.
#[derive(Debug)]
struct Named {
    list: AddressList,
    sql: SqlList,
    file: FileName,
    patterns: Option<(FileName, PathBuf)>,
}

impl Listed {
    /// Whether a list has the address.
    pub(super) fn find(&mut self, listing: Listing, address: &[u8], setup: &Setup) -> Result<Answer, LookupFailed> {
        let may_be = |names: Names| may_have(setup, names.variable, names.file);
        if !may_be(listing.names()) && !listing.patterns().is_some_and(may_be) {
            return Ok(Answer::Absent);
        }
        // A rule may have given it another name.
        let at =
            match self.asked.iter().position(|(asked, named)| *asked == listing && named.is_so_named(listing, setup)) {
                Some(at) => at,
                None => {
                    self.asked.push((listing, Named::new(listing, setup)));
                    self.asked.len() - 1
                }
            };
        match self.asked.get_mut(at) {
            Some((_, named)) => named.find(address, setup),
            None => Ok(Answer::Absent),
        }
    }
}

impl Named {
    fn new(listing: Listing, setup: &Setup) -> Self {
        let directory = &setup.control.directory;
        let name = |names: Names| list_name(setup, names.variable, names.file);
        let file = name(listing.names());
        let mut list = AddressList::new(directory, &file);
        let patterns = listing.patterns().map(name);
        if let Some(patterns) = &patterns {
            list = list.with_patterns(directory, patterns);
        }
        let patterns = patterns.map(|patterns| (patterns.clone(), directory.join(patterns.as_ref())));
        Self { list, sql: SqlList::new(directory, &file), file, patterns }
    }

    fn is_so_named(&self, listing: Listing, setup: &Setup) -> bool {
        let is = |names: Names, file: &FileName| list_name(setup, names.variable, names.file) == *file;
        let patterns = listing.patterns().zip(self.patterns.as_ref());
        is(listing.names(), &self.file) && patterns.is_none_or(|(names, (file, _))| is(names, file))
    }

    fn find(&mut self, address: &[u8], setup: &Setup) -> Result<Answer, LookupFailed> {
        let found = self.list.find(address, syntax(setup));
        self.sql.also(answer(found, &self.file, self.patterns.as_ref()), address, setup)
    }
}

/// Whether there may be a list, whatever a variable calls it.
pub(super) fn may_have(setup: &Setup, variable: &str, file: &'static str) -> bool {
    setup.control.present.may_have(list_name(setup, variable, file).as_bytes())
}

/// How the lines of lists are read.
pub(super) fn syntax(setup: &Setup) -> Syntax {
    if setup.control.regular_expressions { Syntax::Expressions } else { Syntax::Wildcards }
}

/// What a list of that name says, as an answer to policy.
pub(super) fn answer(
    found: Result<Match, Undecided>,
    file: &FileName,
    patterns: Option<&(FileName, PathBuf)>,
) -> Result<Answer, LookupFailed> {
    let compiled = || FileName::from(format!("{file}.cdb"));
    match found {
        Ok(Match::Absent) => Ok(Answer::Absent),
        Ok(Match::No) => Ok(Answer::No),
        Ok(Match::Yes { file, line }) => Ok(entry_of(file.into(), line)),
        Err(Undecided::Compiled { path, error }) => Err(compiled_failed(compiled(), path, error.to_string())),
        Err(Undecided::Unreadable(unreadable)) if is_compiled(&unreadable.path) => {
            Err(compiled_failed(compiled(), unreadable.path, words(&unreadable.error).into_owned()))
        }
        Err(Undecided::Unreadable(unreadable)) => {
            let named = patterns.filter(|(_, path)| *path == unreadable.path).map_or(file, |(name, _)| name);
            Err(failed(named.clone(), Undecided::Unreadable(unreadable)))
        }
        Err(undecided @ Undecided::Expression { .. }) => Err(failed(file.clone(), undecided)),
    }
}
