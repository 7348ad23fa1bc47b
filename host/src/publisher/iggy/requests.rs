//! A batch cut into requests, each for one partition. Pure.
//!
//! **Invariant:** the messages for one partition keep their order, within a request and
//! from request to request.

use std::collections::HashMap;

use ::iggy::prelude::{IggyMessage, Sizeable};

use super::limits::Limits;

/// What is sent at once.
#[derive(Debug)]
pub(super) struct Request {
    /// `None` where any partition will do.
    pub(super) partition: Option<u32>,
    /// Where in the batch the messages stand.
    pub(super) places: Vec<usize>,
    pub(super) messages: Vec<IggyMessage>,
    bytes: usize,
}

impl Request {
    fn to(partition: Option<u32>) -> Self {
        Self {
            partition,
            places: Vec::new(),
            messages: Vec::new(),
            bytes: 0,
        }
    }

    fn has_room(&self, message: &IggyMessage, limits: Limits) -> bool {
        let fits = self.bytes + size(message) <= limits.messages_bytes();
        fits && self.messages.len() < limits.batch_length.get()
    }

    fn push(&mut self, place: usize, message: IggyMessage) {
        self.bytes += size(&message);
        self.places.push(place);
        self.messages.push(message);
    }
}

/// A few bytes more than it has in a request.
fn size(message: &IggyMessage) -> usize {
    message.get_size_bytes().as_bytes_usize()
}

/// The requests in the order of their first messages. `partitions` says where each message
/// goes.
pub(super) fn cut(
    messages: Vec<IggyMessage>,
    partitions: &[Option<u32>],
    limits: Limits,
) -> Vec<Request> {
    let mut requests: Vec<Request> = Vec::new();
    let mut open: HashMap<Option<u32>, usize> = HashMap::new();
    for ((place, message), partition) in messages.into_iter().enumerate().zip(partitions) {
        let newest = open.get(partition).and_then(|at| requests.get_mut(*at));
        match newest.filter(|request| request.has_room(&message, limits)) {
            Some(request) => request.push(place, message),
            None => {
                open.insert(*partition, requests.len());
                let mut request = Request::to(*partition);
                request.push(place, message);
                requests.push(request);
            }
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use std::num::NonZeroUsize;

    fn places(batch: &[(usize, Option<u32>)], batch_length: usize) -> Vec<Vec<usize>> {
        let payload = |bytes: usize| Bytes::from(vec![b' '; bytes]);
        let message = |bytes| IggyMessage::builder().payload(payload(bytes)).build();
        let messages = batch.iter().map(|(bytes, _)| message(*bytes).unwrap());
        let partitions: Vec<_> = batch.iter().map(|(_, partition)| *partition).collect();
        let limits = Limits {
            batch_length: NonZeroUsize::new(batch_length).unwrap(),
            request_bytes: 64 << 20,
        };
        let requests = cut(messages.collect(), &partitions, limits);
        requests.into_iter().map(|request| request.places).collect()
    }

    #[test]
    fn a_request_has_at_most_batch_length_messages_and_eight_megabytes() {
        let any = |sizes: &[usize]| sizes.iter().map(|bytes| (*bytes, None)).collect::<Vec<_>>();
        let rows = [
            (any(&[1; 5]), 2, vec![vec![0, 1], vec![2, 3], vec![4]]),
            (
                any(&[3 << 20, 3 << 20, 3 << 20, 1]),
                100,
                vec![vec![0, 1], vec![2, 3]],
            ),
            (any(&[1, 9 << 20, 1]), 100, vec![vec![0], vec![1], vec![2]]),
            (vec![], 3, vec![]),
        ];
        for (batch, batch_length, expected) in rows {
            assert_eq!(places(&batch, batch_length), expected);
        }
    }

    #[test]
    fn each_partition_gets_its_messages_in_their_order() {
        let to = |partition| (1, Some(partition));
        let batch = [to(2), to(0), to(2), to(0), to(0), to(2), to(1)];
        assert_eq!(places(&batch, 100), [vec![0, 2, 5], vec![1, 3, 4], vec![6]]);
        assert_eq!(
            places(&batch, 2),
            [vec![0, 2], vec![1, 3], vec![4], vec![5], vec![6]]
        );
    }
}
