//! When a run is killed: a random while after something that it does.

use std::time::{Duration, Instant};

use rand::RngExt as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

use super::output::Output;
use super::program::Program;

/// What a run is given to come to a moment's beginning; killed late is killed, too.
const PATIENCE: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(2);

/// Where the clock of a kill begins.
#[derive(Debug, Clone, Copy)]
enum Beginning {
    /// The process exists.
    Started,
    /// Component and state are there; the output is about to be read back.
    Loaded,
    /// A message has arrived.
    Publishing,
}

/// A moment in a run.
#[derive(Debug)]
pub struct Moment {
    beginning: Beginning,
    delay: Duration,
}

impl Moment {
    /// Most are short, so that as many fall into opening, publishing and saving as into the
    /// long quiet between two cycles.
    pub fn draw(random: &mut StdRng) -> Self {
        use Beginning::{Loaded, Publishing, Started};
        let beginning = [Started, Loaded, Publishing, Publishing].choose(random);
        let longest_ms = [50, 50, 400, 400, 400, 1_500].choose(random);
        let delay_ms = random.random_range(0..*longest_ms.unwrap());
        Self {
            beginning: *beginning.unwrap(),
            delay: Duration::from_millis(delay_ms),
        }
    }

    /// Waits for it, while another producer writes to the same topics.
    pub async fn come(&self, program: &Program, output: &mut Output) {
        let (started, before) = (Instant::now(), output.count().await);
        while started.elapsed() < PATIENCE && !self.has_begun(program, output, before).await {
            tokio::time::sleep(TICK).await;
        }
        output.disturb().await;
        tokio::time::sleep(self.delay).await;
    }

    async fn has_begun(&self, program: &Program, output: &mut Output, before: usize) -> bool {
        match self.beginning {
            Beginning::Started => true,
            Beginning::Loaded => program.log().contains(": loaded"),
            Beginning::Publishing => output.count().await > before,
        }
    }
}
