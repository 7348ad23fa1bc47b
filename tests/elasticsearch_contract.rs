//! What the connector depends on in a cluster, as plain requests, run against the server
//! in this process and against real ones, so that the former cannot drift. What only the
//! server in this process can do is in [`faults`] and [`in_process`].

mod contents;
mod dates;
mod documents;
mod faults;
mod in_process;
mod indices;
mod paging;
mod points_in_time;
mod reader;
mod routing;
mod scrolls;
mod searches;
mod sequence_numbers;
