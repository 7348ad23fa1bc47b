//! Generated from wit/: what a component imports and exports.
//!
//! Only the capabilities and [`crate::instance`] look in here.

#![expect(missing_docs, reason = "generated; the docs are in wit/")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "source-connector",
    imports: {
        "iggy:connector/http.[method]pending.wait": async | trappable,
        "iggy:connector/publisher.[method]pending.wait": async | trappable,
        "iggy:connector/publisher.ends": async | trappable,
        "iggy:connector/publisher.forget-unclaimed": async | trappable,
        "iggy:connector/publisher.resume": async | trappable,
        "iggy:connector/state.load": async | trappable,
        "iggy:connector/state.[method]pending.wait": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "iggy:connector/http.body": crate::capability::http::Body,
        "iggy:connector/http.pending": crate::capability::http::Pending,
        "iggy:connector/publisher.pending": crate::capability::publisher::Pending,
        "iggy:connector/state.pending": crate::capability::state::Pending,
    },
});
