//! Users and tokens (part 9.8).
//!
//! A token is a JWT with HS256: `{"sub": user, "exp": seconds}`. Nothing about it is kept, so every
//! node with the same secret takes it. Passwords are bcrypt hashes from the settings.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use distro_core::ids::Str;
use ring::hmac;
use ring::rand::SystemRandom;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Http;
use super::answer::{Outcome, Refusal, code};
use super::call::Call;
use super::logins::{Later, Logins};

/// Longest password that bcrypt looks at whole.
const PASSWORD_BYTES_MAX: usize = 72;
/// Work of a password's hash, as a power of two; Nacos's.
pub const BCRYPT_COST: u32 = 10;
/// Length of a bcrypt hash in text.
const BCRYPT_TEXT: usize = 60;
/// The head of every token of ours: no other algorithm is even looked at.
const HEAD: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Who may call, and how that is shown.
pub struct Auth {
    on: bool,
    users: BTreeMap<String, String>,
    key: hmac::Key,
    ttl: Duration,
    /// A hash that no password has: an unknown user takes as long as a wrong password.
    nobody: String,
    logins: Logins,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth {{ on: {}, users: {} }}", self.on, self.users.len())
    }
}

/// What the settings say of it.
#[derive(Debug, Clone, Default)]
pub struct AuthSettings {
    /// Whether a token is asked for.
    pub on: bool,
    /// Users with the bcrypt hashes of their passwords.
    pub users: BTreeMap<String, String>,
    /// What tokens are signed with; absent: drawn anew by every process.
    pub secret: Option<String>,
    /// How long a token holds.
    pub ttl: Duration,
}

/// Why a token was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// There is none.
    Missing,
    /// It is not one of ours, was changed, or was signed with another secret.
    Invalid,
    /// It was one of ours.
    Expired,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nacos's words: SDKs look for them to log in again.
        f.write_str(match self {
            Denied::Missing => "user not found! no accessToken: log in first",
            Denied::Invalid => "token invalid!",
            Denied::Expired => "token expired!",
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

impl Auth {
    /// Ready to check.
    ///
    /// # Errors
    /// The system has no randomness, or a user's hash is none of bcrypt; in words.
    pub fn new(settings: AuthSettings) -> Result<Auth, String> {
        for (user, hash) in &settings.users {
            if !is_hash(hash) {
                return Err(format!(
                    "auth.users: what stands for `{user}` is no bcrypt hash; \
                     `distro hash-password` makes one"
                ));
            }
        }
        let key = match &settings.secret {
            Some(secret) => hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
            None => hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
                .map_err(|_| "the system gives no random numbers".to_owned())?,
        };
        // Hashing takes a while: only where somebody can be unknown.
        let nobody = if settings.users.is_empty() {
            String::new()
        } else {
            bcrypt::hash("nobody", BCRYPT_COST).map_err(|error| error.to_string())?
        };
        Ok(Auth {
            on: settings.on,
            users: settings.users,
            key,
            ttl: settings.ttl,
            nobody,
            logins: Logins::new(),
        })
    }

    /// Whether tokens are asked for.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Who shows this token; with auth off nobody is asked. For every carrier: over HTTP it comes
    /// as
    /// `accessToken`, over gRPC in the headers of the payload's metadata under the same name.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn check(&self, token: Option<&str>) -> Result<Option<String>, Denied> {
        if !self.on {
            return Ok(None);
        }
        let claims = self.read(token.ok_or(Denied::Missing)?, seconds())?;
        // A user who was taken out of the settings since is nobody.
        let known = self.users.contains_key(&claims.sub);
        known.then_some(Some(claims.sub)).ok_or(Denied::Invalid)
    }

    fn token(&self, user: &str, now: u64) -> String {
        let claims = Claims {
            sub: user.to_owned(),
            exp: now.saturating_add(self.ttl.as_secs()),
        };
        let claims = serde_json::to_vec(&claims).expect("texts and numbers");
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(HEAD),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let tag = hmac::sign(&self.key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn read(&self, token: &str, now: u64) -> Result<Claims, Denied> {
        let (signed, tag) = token.rsplit_once('.').ok_or(Denied::Invalid)?;
        let (head, claims) = signed.split_once('.').ok_or(Denied::Invalid)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).map_err(|_| Denied::Invalid)?;
        // In constant time.
        hmac::verify(&self.key, signed.as_bytes(), &tag).map_err(|_| Denied::Invalid)?;
        if head != URL_SAFE_NO_PAD.encode(HEAD) {
            return Err(Denied::Invalid);
        }
        let claims = URL_SAFE_NO_PAD
            .decode(claims)
            .map_err(|_| Denied::Invalid)?;
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Denied::Invalid)?;
        if claims.exp <= now {
            return Err(Denied::Expired);
        }
        Ok(claims)
    }

    /// A token for a user who knows the password. With auth off and no users, anybody gets one:
    /// SDKs with a username in their settings insist on it.
    async fn log_in(&self, user: &str, password: &str, from: &Str) -> Result<String, Refusal> {
        if !self.on && self.users.is_empty() {
            return Ok(self.token(user, seconds()));
        }
        let later = |later| {
            let text = match later {
                Later::Busy => "too many logins at once, try again later".to_owned(),
                Later::Slow(wait) => format!(
                    "the last login of this user from this address was wrong, try again in {} s",
                    wait.as_secs() + 1
                ),
            };
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, code::SERVER, text)
        };
        let login = self.logins.enter(user, from).map_err(later)?;
        let turn = login.turn().await.ok_or_else(|| later(Later::Busy))?;
        let hash = self.users.get(user).unwrap_or(&self.nobody).clone();
        let given = password.to_owned();
        let fits = given.len() <= PASSWORD_BYTES_MAX;
        let right = tokio::task::spawn_blocking(move || {
            // Held until the work is done, even when the caller has gone meanwhile.
            let _turn = turn;
            bcrypt::verify(given, &hash).unwrap_or(false)
        });
        let right = right.await.unwrap_or(false);
        let right = right && fits && self.users.contains_key(user);
        login.ended(right);
        if right {
            return Ok(self.token(user, seconds()));
        }
        let text = "unknown user or wrong password!";
        Err(Refusal::new(StatusCode::FORBIDDEN, code::DENIED, text))
    }
}

