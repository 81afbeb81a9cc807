//! The settings of one transaction: those of the connection, as rules change them. D72: they end with the transaction.

use crate::control::Setup;
use crate::control::environment::Environment;
use crate::control::load::LoadError;
use crate::control::rules::Assignment;
use crate::control::settings::variable;

impl Setup {
    /// The same settings with variables as rules change them; whatever they unset has its control file's value again.
    ///
    /// What was settled when the connection started stays: who the client is and what it may, names, and places. Such a
    /// variable changes only for the queue program.
    ///
    /// # Errors
    ///
    /// [`LoadError::File`] for a control file that cannot be read.
    pub fn for_transaction(&self, assignments: &[Assignment]) -> Result<Self, LoadError> {
        let environment = changed(&self.environment, assignments.iter());
        let known = |assignment: &&Assignment| variable(&assignment.name).is_some_and(|known| known.key.is_of_rules());
        let of_rules: Vec<&Assignment> = assignments.iter().filter(known).collect();
        if of_rules.is_empty() {
            return Ok(Self { environment, ..self.clone() });
        }
        let mut setup = Self::from_environment(changed(&self.environment, of_rules.into_iter()));
        setup.control.directory.clone_from(&self.control.directory);
        setup.read_files()?;
        let (ours, theirs) = (&mut setup.control, &self.control);
        ours.greeting.clone_from(&theirs.greeting);
        ours.me.clone_from(&theirs.me);
        ours.local_ip_host.clone_from(&theirs.local_ip_host);
        ours.local_host.clone_from(&theirs.local_host);
        let (client, checker) = (self.client.clone(), self.checker.clone());
        Ok(Self { client, checker, environment, log_is_connection: self.log_is_connection, ..setup })
    }
}

fn changed<'a>(environment: &Environment, assignments: impl Iterator<Item = &'a Assignment>) -> Environment {
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> =
        environment.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    for Assignment { name, value } in assignments {
        pairs.retain(|(other, _)| other != name);
        pairs.extend(value.clone().map(|value| (name.clone(), value)));
    }
    pairs.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::rules::Rule;

    #[test]
    fn rules_change_what_is_theirs_to_change() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [("me", "mx.test\n"), ("databytes", "500\n")] {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let variables = [("DATABYTES", "9"), ("TCPREMOTEIP", "192.0.2.7"), ("QMAILQUEUE", "/q")];
        let environment = variables.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        let setup = Setup::load(environment.into_iter().collect(), dir.path(), Some(b"host")).unwrap();
        let by = |line: &str| {
            let rule = Rule::parse(line.as_bytes()).unwrap();
            setup.for_transaction(&rule.assignments().flatten().collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(by("x:DATABYTES=7").control.databytes, 7);
        assert_eq!(by("x:DATABYTES=").control.databytes, 500);
        assert_eq!(by("x:DATABYTES=7,DATABYTES=8").control.databytes, 8);
        let relay = by("x:RELAYCLIENT=@s,TCPREMOTEIP=10.0.0.1,CUGMAIL=1");
        assert!(relay.control.closed_user_group && relay.client == setup.client);
        assert_eq!(relay.environment.get(b"TCPREMOTEIP"), Some(b"10.0.0.1".as_slice()));
        assert_eq!(relay.control.local_host, b"host");
        let unset = by("x:QMAILQUEUE=,OTHER=1");
        assert_eq!(
            (unset.control.queue_program.clone(), unset.environment.get(b"OTHER")),
            (None, Some(b"1".as_slice()))
        );
        let same = by("x:OTHER=1");
        assert_eq!(Setup { environment: setup.environment.clone(), ..same }, setup);
    }
}
