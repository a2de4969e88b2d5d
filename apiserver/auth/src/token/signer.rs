//! The keys that sign service accounts' tokens: a file of mode 0600, made at first start.
//!
//! The file holds one or more PKCS#8 keys in PEM; the first signs, all of them prove, so a key is replaced by putting
//! another above it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use coracle_service::pki;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::{
    digest,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};

use super::Claims;

const FILE: &str = "sa.key";
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// Characters on a line of PEM.
const PEM_LINE: usize = 64;
/// What stands before a P-256 point in its SubjectPublicKeyInfo (RFC 5480).
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("read {}: it holds no P-256 key in PKCS#8 PEM", .0.display())]
    Malformed(PathBuf),
    /// No key can be made.
    #[error("make a key that signs tokens")]
    Make,
    /// A new file cannot be written.
    #[error(transparent)]
    Write(#[from] pki::Error),
    /// A token cannot be signed.
    #[error("sign token")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
    jwk: Value,
}

/// Signs and proves tokens.
pub struct Signer {
    keys: Vec<Key>,
    validation: Validation,
}

impl Signer {
    /// Reads the keys from `dir`, or makes one there; with no directory, makes one that ends with the process.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load_or_create(dir: Option<&Path>) -> Result<Self, Error> {
        let Some(dir) = dir else {
            return Self::new(&[make()?]).ok_or(Error::Make);
        };
        let path = dir.join(FILE);
        let keys = match fs::read_to_string(&path) {
            Ok(text) => parse(&text).ok_or_else(|| Error::Malformed(path.clone()))?,
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                let key = make()?;
                pki::write_private(&path, pem(&key).as_bytes())?;
                vec![key]
            }
            Err(source) => return Err(Error::Read { path, source }),
        };
        Self::new(&keys).ok_or(Error::Malformed(path))
    }

    fn new(keys: &[Vec<u8>]) -> Option<Self> {
        let keys: Vec<Key> = keys.iter().map(|der| key(der)).collect::<Option<_>>()?;
        if keys.is_empty() {
            return None;
        }
        let mut validation = Validation::new(Algorithm::ES256);
        // Times and audiences are judged by the caller, who has the cluster's clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Some(Self { keys, validation })
    }

    /// A token that says `claims`.
    ///
    /// # Errors
    /// [`Error::Sign`].
    pub fn sign(&self, claims: &Claims) -> Result<String, Error> {
        let key = self.keys.first().ok_or(Error::Make)?;
        let mut header = Header::new(Algorithm::ES256);
        header.typ = None;
        header.kid = Some(key.id.clone());
        jsonwebtoken::encode(&header, claims, &key.encoding).map_err(Error::Sign)
    }

    /// What a token says, where one of the keys signed it.
    #[must_use]
    pub fn prove(&self, token: &str) -> Option<Claims> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let fits = |key: &&Key| header.kid.as_ref().is_none_or(|id| *id == key.id);
        self.keys.iter().filter(fits).find_map(|key| {
            let proven = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation);
            proven.ok().map(|data| data.claims)
        })
    }

    /// The public keys as a JSON Web Key Set (RFC 7517).
    #[must_use]
    pub fn key_set(&self) -> Value {
        let keys: Vec<&Value> = self.keys.iter().map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }
}

fn make() -> Result<Vec<u8>, Error> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    Ok(made.map_err(|_| Error::Make)?.as_ref().to_vec())
}

fn key(der: &[u8]) -> Option<Key> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new()).ok()?;
    let point = pair.public_key().as_ref();
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let spki = [&SPKI_PREFIX, point].concat();
    let id = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &spki));
    let jwk = json!({"use": "sig", "kty": "EC", "kid": id, "crv": "P-256", "alg": "ES256", "x": x, "y": y});
    Some(Key {
        encoding: EncodingKey::from_ec_der(der),
        decoding: DecodingKey::from_ec_components(&x, &y).ok()?,
        id,
        jwk,
    })
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("{BEGIN}\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(PEM_LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = tail;
    }
    pem.push_str(END);
    pem.push('\n');
    pem
}

fn parse(text: &str) -> Option<Vec<Vec<u8>>> {
    text.split(BEGIN)
        .skip(1)
        .map(|block| {
            let (body, _) = block.split_once(END)?;
            STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
        })
        .collect()
}
