//! The gRPC adapter: validates requests, calls the core, builds responses.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use proto::EncodedSubscribeResponse;
use proto::chat::v1 as pb;
use proto::chat::v1::list_events_request::Range;
use proto::chat::v1::server::chat_service_server::{ChatService, ChatServiceServer};
use proto::limits::chat::{DEFAULT_PAGE_EVENTS, MAX_CURSORS, MAX_PAGE_EVENTS};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status};

use super::credentials::{JoinAttempt, RecoveryCode};
use super::device::Device;
use super::error::ChatError;
use super::operations::{Core, Joined};
use super::session::{OldName, RequestToken, Session, SessionView, Token, TokenHash};
use super::store::Requester;
use super::types::{
    ClientCursor, InvalidField, MessageText, OperationId, PageRange, RoomId, RoomName, RoomView, UserName,
};
use super::{MAX_REQUEST_BYTES, encoding};
use crate::rates::{self, Rates};

impl super::Chat {
    /// The gRPC service; `rates` limits its calls.
    pub fn service(&self, rates: Arc<Rates>) -> ChatServiceServer<impl ChatService> {
        let service = Service { core: self.core.clone(), rates };
        ChatServiceServer::new(service).max_decoding_message_size(MAX_REQUEST_BYTES)
    }
}

/// Implements the generated service trait.
#[derive(Debug)]
struct Service {
    core: Arc<Core>,
    rates: Arc<Rates>,
}

impl Service {
    /// Authenticates a request. Refuses while the server shuts down. Counts calls without a valid session, but not those
    /// with one: their methods do.
    async fn authenticate<T>(&self, request: &Request<T>) -> Result<Arc<Session>, ChatError> {
        self.core.check_open()?;
        let network = rates::client_network(request.extensions());
        let Some(token) = self.request_token(request.metadata()) else {
            self.rates.anonymous(network)?;
            return Err(ChatError::NoSession);
        };
        let token = TokenHash::of(token.token());
        if let Some(session) = self.core.cached_session(&token) {
            self.core.record_use(&session);
            return Ok(session);
        }
        self.rates.check_look_up(network)?;
        match self.core.session(&token, Requester::Network(network)).await {
            Err(ChatError::NoSession) => {
                self.rates.unknown_token(network)?;
                Err(ChatError::NoSession)
            }
            found => found.inspect(|session| self.core.record_use(session)),
        }
    }

    /// Authenticates a request of a method without its own rate limit, and counts it.
    async fn authenticate_call<T>(&self, request: &Request<T>) -> Result<Arc<Session>, ChatError> {
        let session = self.authenticate(request).await?;
        self.rates.call(session.user.key.0)?;
        Ok(session)
    }

    fn request_token<'a>(&self, metadata: &'a MetadataMap) -> Option<RequestToken<'a>> {
        // An unreadable `authorization` header carries no token, but it must not fall back to the cookie.
        let authorization = metadata.get("authorization").map(|value| value.to_str().unwrap_or_default());
        let cookies = metadata.get_all("cookie").into_iter().filter_map(|value| value.to_str().ok());
        RequestToken::find(authorization, cookies, &self.core.cookies)
    }

    /// Adds the cookie of a new session, unless the client takes its token. Returns the token for the response.
    fn give_token<T>(&self, response: &mut Response<T>, token: &Token, return_token: bool) -> String {
        if return_token {
            return token.as_str().to_owned();
        }
        self.renew_cookie(response, token.as_str());
        String::new()
    }

    /// The browser keeps the cookie as long as the session lives.
    fn renew_cookie<T>(&self, response: &mut Response<T>, token: &str) {
        let max_age_s = self.core.options.session_lifetime.as_secs();
        add_cookie(response, self.core.cookies.set(token, max_age_s));
    }

    fn remove_cookie<T>(&self, response: &mut Response<T>) {
        add_cookie(response, self.core.cookies.set("", 0));
    }

    fn remove_old_cookie<T>(&self, response: &mut Response<T>, name: OldName) {
        add_cookie(response, self.core.cookies.remove_old(name));
    }
}

