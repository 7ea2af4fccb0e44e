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

/// Encodes one gauge.
pub(super) fn gauge(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    value: impl EncodeGaugeValue,
) -> fmt::Result {
    let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    ConstGauge::new(value).encode(metric)
}
