//! The program `elasticsearch-source`; everything is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    elasticsearch_source::cli::main().await
}