type FrameStream = Pin<Box<dyn Stream<Item = Result<EncodedSubscribeResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ChatService for Service {
    async fn join(&self, request: Request<pb::JoinRequest>) -> Result<Response<pb::JoinResponse>, Status> {
        self.core.check_open()?;
        let network = rates::client_network(request.extensions());
        let device = device_of(request.metadata());
        let pb::JoinRequest { name, return_token, operation_id, retry_secret } = request.into_inner();
        let name = UserName::parse(&name).map_err(ChatError::from)?;
        let attempt = JoinAttempt::parse(&operation_id, &retry_secret).map_err(ChatError::from)?;
        self.rates.join(network).map_err(ChatError::from)?;
        let Joined { user, token, code } = self.core.join(name, attempt, device).await?;
        let mut response = Response::new(pb::JoinResponse {
            user: Some((&user).into()),
            token: String::new(),
            recovery_code: code.to_text(),
            secure_cookie: self.core.options.secure_cookie,
        });
        response.get_mut().token = self.give_token(&mut response, &token, return_token);
        Ok(response)
    }

    async fn recover(
        &self,
        request: Request<pb::RecoverRequest>,
    ) -> Result<Response<pb::RecoverResponse>, Status> {
        self.core.check_open()?;
        let network = rates::client_network(request.extensions());
        let device = device_of(request.metadata());
        let pb::RecoverRequest { name, recovery_code, end_other_sessions, return_token } =
            request.into_inner();
        let name = UserName::parse(&name).map_err(ChatError::from)?;
        let code = RecoveryCode::parse(&recovery_code).map_err(ChatError::from)?;
        self.rates.join(network).map_err(ChatError::from)?;
        let (user, token) = self.core.recover(name, &code, end_other_sessions, device).await?;
        let mut response = Response::new(pb::RecoverResponse {
            user: Some((&user).into()),
            token: String::new(),
            secure_cookie: self.core.options.secure_cookie,
        });
        response.get_mut().token = self.give_token(&mut response, &token, return_token);
        Ok(response)
    }

    async fn new_recovery_code(
        &self,
        request: Request<pb::NewRecoveryCodeRequest>,
    ) -> Result<Response<pb::NewRecoveryCodeResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        let code = self.core.new_recovery_code(&session.user).await?;
        Ok(Response::new(pb::NewRecoveryCodeResponse { recovery_code: code.to_text() }))
    }

    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Result<Response<pb::ListSessionsResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        let sessions = self.core.sessions(&session.user).await?;
        let sessions = sessions.into_iter().map(|view| listed(view, &session)).collect();
        Ok(Response::new(pb::ListSessionsResponse { sessions }))
    }

    async fn end_session(
        &self,
        request: Request<pb::EndSessionRequest>,
    ) -> Result<Response<pb::EndSessionResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        self.core.end_session(&session.user, &request.into_inner().session_id).await?;
        Ok(Response::new(pb::EndSessionResponse {}))
    }

    async fn get_session(
        &self,
        request: Request<pb::GetSessionRequest>,
    ) -> Result<Response<pb::GetSessionResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        let extended = match self.core.extend_session(&session).await {
            // The session stays valid as long as before, and the caller can still read.
            Err(ChatError::CannotStore(_) | ChatError::LogUnavailable) => false,
            extended => extended.map(|()| true)?,
        };
        let mut response = Response::new(pb::GetSessionResponse { user: Some((&session.user).into()) });
        let token = self.request_token(request.metadata()).filter(|_| extended);
        if let Some(RequestToken::Cookie(token) | RequestToken::OldCookie(token, _)) = token {
            self.renew_cookie(&mut response, token);
        }
        if let Some(RequestToken::OldCookie(_, name)) = token {
            self.remove_old_cookie(&mut response, name);
        }
        Ok(response)
    }

    async fn sign_out(
        &self,
        request: Request<pb::SignOutRequest>,
    ) -> Result<Response<pb::SignOutResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        self.core.sign_out(&session).await?;
        let mut response = Response::new(pb::SignOutResponse {});
        match self.request_token(request.metadata()) {
            Some(RequestToken::Cookie(_)) => self.remove_cookie(&mut response),
            Some(RequestToken::OldCookie(_, name)) => self.remove_old_cookie(&mut response, name),
            Some(RequestToken::Bearer(_)) | None => {}
        }
        Ok(response)
    }

    async fn create_room(
        &self,
        request: Request<pb::CreateRoomRequest>,
    ) -> Result<Response<pb::CreateRoomResponse>, Status> {
        let session = self.authenticate(&request).await?;
        let network = rates::client_network(request.extensions());
        let pb::CreateRoomRequest { name, operation_id } = request.into_inner();
        let name = RoomName::parse(&name).map_err(ChatError::from)?;
        let operation = OperationId::parse(&operation_id).map_err(ChatError::from)?;
        self.rates.create_room(session.user.key.0, network).map_err(ChatError::from)?;
        let view = self.core.create_room(&session.user, name, operation).await?;
        Ok(Response::new(pb::CreateRoomResponse { room: Some(room_state(&view)) }))
    }

    async fn list_rooms(
        &self,
        request: Request<pb::ListRoomsRequest>,
    ) -> Result<Response<pb::ListRoomsResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        let rooms = self.core.rooms(&session.user).await?;
        Ok(Response::new(pb::ListRoomsResponse { rooms: rooms.iter().map(room_state).collect() }))
    }

    async fn send_message(
        &self,
        request: Request<pb::SendMessageRequest>,
    ) -> Result<Response<pb::SendMessageResponse>, Status> {
        let session = self.authenticate(&request).await?;
        let network = rates::client_network(request.extensions());
        let pb::SendMessageRequest { room_id, operation_id, text } = request.into_inner();
        let operation = OperationId::parse(&operation_id).map_err(ChatError::from)?;
        let text = MessageText::parse(text).map_err(ChatError::from)?;
        let room = self.core.room(&room_id).await?;
        self.rates.send(session.user.key.0, network).map_err(ChatError::from)?;
        let receipt = self.core.send(&session.user, &room, operation, text).await?;
        Ok(Response::new(pb::SendMessageResponse {
            seq: receipt.seq,
            epoch: receipt.epoch,
            created_at_ms: receipt.created_at_ms,
            duplicate: receipt.duplicate,
        }))
    }

    async fn list_events(
        &self,
        request: Request<pb::ListEventsRequest>,
    ) -> Result<Response<pb::ListEventsResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        let pb::ListEventsRequest { room_id, range, limit } = request.into_inner();
        let limit = page_limit(limit)?;
        let range = match range {
            None => PageRange::Newest,
            Some(Range::BeforeSeq(seq)) => PageRange::Before(seq),
            Some(Range::AfterSeq(seq)) => PageRange::After(seq),
            Some(Range::AroundSeq(seq)) => PageRange::Around(seq),
        };
        let room = self.core.room(&room_id).await?;
        let page = self.core.page(&session.user, &room, range, limit).await?;
        Ok(Response::new(pb::ListEventsResponse {
            events: page.events,
            as_of: Some(pb::Cursor {
                room_id,
                epoch: room.epoch,
                seq: page.head,
                fingerprint: page.head_fingerprint,
            }),
            has_earlier: page.has_earlier,
            has_later: page.has_later,
        }))
    }

    async fn mark_read(
        &self,
        request: Request<pb::MarkReadRequest>,
    ) -> Result<Response<pb::MarkReadResponse>, Status> {
        let session = self.authenticate_call(&request).await?;
        let pb::MarkReadRequest { room_id, seq } = request.into_inner();
        let room = self.core.room(&room_id).await?;
        let marker = self.core.mark_read(&session.user, &room, seq).await?;
        Ok(Response::new(pb::MarkReadResponse { read_seq: marker.read, unread: marker.unread }))
    }

    type SubscribeStream = FrameStream;

    async fn subscribe(
        &self,
        request: Request<pb::SubscribeRequest>,
    ) -> Result<Response<FrameStream>, Status> {
        let session = self.authenticate_call(&request).await?;
        let pb::SubscribeRequest { cursors, replay_limit } = request.into_inner();
        let cursors = client_cursors(cursors)?;
        let subscriber = self.core.subscribe(session, cursors, replay_limit).await?;
        let frames = subscriber.into_stream().map(|frame| frame.map_err(Status::from));
        Ok(Response::new(Box::pin(frames)))
    }
}

