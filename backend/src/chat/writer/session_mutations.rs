//! The mutations of users and their sessions, with their rules.

use proto::chat::log::v1::change::Kind as Change;
use proto::chat::log::v1::{JoinRecorded, NameTaken, RecoverySet, SessionAdded, SessionUpdated, UserAdded};
use proto::limits::chat::MAX_SESSIONS_PER_USER;

use super::super::credentials::{CodeHash, JoinAttempt};
use super::super::device::Device;
use super::super::error::ChatError;
use super::super::session::TokenHash;
use super::super::store::StoreError;
use super::super::types::{User, UserKey, UserName};
use super::Mutation;
use super::group::Group;
use super::mutations::operation_reused;

/// A session to be created.
#[derive(Debug)]
pub(in crate::chat) struct StartSession {
    pub(in crate::chat) token: TokenHash,
    pub(in crate::chat) device: Device,
    pub(in crate::chat) lifetime_ms: i64,
}

impl StartSession {
    /// Adds a session. If the user has too many then, ends those that were not used for the longest time.
    fn evaluate(&self, group: &mut Group, user: UserKey) -> Result<(), StoreError> {
        let others = group.store.sessions_of(user)?;
        group.change(Change::SessionAdded(SessionAdded {
            token_hash: self.token.as_bytes().to_vec(),
            user: user.0,
            created_at_ms: group.now_ms,
            expires_at_ms: group.now_ms + self.lifetime_ms,
            client: self.device.client.clone(),
            system: self.device.system.clone(),
        }))?;
        for session in others.iter().skip(MAX_SESSIONS_PER_USER - 1) {
            group.remove_session(&session.token, user)?;
        }
        Ok(())
    }
}

/// Whether a user with a valid session has this name. Removes expired sessions of that name.
fn name_in_use(group: &mut Group, name_key: &str) -> Result<bool, StoreError> {
    let Some(holder) = group.store.name_holder(name_key)? else { return Ok(false) };
    let sessions = group.store.sessions_of(holder)?;
    let now_ms = group.now_ms;
    for session in sessions.iter().filter(|session| session.expires_at_ms <= now_ms) {
        group.remove_session(&session.token, holder)?;
    }
    Ok(!group.free_name_unless_live(holder)?)
}

/// Records the use of a session now, until when it is valid at least. Returns false if there is no such session.
fn use_session(
    group: &mut Group,
    token: &TokenHash,
    used: bool,
    expires_at_ms: i64,
) -> Result<bool, StoreError> {
    let Some(session) = group.store.session_state(token)? else { return Ok(false) };
    group.change(Change::SessionUpdated(SessionUpdated {
        token_hash: token.as_bytes().to_vec(),
        used: session.used || used,
        last_used_ms: session.last_used_ms.max(group.now_ms),
        expires_at_ms: session.expires_at_ms.max(expires_at_ms),
    }))?;
    Ok(true)
}

/// Creates a user with a session, or repeats that.
#[derive(Debug)]
pub(in crate::chat) struct Join {
    pub(in crate::chat) user_id: String,
    pub(in crate::chat) name: UserName,
    pub(in crate::chat) attempt: Option<JoinAttempt>,
    /// Time for which the attempt can be repeated.
    pub(in crate::chat) repeatable_ms: i64,
    pub(in crate::chat) recovery: CodeHash,
    pub(in crate::chat) session: StartSession,
}

impl Mutation for Join {
    type Output = User;

    fn evaluate(&self, group: &mut Group) -> Result<User, ChatError> {
        if let Some(user) = self.first_result(group)? {
            return self.repeat(group, user);
        }
        let name_key = self.name.key();
        if name_in_use(group, &name_key)? {
            return Err(ChatError::NameInUse);
        }
        let (key, created_at_ms) = (group.store.next_user()?, group.now_ms);
        group.change(Change::UserAdded(UserAdded {
            user: key.0,
            id: self.user_id.clone(),
            name: self.name.as_str().to_owned(),
            name_key,
            created_at_ms,
            recovery_hash: self.recovery.as_bytes().to_vec(),
        }))?;
        if let Some(attempt) = &self.attempt {
            let attempt_hash = attempt.as_bytes().to_vec();
            let recorded = JoinRecorded { attempt_hash, user: key.0, created_at_ms };
            group.change(Change::JoinRecorded(recorded))?;
        }
        group.mark_all_read(key)?;
        self.session.evaluate(group, key)?;
        Ok(User { key, id: self.user_id.as_str().into(), name: self.name.as_str().into() })
    }
}

