//! Speed and CPU time of runs, and how they are written: median (least to most).

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Clock ticks per second in /proc, on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run measured.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) documents_per_second: f64,
    pub(crate) cpu_seconds_per_million: f64,
}

/// A run under way.
pub(crate) struct Stopwatch {
    started: Instant,
    cpu_before: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> anyhow::Result<Self> {
        Ok(Self {
            cpu_before: own_cpu()?,
            started: Instant::now(),
        })
    }

    /// The run is over, and brought so many documents.
    pub(crate) fn stop(self, documents: u64) -> anyhow::Result<Run> {
        let (elapsed, documents) = (self.started.elapsed(), documents as f64);
        let cpu = own_cpu()?.saturating_sub(self.cpu_before);
        Ok(Run {
            documents_per_second: documents / elapsed.as_secs_f64(),
            cpu_seconds_per_million: cpu.as_secs_f64() / documents * 1e6,
        })
    }
}

/// What the columns of [`line`] are.
pub(crate) fn heading() -> String {
    format!(
        "{:<36}{:>32}  {:>36}",
        "", "documents/s", "CPU seconds per million documents"
    )
}

/// The runs of one case.
pub(crate) fn line(name: &str, runs: &[Run]) -> String {
    let speed = runs.iter().map(|run| run.documents_per_second);
    let cpu = runs.iter().map(|run| run.cpu_seconds_per_million);
    format!("{name:<36}{:>32}  {:>36}", spread(speed, 0), spread(cpu, 1))
}

/// Median, least and most, with so many digits.
pub(crate) fn spread(values: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let median = values.get(values.len() / 2);
    let [median, least, most] =
        [median, values.first(), values.last()].map(|value| value.copied().unwrap_or(f64::NAN));
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// CPU time of this process without the threads of the in-process Elasticsearch, which have
/// a name of their own and live as long as it does. Threads that ended are in it.
fn own_cpu() -> anyhow::Result<Duration> {
    let (_, mut ticks) = cpu_ticks(Path::new("/proc/self/stat"))?;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may end while we look.
        let Ok((name, of_thread)) = cpu_ticks(&task?.path().join("stat")) else {
            continue;
        };
        if name.contains("mini-elastic") {
            ticks = ticks.saturating_sub(of_thread);
        }
    }
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// The name of a process or thread, and its time in user and system mode.
fn cpu_ticks(stat: &Path) -> anyhow::Result<(String, u64)> {
    let stat = std::fs::read_to_string(stat)?;
    let (head, tail) = stat.rsplit_once(')').context("no thread name")?;
    let fields: Vec<_> = tail.split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let user = field(11).context("no user time")?;
    let system = field(12).context("no system time")?;
    Ok((head.to_owned(), user + system))
}
