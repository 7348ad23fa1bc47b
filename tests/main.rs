//! All integration tests, in one binary.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests fail by panicking, and nothing outside of them sees their helpers"
)]

mod access;
mod component;
mod component_commands;
mod configuration;
mod dead_letters;
mod destination_contract;
mod doctor;
mod document_id;
mod elasticsearch_contract;
mod failures;
mod feed;
mod full_disk;
mod hostile;
mod hot_swap;
mod iggy_connection;
mod iggy_output;
mod iggy_streams;
mod pagination;
mod program;
mod reading;
mod readme;
mod registry;
mod rust_api;
mod selection;
mod shared_state;
mod slices;
mod state_commands;
mod state_set_back;
mod state_store_contract;
mod status;
mod support;
mod terminal;
mod tiebreaker;
mod unnumbered;
