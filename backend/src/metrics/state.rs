//! Metrics that are read at each scrape from what the server knows anyway.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::chat::Chat;
use crate::rates::Rates;

/// The state of the chat and of the rate limits.
#[derive(Debug)]
pub(super) struct State {
    chat: Chat,
    rates: Arc<Rates>,
}

impl State {
    pub(super) fn new(chat: Chat, rates: Arc<Rates>) -> Self {
        Self { chat, rates }
    }
}

impl Collector for State {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let stats = self.chat.stats();
        let ready = u32::from(self.chat.check_writable().is_ok());
        gauge(&mut encoder, "chinwag_database_writable", "1 while the database takes writes", ready)?;
        gauge(&mut encoder, "chinwag_streams", "Open streams of the chat", stats.streams)?;
        gauge(&mut encoder, "chinwag_tail_frames", "Frames in the tail", stats.tail_frames)?;
        gauge(&mut encoder, "chinwag_tail_bytes", "Bytes of the frames in the tail", stats.tail_bytes)?;
        let help = "Writes that wait for the writer";
        gauge(&mut encoder, "chinwag_writer_queue", help, stats.queued_writes)?;
        let help = "Size of the database and its write-ahead log";
        gauge(&mut encoder, "chinwag_database_bytes", help, self.chat.database_bytes())?;
        self.encode_log(&mut encoder)?;
        let help = "Gaps between a stream and the tail, which should never happen";
        let gaps = ConstCounter::new(stats.tail_gaps);
        gaps.encode(encoder.encode_descriptor("chinwag_tail_gaps", help, None, MetricType::Counter)?)?;
        let help = "Calls that were refused because they came too often, by action and scope of the limit";
        let mut refused =
            encoder.encode_descriptor("chinwag_rate_refusals", help, None, MetricType::Counter)?;
        for (action, scope, count) in self.rates.refusals() {
            let labels = [("action", action), ("scope", scope)];
            ConstCounter::new(count).encode(refused.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl State {
    /// The log that several servers share.
    fn encode_log(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let Some(log) = self.chat.log_state() else { return Ok(()) };
        let help = "The last entry of the servers' log that the database has";
        gauge(encoder, "chinwag_log_position", help, log.applied)?;
        let help = "Entries of the servers' log that the database does not have yet";
        gauge(encoder, "chinwag_log_lag", help, log.lag())?;
        let help = "Time since the database had everything in the servers' log, seconds";
        gauge(encoder, "chinwag_log_outdated_seconds", help, log.outdated.as_secs_f64())?;
        let Some(snapshot) = self.chat.newest_snapshot() else { return Ok(()) };
        let help = "The last entry that the newest copy of the database in the servers' log has";
        gauge(encoder, "chinwag_log_snapshot_position", help, snapshot.position)?;
        let help = "Age of the newest copy of the database in the servers' log, seconds";
        gauge(encoder, "chinwag_log_snapshot_age_seconds", help, snapshot.age().as_secs_f64())
    }
}

/// Encodes one gauge.
pub(crate) fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}
