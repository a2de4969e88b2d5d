//! Who looks: sessions of browsers, and the one-time codes that begin some of them.
//!
//! Both are secrets of 256 random bits, kept in memory only: a restart of the dashboard ends every session.

use std::{collections::HashMap, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use coracle_service::{Clock, Env, Peer, Random};
use parking_lot::Mutex;
use tokio::time::Instant;

/// Sessions at a time; the one longest unused ends for a new one.
const MAX_SESSIONS: usize = 1_000;
/// Codes at a time; the oldest becomes invalid for a new one.
const MAX_CODES: usize = 100;
/// How long a session lasts that nobody uses.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// How long a code waits to be used.
pub const CODE_LIFE: Duration = Duration::from_secs(600);
/// How long a token that was accepted is taken to be valid still.
const TOKEN_TRUST: Duration = Duration::from_secs(60);
/// How long the apiserver's word on a viewer's rights to the live view is believed.
const RIGHTS_TRUST: Duration = Duration::from_secs(60);

/// One browser's viewer.
pub struct Session {
    /// The cookie's value.
    pub id: String,
    /// Whom the apiserver is told to act for.
    pub viewer: Peer,
    /// The token that the viewer signed in with; `None` for a one-time link.
    pub token: Option<String>,
    state: Mutex<State>,
}

struct State {
    used: Instant,
    token_checked: Instant,
    live: Option<(Instant, Result<(), String>)>,
}

impl Session {
    /// Whether the token has to be shown to the apiserver again.
    #[must_use]
    pub fn is_token_stale(&self, now: Instant) -> bool {
        self.token.is_some() && now.duration_since(self.state.lock().token_checked) > TOKEN_TRUST
    }

    /// The token was accepted again.
    pub fn token_accepted(&self, now: Instant) {
        self.state.lock().token_checked = now;
    }

    /// What the apiserver last said of the viewer's rights to the live view, and whether that is recent.
    #[must_use]
    pub fn live_verdict(&self, now: Instant) -> Option<(bool, Result<(), String>)> {
        let state = self.state.lock();
        let (at, verdict) = state.live.as_ref()?;
        Some((now.duration_since(*at) <= RIGHTS_TRUST, verdict.clone()))
    }

    /// The apiserver said so.
    pub fn set_live_verdict(&self, now: Instant, verdict: Result<(), String>) {
        self.state.lock().live = Some((now, verdict));
    }
}

struct Code {
    viewer: Peer,
    made: Instant,
}

/// All sessions and codes.
pub struct Sessions {
    clock: Clock,
    random: Random,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    codes: Mutex<HashMap<String, Code>>,
}

impl Sessions {
    /// None yet.
    #[must_use]
    pub fn new(env: &Env) -> Self {
        Self {
            clock: env.transport_clock.clone(),
            random: env.random.clone(),
            sessions: Mutex::default(),
            codes: Mutex::default(),
        }
    }

    /// A code that begins one session of `viewer`, once, within [`CODE_LIFE`].
    #[must_use]
    pub fn make_code(&self, viewer: Peer) -> String {
        let now = self.clock.monotonic();
        let code = self.secret();
        let mut codes = self.codes.lock();
        codes.retain(|_, code| now.duration_since(code.made) <= CODE_LIFE);
        if codes.len() >= MAX_CODES {
            let oldest = codes
                .iter()
                .min_by_key(|(_, code)| code.made)
                .map(|(text, _)| text.clone());
            oldest.and_then(|oldest| codes.remove(&oldest));
        }
        codes.insert(code.clone(), Code { viewer, made: now });
        code
    }

    /// Uses a code up; `None` where it was never made, used before, or is too old.
    #[must_use]
    pub fn use_code(&self, code: &str) -> Option<Arc<Session>> {
        let code = self.codes.lock().remove(code)?;
        let is_fresh = self.clock.monotonic().duration_since(code.made) <= CODE_LIFE;
        is_fresh.then(|| self.begin(code.viewer, None))
    }

    /// Begins a session.
    pub fn begin(&self, viewer: Peer, token: Option<String>) -> Arc<Session> {
        let now = self.clock.monotonic();
        let session = Arc::new(Session {
            id: self.secret(),
            viewer,
            token,
            state: Mutex::new(State {
                used: now,
                token_checked: now,
                live: None,
            }),
        });
        let mut sessions = self.sessions.lock();
        sessions.retain(|_, session| now.duration_since(session.state.lock().used) <= IDLE);
        if sessions.len() >= MAX_SESSIONS {
            let idlest = sessions.values().min_by_key(|session| session.state.lock().used);
            let idlest = idlest.map(|session| session.id.clone());
            idlest.and_then(|id| sessions.remove(&id));
        }
        sessions.insert(session.id.clone(), Arc::clone(&session));
        session
    }

    /// The session of this cookie, which is thereby used.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<Session>> {
        let now = self.clock.monotonic();
        let session = Arc::clone(self.sessions.lock().get(id)?);
        {
            let mut state = session.state.lock();
            if now.duration_since(state.used) > IDLE {
                return None;
            }
            state.used = now;
        }
        Some(session)
    }

    /// Ends a session.
    pub fn end(&self, id: &str) {
        self.sessions.lock().remove(id);
    }

    fn secret(&self) -> String {
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_begins_one_session() {
        let sessions = Sessions::new(&Env::host());
        let code = sessions.make_code(Peer::new("jane", &["ops"]));
        let session = sessions.use_code(&code).unwrap();
        assert_eq!(session.viewer.user, "jane");
        assert!(sessions.use_code(&code).is_none(), "a code is good once");
        assert!(sessions.use_code("").is_none());
        assert!(sessions.find(&session.id).is_some());
        sessions.end(&session.id);
        assert!(sessions.find(&session.id).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn codes_and_sessions_run_out() {
        let sessions = Sessions::new(&Env::host());
        let code = sessions.make_code(Peer::new("jane", &[]));
        tokio::time::advance(CODE_LIFE + Duration::from_secs(1)).await;
        assert!(sessions.use_code(&code).is_none());
        let session = sessions.begin(Peer::new("jane", &[]), Some("token".to_owned()));
        let now = sessions.clock.monotonic();
        assert!(!session.is_token_stale(now));
        assert!(session.is_token_stale(now + TOKEN_TRUST * 2));
        tokio::time::advance(IDLE + Duration::from_secs(1)).await;
        assert!(sessions.find(&session.id).is_none());
    }

    #[test]
    fn there_are_never_too_many() {
        let sessions = Sessions::new(&Env::host());
        for _ in 0..MAX_SESSIONS + 10 {
            sessions.begin(Peer::new("jane", &[]), None);
        }
        assert_eq!(sessions.sessions.lock().len(), MAX_SESSIONS);
        for _ in 0..MAX_CODES + 10 {
            let _ = sessions.make_code(Peer::new("jane", &[]));
        }
        assert_eq!(sessions.codes.lock().len(), MAX_CODES);
    }
}