pub(super) async fn login(http: Arc<Http>, call: Call) -> Outcome {
    let (user, password) = (call.text_or("username", ""), call.text_or("password", ""));
    let token = http.auth.log_in(&user, &password, &call.from).await?;
    Ok(json!({
        "accessToken": token, "tokenTtl": http.auth.ttl.as_secs(), "globalAdmin": true,
        "username": user,
    }))
}

/// True for what can be a bcrypt hash.
pub fn is_hash(text: &str) -> bool {
    text.len() == BCRYPT_TEXT && text.parse::<bcrypt::HashParts>().is_ok()
}

/// The bcrypt hash of a password.
///
/// # Errors
/// In words, when it cannot be one.
pub fn hash_password(password: &str) -> Result<String, String> {
    if password.is_empty() {
        return Err("the password is empty".to_owned());
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(format!(
            "the password is longer than {PASSWORD_BYTES_MAX} bytes, which is all that bcrypt looks at"
        ));
    }
    bcrypt::hash(password, BCRYPT_COST).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::logins::WAITING_MAX;
    use super::*;

    fn auth(secret: Option<&str>) -> Auth {
        let hash = bcrypt::hash("right", 4).unwrap();
        let settings = AuthSettings {
            on: true,
            users: BTreeMap::from([("nacos".to_owned(), hash)]),
            secret: secret.map(str::to_owned),
            ttl: Duration::from_secs(100),
        };
        Auth::new(settings).unwrap()
    }

    #[test]
    fn a_token_holds_for_its_time_and_only_under_its_secret() {
        let (one, same, other) = (auth(Some("s1")), auth(Some("s1")), auth(None));
        let token = one.token("nacos", 1_000);
        assert_eq!(
            same.read(&token, 1_099).map(|claims| claims.sub),
            Ok("nacos".to_owned())
        );
        assert_eq!(
            same.read(&token, 1_100).map(|claims| claims.sub),
            Err(Denied::Expired)
        );
        assert_eq!(
            other.read(&token, 1_000).map(|claims| claims.sub),
            Err(Denied::Invalid)
        );
    }

    #[test]
    fn whatever_is_changed_in_a_token_it_is_refused() {
        let auth = auth(None);
        let token = auth.token("nacos", seconds());
        assert_eq!(auth.check(Some(&token)), Ok(Some("nacos".to_owned())));
        assert_eq!(auth.check(None), Err(Denied::Missing));
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(auth.check(Some(&changed)), Err(Denied::Invalid), "at {at}");
        }
        for short in ["", ".", "..", "a.b", "a.b.c", "é.é.é"] {
            assert_eq!(auth.check(Some(short)), Err(Denied::Invalid), "{short}");
        }
    }

    #[test]
    fn a_token_without_a_signature_or_with_another_algorithm_is_refused() {
        let auth = auth(Some("s"));
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"nacos","exp":99999999999}"#);
        for head in [r#"{"alg":"none"}"#, r#"{"alg":"HS512"}"#] {
            let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(head));
            let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&auth.key, signed.as_bytes()));
            assert_eq!(
                auth.check(Some(&format!("{signed}."))),
                Err(Denied::Invalid)
            );
            assert_eq!(
                auth.check(Some(&format!("{signed}.{tag}"))),
                Err(Denied::Invalid)
            );
        }
    }

    #[test]
    fn a_user_who_left_the_settings_is_nobody() {
        let auth = auth(Some("s"));
        let token = auth.token("gone", seconds());
        assert_eq!(auth.check(Some(&token)), Err(Denied::Invalid));
    }

    fn here() -> Str {
        Str::from("10.0.0.1")
    }

    #[tokio::test]
    async fn only_the_right_password_logs_in() {
        let auth = auth(None);
        assert!(auth.log_in("nacos", "right", &here()).await.is_ok());
        for (user, password) in [("nacos", "wrong"), ("nobody", "nobody"), ("other", "right")] {
            let refused = auth.log_in(user, password, &here()).await.unwrap_err();
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{user}");
        }
    }

    #[tokio::test]
    async fn a_flood_of_logins_is_turned_away() {
        let auth = Arc::new(auth(None));
        let logins: Vec<_> = (0..WAITING_MAX * 2)
            .map(|_| {
                let auth = auth.clone();
                tokio::spawn(async move { auth.log_in("nacos", "right", &here()).await })
            })
            .collect();
        let (mut taken, mut turned_away) = (0, 0);
        for login in logins {
            match login.await.unwrap() {
                Ok(_) => taken += 1,
                Err(refusal) => {
                    assert_eq!(refusal.status, StatusCode::TOO_MANY_REQUESTS);
                    turned_away += 1;
                }
            }
        }
        assert_eq!(taken + turned_away, WAITING_MAX * 2);
        assert!(taken >= WAITING_MAX, "{taken}");
        assert!(turned_away > 0);
    }

    #[test]
    fn a_hash_that_is_none_is_told_at_the_start() {
        let settings = AuthSettings {
            users: BTreeMap::from([("nacos".to_owned(), "plain".to_owned())]),
            ..AuthSettings::default()
        };
        assert!(Auth::new(settings).is_err_and(|text| text.contains("hash-password")));
    }
}
