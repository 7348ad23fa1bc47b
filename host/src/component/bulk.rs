//! How much a component is made of: compiling takes time and memory with it, and far more
//! than in proportion where parts are nested or functions are large.

use anyhow::ensure;
use wasmparser::{FunctionBody, Parser, Payload};

use super::content::Content;

/// Modules, components and instances of them, in all.
const PARTS_MAX: u64 = 1_000;
/// How deep components are nested.
const DEPTH_MAX: usize = 10;
/// Functions of all modules, and those that lead from one part to another.
const FUNCTIONS_MAX: u64 = 200_000;
/// The largest function, in bytes.
const BODY_MAX: usize = 1 << 20;
/// The most variables of a function.
const LOCALS_MAX: u64 = 10_000;
/// The most variables of a function times its bytes: each may live through all of them.
const LIVES_MAX: u64 = 100_000_000;
/// The sum of that over all functions.
const ALL_LIVES_MAX: u64 = 1_000_000_000;

/// What was counted so far.
#[derive(Default)]
struct Bulk {
    depth: usize,
    parts: u64,
    functions: u64,
    lives: u64,
}

/// Whether it is worth compiling. A component that is no whole one is not this one's to refuse.
///
/// # Errors
/// Names what there is too much of.
pub(super) fn is_moderate(content: &Content) -> anyhow::Result<()> {
    let mut bulk = Bulk::default();
    let payloads = Parser::new(0).parse_all(content.bytes());
    for payload in payloads.map_while(Result::ok) {
        bulk.add(&payload).map_err(|what| {
            let origin = content.origin();
            what.context(format!(
                "{origin} is not compiled, as that would take too much"
            ))
        })?;
    }
    Ok(())
}

impl Bulk {
    fn add(&mut self, payload: &Payload<'_>) -> anyhow::Result<()> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.depth += 1;
                self.parts += 1;
            }
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::InstanceSection(section) => self.parts += u64::from(section.count()),
            Payload::ComponentInstanceSection(section) => self.parts += u64::from(section.count()),
            Payload::CodeSectionStart { count, .. } => self.functions += u64::from(*count),
            Payload::ComponentCanonicalSection(section) => {
                self.functions += u64::from(section.count());
            }
            Payload::CodeSectionEntry(body) => self.lives += lives(body)?,
            _ => {}
        }
        let (depth, parts, functions) = (self.depth, self.parts, self.functions);
        ensure!(
            depth <= DEPTH_MAX,
            "its components are nested deeper than {DEPTH_MAX}"
        );
        ensure!(
            parts <= PARTS_MAX,
            "it is made of more than {PARTS_MAX} modules, components and instances"
        );
        ensure!(
            functions <= FUNCTIONS_MAX,
            "it has more than {FUNCTIONS_MAX} functions"
        );
        ensure!(
            self.lives <= ALL_LIVES_MAX,
            "its functions are too long for the variables that they have"
        );
        Ok(())
    }
}

/// The variables of a function times its bytes.
fn lives(body: &FunctionBody<'_>) -> anyhow::Result<u64> {
    let (at, bytes) = (body.range().start, body.range().len());
    ensure!(
        bytes <= BODY_MAX,
        "its function at byte {at} is {bytes} bytes long, and no function may be longer than {BODY_MAX}"
    );
    let locals = body.get_locals_reader()?.into_iter();
    let counts = locals.map(|declared| declared.map(|(count, _)| u64::from(count)));
    let locals = counts.sum::<Result<u64, _>>()?;
    ensure!(
        locals <= LOCALS_MAX,
        "its function at byte {at} has {locals} variables, and none may have more than {LOCALS_MAX}"
    );
    let lives = locals * bytes as u64;
    ensure!(
        lives <= LIVES_MAX,
        "its function at byte {at} has {locals} variables and is {bytes} bytes long, which is too much of both"
    );
    Ok(lives)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::NestedComponentSection;

    use super::*;
    use crate::component::Origin;

    fn refusal(bytes: &[u8]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large.wasm");
        std::fs::write(&file, bytes).unwrap();
        let content = Content::read(Origin::File(file)).unwrap();
        is_moderate(&content)
            .err()
            .map(|error| format!("{error:#}"))
    }

    fn nested(depth: usize) -> Vec<u8> {
        let mut component = wasm_encoder::Component::new();
        for _ in 0..depth {
            let inner = component;
            component = wasm_encoder::Component::new();
            component.section(&NestedComponentSection(&inner));
        }
        component.finish()
    }

    fn of(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    fn wide(parts: &str, count: usize) -> Vec<u8> {
        of(&format!(
            "(component (core module $m) {})",
            parts.repeat(count)
        ))
    }

    fn functions(count: usize, locals: usize, bodies: usize) -> Vec<u8> {
        let locals = "(local i32)".repeat(locals);
        let body = "(drop (i32.const 0))".repeat(bodies);
        let function = format!("(func {locals} {body})").repeat(count);
        of(&format!("(component (core module {function}))"))
    }

    #[test]
    fn a_component_that_would_take_too_much_to_compile_is_refused_with_what_there_is_too_much_of() {
        let instance = "(core instance (instantiate $m))";
        let rows = [
            (nested(10), None),
            (nested(11), Some("nested deeper than 10")),
            (nested(2_000), Some("nested deeper than 10")),
            (wide("(component)", 999), None),
            (wide("(component)", 1_000), Some("made of more than 1000")),
            (wide("(core module)", 1_000), Some("made of more than 1000")),
            (wide(instance, 999), None),
            (wide(instance, 1_000), Some("made of more than 1000")),
            (functions(1_000, 0, 0), None),
            (functions(200_001, 0, 0), Some("more than 200000 functions")),
            (functions(1, 0, 300_000), None),
            (functions(1, 0, 400_000), Some("longer than 1048576")),
            (functions(1, 10_000, 1), None),
            (functions(1, 10_001, 1), Some("has 10001 variables")),
            (functions(1, 10_000, 10_000), Some("too much of both")),
            (functions(11, 9_000, 3_000), None),
            (
                functions(20, 9_000, 3_000),
                Some("too long for the variables"),
            ),
        ];
        for (row, (bytes, expected)) in rows.into_iter().enumerate() {
            let refused = refusal(&bytes);
            match expected {
                None => assert_eq!(refused, None, "row {row}"),
                Some(words) => {
                    let refused = refused.expect(words);
                    assert!(refused.contains(words), "row {row}: {refused}");
                    assert!(refused.contains("large.wasm"), "{refused}");
                }
            }
        }
    }
}
