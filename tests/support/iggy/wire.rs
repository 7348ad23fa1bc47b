//! Frames: a 256-byte header, then a body; requests in, replies and evictions out.
//!
//! Header fields are found by their place in the protocol crate's structures, so that a
//! change there is followed here.

use std::mem::offset_of;

use iggy_binary_protocol::consensus::{EvictionHeader, EvictionReason};
use iggy_binary_protocol::requests::users::LoginRegisterRequest;
use iggy_binary_protocol::{
    COMMAND_TABLE, Command, HEADER_SIZE, Operation, ReplyHeader, RequestHeader, WireDecode, codes,
};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The largest request taken unless a test says otherwise.
pub(crate) const FRAME_MAX: usize = 80 << 20;

/// One request of a client.
pub(crate) struct Request {
    /// Command code, as in [`iggy_binary_protocol::codes`].
    pub(crate) code: u32,
    pub(crate) body: Vec<u8>,
    operation: u8,
    client: [u8; 16],
    request: [u8; 8],
}

/// Reads one request; `None` once the client is gone or talks another language, and on a
/// request that is larger than `frame_max()`, as the real server does it.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    frame_max: impl Fn() -> usize,
) -> Option<Request> {
    let mut header = [0_u8; HEADER_SIZE];
    stream.read_exact(&mut header).await.ok()?;
    let size = u32::from_le_bytes(field(&header, offset_of!(RequestHeader, size))) as usize;
    let known = header[offset_of!(RequestHeader, command)] == Command::Request as u8;
    if !known || !(HEADER_SIZE..=frame_max()).contains(&size) {
        return None;
    }
    let mut body = vec![0; size - HEADER_SIZE];
    stream.read_exact(&mut body).await.ok()?;
    let operation = header[offset_of!(RequestHeader, operation)];
    Some(Request {
        code: code(operation, &header, &body),
        body,
        operation,
        client: field(&header, offset_of!(RequestHeader, client)),
        request: field(&header, offset_of!(RequestHeader, request)),
    })
}

/// Replicated commands are told by their operation, the others carry their code; of the
/// two ways to register only the body tells which it is.
fn code(operation: u8, header: &[u8; HEADER_SIZE], body: &[u8]) -> u32 {
    if operation == Operation::NonReplicated as u8 {
        return u32::from_le_bytes(field(header, offset_of!(RequestHeader, reserved)));
    }
    if operation == Operation::Register as u8 {
        let by_password =
            LoginRegisterRequest::decode(body).is_ok_and(|(_, consumed)| consumed == body.len());
        return match by_password {
            true => codes::LOGIN_REGISTER_CODE,
            false => codes::LOGIN_REGISTER_WITH_PAT_CODE,
        };
    }
    let of_operation = |meta: &&iggy_binary_protocol::CommandMeta| {
        meta.operation.is_some_and(|known| known as u8 == operation)
    };
    COMMAND_TABLE
        .iter()
        .find(of_operation)
        .map_or(0, |meta| meta.code)
}

fn field<const N: usize>(header: &[u8; HEADER_SIZE], at: usize) -> [u8; N] {
    header[at..at + N].try_into().unwrap()
}

impl Request {
    /// The frame of the answer; `Err` is an error code, which goes without a body.
    pub(crate) fn reply(&self, answer: Result<Vec<u8>, u32>) -> Vec<u8> {
        let (status, body) = match answer {
            Ok(body) => (0, self.with_result_section(body)),
            Err(status) => (status, Vec::new()),
        };
        let mut frame = vec![0; HEADER_SIZE];
        let size = u32::try_from(HEADER_SIZE + body.len()).unwrap();
        put(
            &mut frame,
            offset_of!(ReplyHeader, size),
            &size.to_le_bytes(),
        );
        put(
            &mut frame,
            offset_of!(ReplyHeader, command),
            &[Command::Reply as u8],
        );
        put(&mut frame, offset_of!(ReplyHeader, client), &self.client);
        put(&mut frame, offset_of!(ReplyHeader, request), &self.request);
        put(
            &mut frame,
            offset_of!(ReplyHeader, operation),
            &[self.operation],
        );
        put(
            &mut frame,
            offset_of!(ReplyHeader, status),
            &status.to_le_bytes(),
        );
        frame.extend(body);
        frame
    }

    /// Metadata operations answer with a list of errors before their payload.
    fn with_result_section(&self, body: Vec<u8>) -> Vec<u8> {
        let register = self.operation == Operation::Register as u8;
        let metadata = [Operation::CreateStream, Operation::CreateTopic];
        match register || metadata.iter().any(|known| *known as u8 == self.operation) {
            true => [vec![0; 4], body].concat(),
            false => body,
        }
    }

    /// The frame that ends a session, with the protocol versions that are accepted.
    pub(crate) fn evict(&self, reason: EvictionReason, (min, max): (u32, u32)) -> Vec<u8> {
        let mut frame = vec![0; HEADER_SIZE];
        let size = u32::try_from(HEADER_SIZE).unwrap().to_le_bytes();
        put(&mut frame, offset_of!(EvictionHeader, size), &size);
        put(
            &mut frame,
            offset_of!(EvictionHeader, command),
            &[Command::Eviction as u8],
        );
        put(&mut frame, offset_of!(EvictionHeader, client), &self.client);
        let version = offset_of!(EvictionHeader, server_protocol_version);
        let version_min = offset_of!(EvictionHeader, server_protocol_version_min);
        put(&mut frame, version, &max.to_le_bytes());
        put(&mut frame, version_min, &min.to_le_bytes());
        put(
            &mut frame,
            offset_of!(EvictionHeader, reason),
            &[reason as u8],
        );
        frame
    }
}

fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
    frame[at..at + bytes.len()].copy_from_slice(bytes);
}
