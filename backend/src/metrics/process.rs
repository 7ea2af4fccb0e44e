//! Metrics of the process, with the names that client libraries of Prometheus give them.

use std::fmt;

use procfs::process::{LimitValue, Process as Proc};
use procfs::{ProcResult, WithCurrentSystemInfo as _};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use super::state::gauge;

/// The process that serves.
#[derive(Debug)]
pub(super) struct Process;

/// The system's figures of the process.
struct Usage {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    open_files: usize,
    max_files: Option<u64>,
    threads: i64,
    started: f64,
}

impl Usage {
    fn read() -> ProcResult<Self> {
        let process = Proc::myself()?;
        let stat = process.stat()?;
        #[expect(clippy::cast_precision_loss, reason = "seconds with hundredths, for a graph")]
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970, for a graph")]
        let booted = procfs::boot_time_secs()? as f64;
        Ok(Self {
            cpu_seconds: seconds(stat.utime + stat.stime),
            resident_bytes: stat.rss_bytes().get(),
            virtual_bytes: stat.vsize,
            open_files: process.fd_count()?,
            max_files: match process.limits()?.max_open_files.soft_limit {
                LimitValue::Value(files) => Some(files),
                LimitValue::Unlimited => None,
            },
            threads: stat.num_threads,
            started: booted + seconds(stat.starttime),
        })
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let usage = match Usage::read() {
            Ok(usage) => usage,
            Err(error) => {
                // Without /proc the other metrics are still there.
                tracing::debug!(%error, "the system tells nothing of the process");
                return Ok(());
            }
        };
        let help = "Processor time of the process, user and system";
        let cpu = encoder.encode_descriptor("process_cpu_seconds", help, None, MetricType::Counter)?;
        ConstCounter::new(usage.cpu_seconds).encode(cpu)?;
        gauge(&mut encoder, "process_resident_memory_bytes", "Resident memory", usage.resident_bytes)?;
        gauge(&mut encoder, "process_virtual_memory_bytes", "Virtual memory", usage.virtual_bytes)?;
        gauge(&mut encoder, "process_open_fds", "Open files and sockets", usage.open_files)?;
        if let Some(files) = usage.max_files {
            gauge(&mut encoder, "process_max_fds", "Limit of open files and sockets", files)?;
        }
        gauge(&mut encoder, "process_threads", "Threads", usage.threads)?;
        let help = "Start of the process, seconds since 1970";
        gauge(&mut encoder, "process_start_time_seconds", help, usage.started)
    }
}