impl Join {
    /// The user that an earlier call with the same attempt created.
    fn first_result(&self, group: &Group) -> Result<Option<User>, StoreError> {
        match &self.attempt {
            Some(attempt) => group.store.user_of_join(attempt, group.now_ms - self.repeatable_ms),
            None => Ok(None),
        }
    }

    /// The first answer was lost, and with it a session that nobody can use.
    fn repeat(&self, group: &mut Group, user: User) -> Result<User, ChatError> {
        if *user.name != *self.name.as_str() {
            return Err(operation_reused());
        }
        for lost in group.store.sessions_of(user.key)?.iter().filter(|session| !session.used) {
            group.remove_session(&lost.token, user.key)?;
        }
        set_recovery(group, user.key, &self.recovery)?;
        self.session.evaluate(group, user.key)?;
        Ok(user)
    }
}

/// Creates a session for the user with a recovery code.
#[derive(Debug)]
pub(in crate::chat) struct Recover {
    pub(in crate::chat) name: UserName,
    pub(in crate::chat) recovery: CodeHash,
    pub(in crate::chat) end_others: bool,
    pub(in crate::chat) session: StartSession,
}

impl Mutation for Recover {
    type Output = User;

    fn evaluate(&self, group: &mut Group) -> Result<User, ChatError> {
        let key = self.name.key();
        let found = group.store.user_by_recovery(&self.recovery)?;
        let (user, has_name) =
            found.filter(|(user, _)| user.name_key() == key).ok_or(ChatError::WrongRecoveryCode)?;
        if !has_name {
            if name_in_use(group, &key)? {
                return Err(ChatError::NameInUse);
            }
            group.change(Change::NameTaken(NameTaken { user: user.key.0, name_key: key }))?;
        }
        if self.end_others {
            for session in group.store.sessions_of(user.key)? {
                group.remove_session(&session.token, user.key)?;
            }
        }
        self.session.evaluate(group, user.key)?;
        Ok(user)
    }
}

/// Replaces a user's recovery code.
#[derive(Debug)]
pub(in crate::chat) struct SetRecoveryCode {
    pub(in crate::chat) user: UserKey,
    pub(in crate::chat) recovery: CodeHash,
}

impl Mutation for SetRecoveryCode {
    type Output = ();

    fn evaluate(&self, group: &mut Group) -> Result<(), ChatError> {
        Ok(set_recovery(group, self.user, &self.recovery)?)
    }
}

fn set_recovery(group: &mut Group, user: UserKey, recovery: &CodeHash) -> Result<(), StoreError> {
    let recovery_hash = recovery.as_bytes().to_vec();
    group.change(Change::RecoverySet(RecoverySet { user: user.0, recovery_hash }))
}

/// Extends a session.
#[derive(Debug)]
pub(in crate::chat) struct ExtendSession {
    pub(in crate::chat) token: TokenHash,
    pub(in crate::chat) lifetime_ms: i64,
}

impl Mutation for ExtendSession {
    /// The new expiry, milliseconds since 1970-01-01T00:00:00Z.
    type Output = i64;

    fn evaluate(&self, group: &mut Group) -> Result<i64, ChatError> {
        let expires_at_ms = group.now_ms + self.lifetime_ms;
        match use_session(group, &self.token, false, expires_at_ms)? {
            true => Ok(expires_at_ms),
            false => Err(ChatError::NoSession),
        }
    }
}

/// Marks a session as used now.
#[derive(Debug)]
pub(in crate::chat) struct MarkUsed {
    pub(in crate::chat) token: TokenHash,
}

impl Mutation for MarkUsed {
    type Output = ();

    fn evaluate(&self, group: &mut Group) -> Result<(), ChatError> {
        if use_session(group, &self.token, true, i64::MIN)? { Ok(()) } else { Err(ChatError::NoSession) }
    }
}

/// Ends a session.
#[derive(Debug)]
pub(in crate::chat) struct EndSession {
    pub(in crate::chat) token: TokenHash,
    pub(in crate::chat) user: UserKey,
}

impl Mutation for EndSession {
    type Output = ();

    fn evaluate(&self, group: &mut Group) -> Result<(), ChatError> {
        let had_session = group.store.session_state(&self.token)?.is_some();
        // Even when there is none any more, so that nothing in memory still has it.
        group.remove_session(&self.token, self.user)?;
        if had_session {
            group.free_name_unless_live(self.user)?;
        }
        Ok(())
    }
}
