//! The mutations of users and their sessions, with their rules.

use super::super::credentials::{CodeHash, JoinAttempt};
use super::super::device::Device;
use super::super::error::ChatError;
use super::super::session::TokenHash;
use super::super::store::{NewSession, StoreError};
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
    fn apply(&self, group: &mut Group, user: UserKey) -> Result<(), StoreError> {
        let expires_at_ms = group.now_ms + self.lifetime_ms;
        let session =
            NewSession { token: &self.token, device: &self.device, now_ms: group.now_ms, expires_at_ms };
        let ended = group.store.insert_session(user, &session)?;
        group.sessions_ended(user, ended);
        Ok(())
    }
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

    fn apply(&self, group: &mut Group) -> Result<User, ChatError> {
        if let Some(user) = self.first_result(group)? {
            return self.repeat(group, user);
        }
        let key = self.name.key();
        if group.store.user_name_in_use(&key, group.now_ms)? {
            return Err(ChatError::NameInUse);
        }
        let user = (self.user_id.as_str(), self.name.as_str(), key.as_str());
        let user = group.store.insert_user(user, &self.recovery, group.now_ms)?;
        if let Some(attempt) = &self.attempt {
            group.store.insert_join(attempt, user.key, group.now_ms)?;
        }
        group.mark_all_read(user.key)?;
        self.session.apply(group, user.key)?;
        Ok(user)
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
        let lost = group.store.remove_unused_sessions_of(user.key)?;
        group.sessions_ended(user.key, lost);
        group.store.set_recovery(user.key, &self.recovery)?;
        self.session.apply(group, user.key)?;
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

    fn apply(&self, group: &mut Group) -> Result<User, ChatError> {
        let key = self.name.key();
        let found = group.store.user_by_recovery(&self.recovery)?;
        let (user, has_name) =
            found.filter(|(user, _)| user.name_key() == key).ok_or(ChatError::WrongRecoveryCode)?;
        if !has_name {
            if group.store.user_name_in_use(&key, group.now_ms)? {
                return Err(ChatError::NameInUse);
            }
            group.store.take_name(user.key, &key)?;
        }
        if self.end_others {
            let ended = group.store.remove_sessions_of(user.key)?;
            group.sessions_ended(user.key, ended);
        }
        self.session.apply(group, user.key)?;
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

    fn apply(&self, group: &mut Group) -> Result<(), ChatError> {
        Ok(group.store.set_recovery(self.user, &self.recovery)?)
    }
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

    fn apply(&self, group: &mut Group) -> Result<i64, ChatError> {
        let expires_at_ms = group.now_ms + self.lifetime_ms;
        match group.store.extend_session(&self.token, group.now_ms, expires_at_ms)? {
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

    fn apply(&self, group: &mut Group) -> Result<(), ChatError> {
        if group.store.mark_used(&self.token, group.now_ms)? { Ok(()) } else { Err(ChatError::NoSession) }
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

    fn apply(&self, group: &mut Group) -> Result<(), ChatError> {
        group.store.end_session(&self.token)?;
        group.sessions_ended(self.user, [self.token]);
        Ok(())
    }
}
