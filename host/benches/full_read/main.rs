//! A first full read of a real Elasticsearch, from 5 shards through the component, at
//! several numbers of slices: into an output that discards, and into files. Beside each, a
//! client that only downloads the same pages, and the share of its speed that is reached.
//!
//! Five rounds, each with every case in turn, so that a noisy moment hits all of them; a
//! share compares two runs of the same round. CPU time is without the node's.
//! The node is the one that `ELASTICSEARCH_URL` names; one command starts one and runs this:
//! `NODES=elasticsearch-8.19.21 tests/services/with-servers.sh cargo bench --bench full_read`.
//! An index of the name below is kept there, and replaced if it holds other documents.

mod download;
mod load;
mod node;
#[path = "../support/mod.rs"]
mod support;

use elasticsearch_source::sandbox::Sandbox;

use node::Node;
use support::report::{self, Run};
use support::{Case, DISCARDED, Index};

const SERVER: &str = "ELASTICSEARCH_URL";
const INDEX: &str = "elasticsearch-source-bench";
const DOCUMENTS: u64 = 1_000_000;
const SLICES: [u32; 3] = [1, 2, 4];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Ok(url) = std::env::var(SERVER) else {
        println!("full read of a real Elasticsearch: not run, as {SERVER} names no server");
        return Ok(());
    };
    let index = Index {
        url: url.trim_end_matches('/'),
        name: INDEX,
        documents: DOCUMENTS,
    };
    load::load(&Node::at(index.url)?, &index).await?;
    let sandbox = Sandbox::new()?;
    download::download(&index, &DISCARDED).await?;
    let mut compared = SLICES.map(Comparison::at);
    let rounds = support::rounds()?;
    for _ in 0..rounds {
        for comparison in &mut compared {
            comparison.round(&index, &sandbox).await?;
        }
    }
    println!(
        "{DOCUMENTS} documents of about 480 bytes, {} in a page, {rounds} interleaved rounds: median (least to most)",
        DISCARDED.page_size
    );
    println!("{}{:>32}", report::heading(), "% of only downloaded");
    compared.iter().for_each(Comparison::print);
    Ok(())
}

/// The runs with this many slices, by round.
struct Comparison {
    slices: u32,
    downloaded: Vec<Run>,
    discarded: Vec<Run>,
    into_files: Vec<Run>,
}

impl Comparison {
    fn at(slices: u32) -> Self {
        Self {
            slices,
            downloaded: Vec::new(),
            discarded: Vec::new(),
            into_files: Vec::new(),
        }
    }

    async fn round(&mut self, index: &Index<'_>, sandbox: &Sandbox) -> anyhow::Result<()> {
        let discarded = Case {
            slices: self.slices,
            ..DISCARDED
        };
        let into_files = Case {
            name: "into files",
            into_files: true,
            ..discarded
        };
        let downloaded = download::download(index, &discarded).await?;
        self.downloaded.push(downloaded);
        let read = support::read(index, sandbox, &discarded).await?;
        self.discarded.push(read);
        let read = support::read(index, sandbox, &into_files).await?;
        self.into_files.push(read);
        Ok(())
    }

    fn print(&self) {
        let name = |what| format!("{what}, slices = {}", self.slices);
        println!(
            "{}",
            report::line(&name("only downloaded"), &self.downloaded)
        );
        for (what, runs) in [
            ("discarded", &self.discarded),
            ("into files", &self.into_files),
        ] {
            let shares = runs.iter().zip(&self.downloaded).map(share);
            let line = report::line(&name(what), runs);
            println!("{line}{:>32}", report::spread(shares, 0));
        }
    }
}

/// The speed of a run in percent of the download's in the same round.
fn share((run, downloaded): (&Run, &Run)) -> f64 {
    100.0 * run.documents_per_second / downloaded.documents_per_second
}
