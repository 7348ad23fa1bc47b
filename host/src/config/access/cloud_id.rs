//! `cloud_id`: the address of a deployment in Elastic Cloud, as its console shows it.
//!
//! `NAME:` and in base64 `DOMAIN[:PORT]$ELASTICSEARCH[:PORT]$KIBANA`, which means
//! `https://ELASTICSEARCH.DOMAIN:PORT`. Elastic's own clients read it in the same way.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reqwest::Url;

/// Where no part names a port.
const PORT: &str = "443";

/// The console's padding is not always whole.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The address of the cluster.
pub(super) fn decode(cloud_id: &str) -> Result<Url, String> {
    let copy = "copy it from the deployment's page";
    // The name is for people, and may be missing.
    let encoded = cloud_id.rsplit(':').next().unwrap_or(cloud_id);
    let decoded = BASE64.decode(encoded).ok();
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded
        .ok_or_else(|| format!("has no readable base64 behind its name and a colon: {copy}"))?;
    let mut parts = decoded.split('$');
    let (domain, domain_port) = host_and_port(parts.next().unwrap_or_default());
    let (cluster, cluster_port) = host_and_port(parts.next().unwrap_or_default());
    if domain.is_empty() {
        return Err(format!("names no domain in its first part: {copy}"));
    }
    if matches!(cluster, "" | "undefined") {
        return Err(format!("names no elasticsearch in its second part: {copy}"));
    }
    let port = cluster_port.or(domain_port).unwrap_or(PORT);
    if port.parse::<u16>().is_err() {
        return Err(format!("has the port {port:?}, which is none: {copy}"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if !domain.chars().chain(cluster.chars()).all(plain) {
        return Err(format!("has parts that are no names of hosts: {copy}"));
    }
    Url::parse(&format!("https://{cluster}.{domain}:{port}"))
        .map_err(|cause| format!("means no url ({cause}): {copy}"))
}

fn host_and_port(part: &str) -> (&str, Option<&str>) {
    match part.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (part, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(decoded: &str) -> Result<String, String> {
        decode(&format!("my deployment:{}", BASE64.encode(decoded))).map(String::from)
    }

    #[test]
    fn a_cloud_id_is_the_address_of_its_elasticsearch() {
        let rows = [
            ("eu.example.io$abc$kib", "https://abc.eu.example.io/"),
            ("eu.example.io$abc", "https://abc.eu.example.io/"),
            (
                "eu.example.io:9243$abc$kib",
                "https://abc.eu.example.io:9243/",
            ),
            (
                "eu.example.io:9243$abc:9244$kib:1",
                "https://abc.eu.example.io:9244/",
            ),
        ];
        for (decoded, url) in rows {
            assert_eq!(of(decoded).unwrap(), url, "{decoded}");
        }
        let bare = BASE64.encode("example.io$abc$k");
        let unpadded = bare.trim_end_matches('=');
        assert_eq!(decode(&bare), decode(&format!("name:{unpadded}")));
    }

    #[test]
    fn what_is_wrong_with_a_cloud_id_is_said_by_its_part() {
        let rows = [
            ("$abc$kib", "no domain in its first part"),
            ("eu.example.io$$kib", "no elasticsearch in its second part"),
            (
                "eu.example.io$undefined$kib",
                "no elasticsearch in its second part",
            ),
            ("eu.example.io", "no elasticsearch in its second part"),
            ("eu.example.io$abc:port$kib", "the port \"port\""),
            ("user@example.io$abc", "no names of hosts"),
        ];
        for (decoded, part) in rows {
            let error = of(decoded).unwrap_err();
            assert!(error.contains(part), "{decoded}: {error}");
        }
        for cloud_id in ["name", "name:%%%", "name://///w=="] {
            assert!(decode(cloud_id).unwrap_err().contains("no readable base64"));
        }
    }
}
