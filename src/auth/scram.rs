//! SCRAM (RFC 5802, RFC 7677), bound to a channel or not: each side proves what it knows, and shows no password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::channel::Binding;
use crate::auth::verifier::Verifier;
use crate::auth::{Chance, Claim, Mechanism, Secret, Step, name_fault};

/// The longest nonce of a client.
const NONCE_OCTETS_MAX: usize = 256;

/// An exchange of SCRAM.
#[derive(Debug)]
pub(super) struct Scram {
    mechanism: Mechanism,
    binding: Binding,
    /// Our part of the nonce.
    nonce: String,
    first: Option<First>,
    stage: Stage,
}

/// What follows.
#[derive(Debug)]
enum Stage {
    /// The client's first message.
    First,
    /// The user's verifier.
    Verifier,
    /// The client's proof; `asked` is what the server has said.
    Proof { asked: Vec<u8>, verifier: Verifier },
    /// An empty line: the client has seen that the server is the right one.
    End,
}

/// The client's first message (RFC 5802, 7).
#[derive(Debug)]
struct First {
    /// What the client has to repeat: everything in front of the name, which is what it says of channel binding and for whom it
    /// acts, and the data of the binding.
    bound: Vec<u8>,
    /// The rest, which both sides sign.
    bare: Vec<u8>,
    user: Vec<u8>,
    nonce: Vec<u8>,
}

impl Scram {
    pub(super) fn new(mechanism: Mechanism, chance: &Chance, binding: Binding) -> Self {
        Self { mechanism, binding, nonce: STANDARD.encode(chance.octets), first: None, stage: Stage::First }
    }

    pub(super) fn user(&self) -> &[u8] {
        self.first.as_ref().map(|first| first.user.as_slice()).unwrap_or_default()
    }

    /// Takes the client's first message, its proof, then the empty line.
    pub(super) fn take(&mut self, message: &[u8]) -> Step {
        match std::mem::replace(&mut self.stage, Stage::End) {
            Stage::First => self.take_first(message),
            Stage::Proof { asked, verifier } => self.take_proof(message, &asked, &verifier),
            Stage::End if message.is_empty() => Step::Proven,
            Stage::End | Stage::Verifier => Step::Malformed,
        }
    }

    fn take_first(&mut self, message: &[u8]) -> Step {
        let first = match First::parse(message, &self.binding) {
            Ok(first) => first,
            Err(step) => return step,
        };
        let user = first.user.clone();
        self.first = Some(first);
        self.stage = Stage::Verifier;
        let (evidence, digest) = (Secret::default(), Secret::default());
        Step::Check(Claim { mechanism: self.mechanism, user, evidence, digest })
    }

    /// Asks the client for its proof; none if nobody has asked for a verifier.
    pub(super) fn verify_with(&mut self, verifier: Verifier) -> Option<Step> {
        let first = self.first.as_ref().filter(|_| matches!(self.stage, Stage::Verifier))?;
        let (salt, iterations) = (STANDARD.encode(verifier.salt()), verifier.iterations());
        let asked =
            [b"r=", first.nonce.as_slice(), format!("{},s={salt},i={iterations}", self.nonce).as_bytes()].concat();
        self.stage = Stage::Proof { asked: asked.clone(), verifier };
        Some(Step::Challenge(asked))
    }

    fn take_proof(&mut self, message: &[u8], asked: &[u8], verifier: &Verifier) -> Step {
        let Some(first) = &self.first else { return Step::Malformed };
        let Some(last) = Final::parse(message, verifier.proof_octets()) else { return Step::Malformed };
        let is_answer = last.nonce.strip_prefix(first.nonce.as_slice()) == Some(self.nonce.as_bytes());
        let told = [first.bare.as_slice(), b",", asked, b",", last.without_proof].concat();
        // The proof is judged in any case: whoever guesses learns nothing from the time.
        let is_proven = verifier.proves(&last.proof, &told);
        if !is_proven || !is_answer || last.bound != first.bound {
            return Step::Refused;
        }
        self.stage = Stage::End;
        Step::Challenge([b"v=", STANDARD.encode(verifier.signature(&told)).as_bytes()].concat())
    }
}

impl First {
    /// Reads `n,a=who,n=user,r=nonce`, where `a=who` may be left out and `n` may be `y` or `p=type`; the error is what follows.
    fn parse(message: &[u8], binding: &Binding) -> Result<Self, Step> {
        let mut parts = message.splitn(3, |octet| *octet == b',');
        let (Some(flag), Some(acts_for), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Step::Malformed);
        };
        let data = binding.data(flag).ok_or(Step::Refused)?;
        let mut fields = bare.split(|octet| *octet == b',');
        let (Some(user), Some(nonce)) = (fields.next(), fields.next()) else { return Err(Step::Malformed) };
        // In the place of the name: an extension that must be understood (`m=`) is one of these.
        let user = user.strip_prefix(b"n=").and_then(unescaped).ok_or(Step::Refused)?;
        let nonce = nonce.strip_prefix(b"r=").ok_or(Step::Malformed)?;
        let is_nonce = (1..=NONCE_OCTETS_MAX).contains(&nonce.len()) && nonce.iter().all(u8::is_ascii_graphic);
        if !is_nonce || std::str::from_utf8(message).is_err() {
            return Err(Step::Malformed);
        }
        if let Some(fault) = name_fault(&user) {
            return Err(fault);
        }
        // Nobody may act for somebody else; GNU SASL names nobody by an empty name.
        let is_own = match acts_for.strip_prefix(b"a=") {
            Some(name) => name.is_empty() || unescaped(name).as_ref() == Some(&user),
            None => acts_for.is_empty(),
        };
        let bound = [flag, b",", acts_for, b",", data].concat();
        if is_own { Ok(Self { bound, bare: bare.to_vec(), nonce: nonce.to_vec(), user }) } else { Err(Step::Refused) }
    }
}

/// The client's final message.
struct Final<'m> {
    /// What it repeats of its first one, and the data of the binding.
    bound: Vec<u8>,
    nonce: &'m [u8],
    proof: Vec<u8>,
    without_proof: &'m [u8],
}

impl<'m> Final<'m> {
    /// Reads `c=bound,r=nonce,p=proof`; extensions may stand in front of the proof.
    fn parse(message: &'m [u8], proof_octets: usize) -> Option<Self> {
        let at = message.windows(3).rposition(|window| window == b",p=")?;
        let (without_proof, proof) = message.split_at(at);
        let proof = STANDARD.decode(proof.get(3..)?).ok().filter(|proof| proof.len() == proof_octets)?;
        let mut fields = without_proof.split(|octet| *octet == b',');
        let bound = STANDARD.decode(fields.next()?.strip_prefix(b"c=")?).ok()?;
        let nonce = fields.next()?.strip_prefix(b"r=")?;
        Some(Self { bound, nonce, proof, without_proof })
    }
}

/// A name as it was meant: `=2C` is a comma, `=3D` an equals sign, and nothing else may follow an equals sign.
fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut parts = name.split(|octet| *octet == b'=');
    let mut meant = parts.next()?.to_vec();
    for part in parts {
        let (octet, rest) = match part {
            [b'2', b'C', rest @ ..] => (b',', rest),
            [b'3', b'D', rest @ ..] => (b'=', rest),
            _ => return None,
        };
        meant.push(octet);
        meant.extend_from_slice(rest);
    }
    Some(meant)
}

#[cfg(test)]
impl Scram {
    /// So that the exchange of an RFC can be played.
    pub(super) fn replace_nonce(&mut self, nonce: &str) {
        self.nonce = nonce.to_owned();
    }
}