fn add_cookie<T>(response: &mut Response<T>, cookie: String) {
    // Tokens are ASCII, so this cannot fail.
    if let Ok(value) = MetadataValue::try_from(cookie) {
        response.metadata_mut().append("set-cookie", value);
    }
}

fn device_of(metadata: &MetadataMap) -> Device {
    let user_agent = metadata.get("user-agent").and_then(|value| value.to_str().ok());
    Device::of(user_agent.unwrap_or_default())
}

fn listed(view: SessionView, current: &Session) -> pb::Session {
    pb::Session {
        id: view.token.session_id(),
        client: view.device.client,
        system: view.device.system,
        created_at_ms: view.created_at_ms,
        last_used_ms: view.last_used_ms,
        connected: view.connected,
        current: view.token == current.token,
    }
}

fn page_limit(limit: u32) -> Result<u32, ChatError> {
    match limit {
        0 => Ok(DEFAULT_PAGE_EVENTS),
        1..=MAX_PAGE_EVENTS => Ok(limit),
        _ => Err(InvalidField::new("limit", format!("A page has at most {MAX_PAGE_EVENTS} events.")).into()),
    }
}

fn client_cursors(cursors: Vec<pb::Cursor>) -> Result<Vec<ClientCursor>, ChatError> {
    let refuse = |sentence: String| Err(InvalidField::new("cursors", sentence).into());
    if cursors.len() > MAX_CURSORS {
        return refuse(format!("There can be at most {MAX_CURSORS} cursors."));
    }
    let mut rooms = HashSet::with_capacity(cursors.len());
    if !cursors.iter().all(|cursor| rooms.insert(cursor.room_id.as_str())) {
        return refuse("There can be one cursor for each room.".to_owned());
    }
    let cursors = cursors.into_iter().map(|pb::Cursor { room_id, epoch, seq, fingerprint }| ClientCursor {
        room: RoomId::new(room_id),
        epoch,
        seq,
        fingerprint,
    });
    Ok(cursors.collect())
}

fn room_state(view: &RoomView) -> pb::RoomState {
    encoding::room_state(view, pb::Recovery::Unspecified, pb::LostReason::Unspecified)
}
