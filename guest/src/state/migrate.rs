//! Older formats, one step for each.
//!
//! | format | what it has |
//! |---|---|
//! | 1 | the edge has 33 bytes an entry: timestamp, sequence number, id, met. Without an edge, the format of the connector whose documents users know |
//! | 2 | the edge is packed, see [`crate::edge`] |
//! | 3 | there are slices, the edge may begin before the place where reading goes on, and documents are counted by the minute |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::DeserializeOwned;
use serde::de::Error as _;
use serde_json::{Error, Map, Value};

use crate::edge::Edge;
use crate::key::{Key, Point};
use crate::paging::minutes::Minutes;
use crate::paging::slices::Slices;
use crate::time::Unit;

/// The data of a state in the newest format. Fields that are not known stay.
pub(super) fn to_newest(data: &[u8], format: u32) -> Result<Value, Error> {
    let mut state = serde_json::from_slice(data)?;
    if format < 2 {
        pack_edge(&mut state)?;
    }
    if format < 3 {
        slice(&mut state)?;
    }
    Ok(state)
}

/// What was the one progress becomes the one slice. A read that was under way begins again at
/// its segment's start, whose documents are in the edge.
fn slice(state: &mut Value) -> Result<(), Error> {
    let Some(Value::Object(reading)) = state.get_mut("reading") else {
        return Ok(());
    };
    let start: Key = field(reading, "start")?;
    let unit: Unit = field(reading, "unit")?;
    let mut slices = Slices::from(start.clone(), unit);
    // Nobody counted by the minute.
    if start != Key::MIN {
        slices.minutes = Minutes::unknown(Point::MIN);
    }
    if let Some(slice) = slices.slices.first_mut() {
        slice.position = field(reading, "position")?;
        slice.edge = field(reading, "edge")?;
        slice.crowd = field(reading, "crowd")?;
    }
    for known in ["start", "position", "edge", "crowd", "cycle"] {
        reading.remove(known);
    }
    if let Value::Object(slices) = serde_json::to_value(slices)? {
        reading.extend(slices);
    }
    Ok(())
}

fn field<T: DeserializeOwned>(reading: &Map<String, Value>, name: &str) -> Result<T, Error> {
    serde_json::from_value(reading.get(name).cloned().unwrap_or_default())
}

fn pack_edge(state: &mut Value) -> Result<(), Error> {
    let Some(edge) = state.pointer_mut("/reading/edge") else {
        return Ok(());
    };
    let text = edge
        .as_str()
        .ok_or_else(|| Error::custom("the edge is no text"))?;
    let entries = STANDARD_NO_PAD.decode(text).map_err(Error::custom)?;
    let (entries, rest) = entries.as_chunks::<33>();
    if !rest.is_empty() {
        return Err(Error::custom("the edge is cut off"));
    }
    let entries = entries.iter().map(entry).collect::<Option<Vec<_>>>();
    let entries = entries.ok_or_else(|| Error::custom("the edge is cut off"))?;
    *edge = serde_json::to_value(Edge::of(entries))?;
    Ok(())
}

fn entry(entry: &[u8; 33]) -> Option<(Key, u128, bool)> {
    let (timestamp, rest) = entry.split_first_chunk()?;
    let (seq_no, rest) = rest.split_first_chunk()?;
    let (id, met) = rest.split_first_chunk()?;
    let key = Key {
        point: i64::from_le_bytes(*timestamp).into(),
        seq_no: i64::from_le_bytes(*seq_no),
    };
    Some((key, u128::from_le_bytes(*id), met.first() == Some(&1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    #[test]
    fn an_edge_of_the_first_format_is_packed_and_everything_else_stays() {
        let id = 0xaf55 << 112 | 42_u128;
        let mut edge = Vec::new();
        for (timestamp, seq_no, met) in [(5_i64, 1_i64, 1), (6, 2, 0)] {
            edge.extend(timestamp.to_le_bytes());
            edge.extend(seq_no.to_le_bytes());
            edge.extend(id.to_le_bytes());
            edge.push(met);
        }
        let old = serde_json::json!({
            "poll_count": 3, "others": [1],
            "reading": {
                "selection": {"index": "i", "field": "t", "query": "", "namespace": ""},
                "unit": "ms", "start": [5, 0], "position": [6, 2],
                "edge": STANDARD_NO_PAD.encode(edge),
            },
        });
        let state = to_newest(old.to_string().as_bytes(), 1).unwrap();
        let packed: Edge =
            serde_json::from_value(state["reading"]["slices"][0]["edge"].clone()).unwrap();
        assert_eq!(packed.len(), 2);
        assert!(packed.holds(&(5, 1).into(), id) && packed.holds(&(6, 2).into(), id));
        assert_eq!(packed.met_before(&Key::at(9)), 1);
        assert_eq!(
            (&state["poll_count"], &state["others"]),
            (&3.into(), &serde_json::json!([1]))
        );
        assert_eq!(
            state["reading"]["slices"][0]["position"],
            old["reading"]["position"]
        );
    }

    #[test]
    fn an_edge_of_the_first_format_that_is_cut_off_is_an_error() {
        for edge in ["AAAA", "?"] {
            let data = format!(r#"{{"reading":{{"edge":"{edge}"}}}}"#);
            assert!(State::parse(data.as_bytes(), 1).is_err(), "{edge}");
        }
    }
}
