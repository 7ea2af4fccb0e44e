//! A full-duplex stream: one response for each request, as long as the definition has responses.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tonic::{Status, Streaming};

use super::received::Received;
use super::{Payloads, delay, end};
use crate::pb::{BidiStreamRequest, ConformancePayload, StreamResponseDefinition};

pub(super) struct FullDuplex {
    requests: Streaming<BidiStreamRequest>,
    /// The first request, which contains the definition.
    first: Option<BidiStreamRequest>,
    /// Whether requests may still come.
    open: bool,
    /// The requests since the last response.
    received: Received,
    definition: StreamResponseDefinition,
    answers: VecDeque<Vec<u8>>,
    delay: Duration,
    ended: bool,
}

impl FullDuplex {
    pub(super) fn new(
        requests: Streaming<BidiStreamRequest>,
        first: BidiStreamRequest,
        received: Received,
        definition: &StreamResponseDefinition,
    ) -> Self {
        Self {
            requests,
            first: Some(first),
            open: true,
            received,
            definition: definition.clone(),
            answers: definition.response_data.clone().into(),
            delay: delay(definition.response_delay_ms),
            ended: false,
        }
    }

    pub(super) fn payloads(self) -> Payloads {
        stream::unfold(self, |mut duplex| async move {
            let next = duplex.next().await.transpose()?;
            duplex.ended |= next.is_err();
            Some((next, duplex))
        })
        .boxed()
    }

    async fn next(&mut self) -> Result<Option<ConformancePayload>, Status> {
        if self.ended {
            return Ok(None);
        }
        if self.open {
            match self.request().await? {
                Some(request) => self.received.add(&request)?,
                None => self.open = false,
            }
        }
        let Some(data) = self.answers.pop_front() else {
            self.ended = true;
            return end(&self.definition, || self.received.clone())?.transpose();
        };
        tokio::time::sleep(self.delay).await;
        Ok(Some(ConformancePayload { data, request_info: Some(self.received.take()) }))
    }

    async fn request(&mut self) -> Result<Option<BidiStreamRequest>, Status> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.requests.message().await,
        }
    }
}
