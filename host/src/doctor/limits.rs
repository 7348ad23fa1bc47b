//! The settings of the whole cluster that limit some ways of paging.

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Finding, Topic::Settings};

/// The answer to `_cluster/settings`, with defaults.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct ClusterSettings {
    #[serde(default)]
    transient: Value,
    #[serde(default)]
    persistent: Value,
    #[serde(default)]
    defaults: Value,
}

impl ClusterSettings {
    fn get(&self, pointer: &str) -> Option<&str> {
        let layers = [&self.transient, &self.persistent, &self.defaults];
        layers
            .into_iter()
            .find_map(|layer| layer.pointer(pointer)?.as_str())
    }

    /// Whether documents may be sorted by `_id`.
    pub(super) fn sorts_by_id(&self) -> Option<bool> {
        Some(self.get("/indices/id_field_data/enabled")? == "true")
    }
}

/// Tells how much may be held open; Elasticsearch has no such limit of points in time.
pub(super) fn judge(settings: &ClusterSettings) -> Option<Finding> {
    let limits = [
        ("scrolls", "max_open_scroll_context"),
        ("points in time", "max_open_pit_context"),
    ];
    let known = limits.into_iter().filter_map(|(what, name)| {
        let most = settings.get(&format!("/search/{name}"))?;
        Some(format!("{most} shards by {what} (search.{name})"))
    });
    let known: Vec<_> = known.collect();
    (!known.is_empty()).then(|| {
        Settings.ok(format!(
            "all clients together may hold open, on each node, {}",
            known.join(" and ")
        ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn opensearch_limits_points_in_time_too() {
        let search = json!({"max_open_scroll_context": "500", "max_open_pit_context": "300"});
        let settings = json!({"defaults": {"search": search}});
        let finding = judge(&serde_json::from_value(settings).unwrap()).unwrap();
        assert_eq!(
            finding.message,
            "all clients together may hold open, on each node, 500 shards by scrolls (search.max_open_scroll_context) and 300 shards by points in time (search.max_open_pit_context)"
        );
    }

    #[test]
    fn what_is_set_goes_before_what_is_the_default() {
        let of = |json| serde_json::from_value::<ClusterSettings>(json).unwrap();
        let default = json!({"search": {"max_open_scroll_context": "500"}, "indices": {"id_field_data": {"enabled": "false"}}});
        let set = json!({"search": {"max_open_scroll_context": "9"}, "indices": {"id_field_data": {"enabled": "true"}}});
        let rows = [
            (of(json!({})), None, None),
            (
                of(json!({"defaults": default})),
                Some("500 shards by scrolls"),
                Some(false),
            ),
            (
                of(json!({"defaults": default, "persistent": set})),
                Some("9 shards by scrolls"),
                Some(true),
            ),
            (
                of(json!({"persistent": default, "transient": set})),
                Some("9 shards by scrolls"),
                Some(true),
            ),
        ];
        for (settings, scrolls, sorts) in rows {
            let message = judge(&settings).map(|finding| finding.message);
            assert_eq!(message.is_some(), scrolls.is_some());
            assert!(
                message
                    .unwrap_or_default()
                    .contains(scrolls.unwrap_or_default())
            );
            assert_eq!(settings.sorts_by_id(), sorts);
        }
    }
}
