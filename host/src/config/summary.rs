//! What a configuration would run, in a few lines without secrets.

use super::units::{show_duration, show_size};
use super::{Config, Output, Source};

impl Config {
    /// What would run, line by line, without secrets.
    pub fn summary(&self) -> Vec<String> {
        let output = self.output_line();
        self.sources
            .values()
            .flat_map(|source| source_lines(source, &output))
            .collect()
    }

    fn output_line(&self) -> String {
        match (&self.output, &self.iggy) {
            (Output::Iggy, Some(iggy)) => format!("iggy at {}", iggy.address),
            (Output::Iggy, None) => "iggy".to_owned(),
            (Output::File { path }, _) => format!("files below {}", path.display()),
            (Output::Stdout, _) => "standard output".to_owned(),
        }
    }
}

fn source_lines(source: &Source, output: &str) -> Vec<String> {
    let Source {
        key, limits, state, ..
    } = source;
    let disabled = if source.enabled { "" } else { ", disabled" };
    let component = source
        .path
        .as_ref()
        .map_or("embedded".to_owned(), |path| path.display().to_string());
    let pinned = source.sha256.map(|digest| format!(", sha256 {digest}"));
    let access = &source.access;
    let who = access
        .credentials
        .as_ref()
        .map(|credentials| format!(" {}", credentials.summary()));
    let proxy = access
        .proxy
        .as_ref()
        .map(|proxy| format!(", through {}", proxy.address));
    let compatible = access
        .compatible_with
        .map(|version| format!(", compatible with {version}"));
    let headers = match access.headers.as_slice() {
        [] => String::new(),
        headers => {
            let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
            format!(", headers {}", names.join(" "))
        }
    };
    let unverified = match access.tls.danger_accept_invalid_certs {
        true => ", WITHOUT VERIFYING ITS CERTIFICATE",
        false => "",
    };
    let slice = match source.slice.is_part() {
        true => format!(", slice {}", source.slice),
        false => String::new(),
    };
    let place = match state.enabled {
        true => format!("{}, id {}", state.place(), state.state_id),
        false => "none, every start reads everything".to_owned(),
    };
    let mut lines = vec![
        format!("source {key}: {}{disabled}", source.name),
        format!("  component  {component}{}", pinned.unwrap_or_default()),
        format!("  grants     {}", source.grants),
        format!(
            "  reads      {}, index {}{slice}{}{}{}{headers}{unverified}",
            access.addresses(),
            source.index,
            who.unwrap_or_default(),
            proxy.unwrap_or_default(),
            compatible.unwrap_or_default()
        ),
        format!(
            "  interval   {}, request timeout {}, responses up to {}",
            show_duration(source.polling_interval),
            show_duration(source.timeout),
            show_size(source.max_response_bytes)
        ),
        format!("  output     {output}, {}", source.delivery.as_str()),
    ];
    lines.extend(source.streams.iter().map(|stream| {
        let linger = show_duration(stream.linger_time);
        let (schema, length) = (stream.schema.as_str(), stream.batch_length);
        let (metadata, partitioning) = (stream.metadata.as_str(), &stream.partitioning);
        format!(
            "  stream     {}, topic {}, {schema}, batches of {length}, linger {linger}, metadata {metadata}, partitioned {partitioning}",
            stream.stream, stream.topic
        )
    }));
    lines.extend(source.dead_letter.as_ref().map(|dead_letter| {
        let (stream, topic) = (&dead_letter.stream, &dead_letter.topic);
        format!("  refused    {stream}, topic {topic}")
    }));
    lines.push(format!("  state      {place}"));
    lines.push(format!(
        "  limits     memory {}, {} pages or {} a poll, {} of computing and {} in all a call",
        show_size(limits.memory),
        limits.poll_pages,
        show_duration(limits.poll_time),
        show_duration(limits.guest_time),
        show_duration(limits.call_time)
    ));
    lines.push(format!(
        "             {} requests, {} messages and {} held at once, {} a call, {} lines a second, {} handles, {} table elements",
        limits.requests,
        limits.messages,
        show_size(limits.held_bytes),
        show_size(limits.call_bytes),
        limits.log_lines,
        limits.handles,
        limits.table_elements
    ));
    lines
}
