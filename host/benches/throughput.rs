//! Documents per second and CPU time, from the in-process Elasticsearch through the
//! component: into an output that discards, for several page sizes; and into files, with
//! the state saved once a second, and after every page.
//!
//! Five rounds, each with every case in turn, so that a noisy moment hits all of them. CPU
//! time is the connector's alone. Run it with `cargo bench --bench throughput`.

mod support;

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options};
use elasticsearch_source::sandbox::Sandbox;

use support::{Case, DISCARDED, Index, report};

const DOCUMENTS: u64 = 200_000;
const CASES: [Case; 5] = [
    Case {
        name: "discarded, 100 in a page",
        page_size: 100,
        ..DISCARDED
    },
    DISCARDED,
    Case {
        name: "discarded, 5,000 in a page",
        page_size: 5_000,
        ..DISCARDED
    },
    Case {
        name: "into files, saved once a second",
        into_files: true,
        ..DISCARDED
    },
    Case {
        name: "into files, saved after every page",
        into_files: true,
        saving: "auto_save_interval = \"0s\"",
        ..DISCARDED
    },
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cluster = MiniElasticsearch::start(Options::default())?;
    let index = Index {
        url: cluster.url(),
        name: "logs",
        documents: DOCUMENTS,
    };
    fill(&cluster, &index)?;
    let sandbox = Sandbox::new()?;
    support::read(&index, &sandbox, &DISCARDED).await?;
    let mut runs = vec![Vec::new(); CASES.len()];
    let rounds = support::rounds()?;
    for _ in 0..rounds {
        for (case, runs) in CASES.iter().zip(&mut runs) {
            runs.push(support::read(&index, &sandbox, case).await?);
        }
    }
    println!(
        "{DOCUMENTS} documents of about 480 bytes, {rounds} interleaved rounds: median (least to most)"
    );
    println!("{}", report::heading());
    for (case, runs) in CASES.iter().zip(&runs) {
        println!("{}", report::line(case.name, runs));
    }
    Ok(())
}

fn fill(cluster: &MiniElasticsearch, index: &Index<'_>) -> anyhow::Result<()> {
    cluster.create_index(index.name, 3, &support::mappings())?;
    for number in 0..index.documents {
        let source = support::document(number);
        cluster.insert(index.name, Some(&format!("d{number}")), source)?;
    }
    Ok(())
}
