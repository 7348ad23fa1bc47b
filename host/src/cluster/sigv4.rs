//! AWS's signature, version 4: a request shows that its sender knows a key.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use std::time::SystemTime;

use anyhow::Context as _;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign as signature,
};
use aws_sigv4::sign::v4::SigningParams;
use reqwest::Request;
use reqwest::header::HeaderName;

use super::authorization::secret;
use crate::config::{Aws, Secret};

/// Signs a request as it stands, with this time, which AWS compares to its own.
///
/// # Errors
/// If the request has no form that can be signed.
pub(super) fn sign(request: &mut Request, aws: &Aws, now: SystemTime) -> anyhow::Result<()> {
    let identity = Credentials::new(
        aws.access_key_id.expose(),
        aws.secret_access_key.expose(),
        aws.session_token
            .as_ref()
            .map(|token| Secret::expose(token).to_owned()),
        None,
        "configuration",
    )
    .into();
    let mut settings = SigningSettings::default();
    // OpenSearch Serverless asks for the hash of the body, and the other takes it.
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&aws.region)
        .name(aws.service.as_str())
        .time(now)
        .settings(settings)
        .build()
        .context("a request can not be signed")?
        .into();
    let (instructions, _) = signature(signable(request)?, &params)
        .context("a request can not be signed")?
        .into_parts();
    let headers = instructions.headers().map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        anyhow::Ok((name, secret(value)?))
    });
    let headers: Vec<_> = headers.collect::<anyhow::Result<_>>()?;
    request
        .headers_mut()
        .extend(headers.into_iter().map(|(name, value)| (Some(name), value)));
    Ok(())
}

fn signable(request: &Request) -> anyhow::Result<SignableRequest<'_>> {
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let body = request
        .body()
        .and_then(|body| body.as_bytes())
        .unwrap_or_default();
    SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        headers,
        SignableBody::Bytes(body),
    )
    .context("a request can not be signed")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use reqwest::{Client, RequestBuilder};

    use super::*;
    use crate::config::{AwsService, Credentials as Configured, Source};

    /// 2026-01-02T03:04:05Z
    const NOW: u64 = 1_767_323_045;

    fn aws(service: &str, more: &str) -> Aws {
        let identity = "access_key_id = 'AKIDEXAMPLE', secret_access_key = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'";
        let keys = format!("region = 'eu-central-1', service = '{service}', {identity}{more}");
        let toml = format!("[sources.a.config]\nurl = 'http://a'\nindex = 'i'\naws = {{ {keys} }}");
        match Source::from_toml(&toml).unwrap().access.credentials {
            Some(Configured::Aws(aws)) => aws,
            other => panic!("{other:?}"),
        }
    }

    fn signed(builder: RequestBuilder, aws: &Aws) -> Request {
        let mut request = builder.build().unwrap();
        sign(&mut request, aws, UNIX_EPOCH + Duration::from_secs(NOW)).unwrap();
        request
    }

    /// The signatures were computed apart from this program, step by step as AWS's
    /// documentation has it.
    #[test]
    fn a_signature_is_that_of_the_documentation() {
        let client = Client::new();
        let search = client
            .post("https://search.example.com:9200/es/logs-%2A/_search?size=1&allow_partial_search_results=false")
            .header("content-type", "application/json")
            .body("{\"size\":1}");
        let root = client.get("https://search.example.com/");
        let rows = [
            (
                search,
                aws("es", ", session_token = 'lent'"),
                "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token",
                "b83e3b806539202308800649cf12230617226609a0cf6092e5128141b2da20ab",
            ),
            (
                root,
                aws("aoss", ""),
                "host;x-amz-content-sha256;x-amz-date",
                "b11f9c8a25a71a8ca4e4bceaf8c9655fae3b2e5019b1989d6825b1689013efd9",
            ),
        ];
        for (builder, aws, headers, signature) in rows {
            let request = signed(builder, &aws);
            let service = aws.service.as_str();
            let scope = format!("20260102/eu-central-1/{service}/aws4_request");
            assert_eq!(
                request.headers()["authorization"],
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders={headers}, Signature={signature}"
                )
            );
            assert_eq!(request.headers()["x-amz-date"], "20260102T030405Z");
            let lent = request.headers().get("x-amz-security-token");
            assert_eq!(lent.is_some(), aws.service == AwsService::Es);
        }
    }

    #[test]
    fn a_signed_request_shows_no_secret() {
        let lent = aws("es", ", session_token = 'lent'");
        let request = signed(Client::new().get("https://a/"), &lent);
        let shown = format!("{request:?}");
        assert!(
            !shown.contains("lent") && !shown.contains("AKID"),
            "{shown}"
        );
    }
}
