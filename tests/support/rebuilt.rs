//! The embedded component as another version of it would be: what it describes, the format of
//! its states, and whether it works. Around functions of its core module, others are put.

use std::collections::BTreeMap;
use std::convert::Infallible;

use elasticsearch_source::component::{Content, Origin};
use wasm_encoder::reencode::{Error, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, InstructionSink, MemArg, Module, ValType,
};
use wasmparser::{Parser, Payload, TypeRef};

const SOURCE: &str = "iggy:connector/source@0.1.0";
const STATE: &str = "iggy:connector/state@0.1.0";
/// What the embedded component writes.
pub const FORMAT: u32 = 3;
/// What a version says that ends with a permanent error.
pub const REASON: &str = "so be it";

/// How a call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    Trap,
    Permanent,
    /// As what only has to be waited for, for an hour.
    Transient,
}

/// Another version.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rebuilt {
    number: Option<u8>,
    format: Option<u32>,
    nonsense: bool,
    poll: Option<(u32, Wrong)>,
    open: Option<Wrong>,
    close: Option<Wrong>,
}

impl Rebuilt {
    /// Version 0.1.N, which is otherwise the embedded one.
    pub fn numbered(number: u8) -> Self {
        assert!((1..10).contains(&number));
        Self {
            number: Some(number),
            ..Self::default()
        }
    }

    /// Its states have this format.
    pub fn writing(self, format: u32) -> Self {
        Self {
            format: Some(format),
            ..self
        }
    }

    /// Its states are empty objects.
    pub fn saving_nonsense(self) -> Self {
        Self {
            nonsense: true,
            ..self
        }
    }

    /// This poll of an instance, from 1, goes wrong after all that it does.
    pub fn failing_in_poll(self, nth: u32, wrong: Wrong) -> Self {
        Self {
            poll: Some((nth, wrong)),
            ..self
        }
    }

    /// It never opens.
    pub fn failing_to_open(self, wrong: Wrong) -> Self {
        Self {
            open: Some(wrong),
            ..self
        }
    }

    /// It closes, and then goes wrong.
    pub fn failing_to_close(self, wrong: Wrong) -> Self {
        Self {
            close: Some(wrong),
            ..self
        }
    }

    /// Its bytes.
    pub fn bytes(self) -> Vec<u8> {
        let embedded = Content::read(Origin::Embedded).unwrap();
        let bytes = embedded.bytes();
        let modules = Parser::new(0).parse_all(bytes);
        let modules = modules.filter_map(|payload| match payload.unwrap() {
            Payload::ModuleSection {
                unchecked_range, ..
            } => Some(unchecked_range),
            _ => None,
        });
        let range = modules.max_by_key(ExactSizeIterator::len).unwrap();
        let rebuilt = self.module(&bytes[range.clone()]);
        let header = 1 + leb128(range.len()).len();
        let (before, header) = bytes[..range.start].split_at(range.start - header);
        assert_eq!((header[0], &header[1..]), (1, &*leb128(range.len())));
        let section = [&[1][..], &leb128(rebuilt.len()), &rebuilt].concat();
        [before, &section, &bytes[range.end..]].concat()
    }

    fn module(self, bytes: &[u8]) -> Vec<u8> {
        let mut patch = Patch::of(bytes);
        if self.number.is_some() || self.format.is_some() {
            patch.around_export("describe", |code, original| {
                code.call(original).local_tee(0);
                if let Some(number) = self.number {
                    let digit = i32::from(b'0' + number);
                    code.i32_load(at(8)).i32_const(digit).i32_store8(at(4));
                } else {
                    code.drop();
                }
                if let Some(format) = self.format {
                    let format = i32::try_from(format).unwrap();
                    code.local_get(0).i32_const(format).i32_store(at(16));
                }
                code.local_get(0);
            });
        }
        if let Some(format) = self.format {
            let (ours, embedded) = (i32::try_from(format).unwrap(), FORMAT as i32);
            patch.around_import("submit", |code, original| {
                code.local_get(0).local_get(1).i32_const(ours);
                code.local_get(3).local_get(4).local_get(5).call(original);
            });
            patch.around_import("load", |code, original| {
                // There is a state, and in that format.
                code.local_get(0).call(original);
                code.local_get(0).i32_load8_u(at(0)).i32_eqz();
                code.local_get(0).i32_load8_u(at(4)).i32_and();
                code.local_get(0).i32_load(at(16)).i32_const(ours);
                code.i32_eq().i32_and().if_(BlockType::Empty);
                code.local_get(0)
                    .i32_const(embedded)
                    .i32_store(at(16))
                    .end();
            });
        }
        if self.nonsense {
            let empty = i32::from(u16::from_le_bytes(*b"{}"));
            patch.around_import("submit", |code, original| {
                code.local_get(0).i32_const(empty);
                code.i32_store16(MemArg { align: 0, ..at(0) });
                code.local_get(0).i32_const(2).local_get(2);
                code.local_get(3).local_get(4).local_get(5).call(original);
            });
        }
        if let Some((nth, wrong)) = self.poll {
            let (count, allocate) = (patch.counter(), patch.exports["cabi_realloc"]);
            patch.around_export("poll", |code, original| {
                code.local_get(0).local_get(1).local_get(2).call(original);
                code.local_set(3);
                code.global_get(count).i32_const(1).i32_add();
                code.global_set(count).global_get(count);
                code.i32_const(i32::try_from(nth).unwrap()).i32_eq();
                code.if_(BlockType::Empty);
                go_wrong(code, wrong, (3, 4), allocate);
                code.end().local_get(3);
            });
        }
        if let Some(wrong) = self.open {
            let allocate = patch.exports["cabi_realloc"];
            patch.around_export("open", |code, original| {
                code.local_get(0).local_get(1).local_get(2).call(original);
                code.local_set(3);
                go_wrong(code, wrong, (3, 4), allocate);
                code.local_get(3);
            });
        }
        if let Some(wrong) = self.close {
            let allocate = patch.exports["cabi_realloc"];
            patch.around_export("close", |code, original| {
                code.call(original).local_set(0);
                go_wrong(code, wrong, (0, 1), allocate);
                code.local_get(0);
            });
        }
        let mut module = Module::new();
        patch
            .parse_core_module(&mut module, Parser::new(0), bytes)
            .unwrap();
        module.finish()
    }
}

/// A result that is in memory at the first local becomes an error; the second is free.
fn go_wrong(code: &mut InstructionSink<'_>, wrong: Wrong, locals: (u32, u32), allocate: u32) {
    let (result, text) = locals;
    if wrong == Wrong::Trap {
        code.unreachable();
        return;
    }
    let reason = i64::from_le_bytes(REASON.as_bytes().try_into().unwrap());
    code.i32_const(0).i32_const(0).i32_const(1).i32_const(8);
    code.call(allocate).local_tee(text);
    code.i64_const(reason)
        .i64_store(MemArg { align: 0, ..at(0) });
    code.local_get(result).i32_const(1).i32_store8(at(0));
    let kind = i32::from(wrong == Wrong::Permanent);
    code.local_get(result).i32_const(kind).i32_store8(at(8));
    code.local_get(result).local_get(text).i32_store(at(16));
    code.local_get(result).i32_const(8).i32_store(at(20));
    if wrong == Wrong::Transient {
        code.local_get(result).i32_const(1).i32_store8(at(24));
        code.local_get(result)
            .i64_const(3_600_000)
            .i64_store(at(32));
    }
}

fn at(offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        memory_index: 0,
    }
}

fn leb128(length: usize) -> Vec<u8> {
    let (mut rest, mut bytes) = (length, Vec::new());
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap();
        rest >>= 7;
        bytes.push(if rest == 0 { low } else { low | 0x80 });
        if rest == 0 {
            return bytes;
        }
    }
}

/// What is added to a core module, whose counts these are.
#[derive(Default)]
struct Patch {
    functions: u32,
    globals: u32,
    /// The types of all functions.
    types: Vec<u32>,
    imports: BTreeMap<String, u32>,
    exports: BTreeMap<String, u32>,
    added: Vec<(u32, Function)>,
    counters: u32,
    instead_of_import: BTreeMap<u32, u32>,
    instead_of_export: BTreeMap<String, u32>,
}

impl Patch {
    fn of(bytes: &[u8]) -> Self {
        let mut patch = Self::default();
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.unwrap() {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        let import = import.unwrap();
                        let TypeRef::Func(kind) = import.ty else {
                            panic!("{import:?}")
                        };
                        if import.module == STATE {
                            patch
                                .imports
                                .insert(import.name.to_owned(), patch.functions);
                        }
                        patch.types.push(kind);
                        patch.functions += 1;
                    }
                }
                Payload::FunctionSection(functions) => {
                    patch
                        .types
                        .extend(functions.into_iter().map(Result::unwrap));
                    patch.functions = u32::try_from(patch.types.len()).unwrap();
                }
                Payload::GlobalSection(globals) => patch.globals = globals.count(),
                Payload::ExportSection(exports) => {
                    let exports = exports.into_iter().map(Result::unwrap);
                    let named = exports.map(|export| (export.name.to_owned(), export.index));
                    patch.exports.extend(named);
                }
                _ => {}
            }
        }
        patch
    }

    /// A function of the same type as this one. It has two more locals for addresses.
    fn add(&mut self, original: u32, write: impl FnOnce(&mut InstructionSink<'_>, u32)) -> u32 {
        let mut function = Function::new([(2, ValType::I32)]);
        let mut code = function.instructions();
        write(&mut code, original);
        code.end();
        let kind = self.types[original as usize];
        self.added.push((kind, function));
        self.functions + u32::try_from(self.added.len()).unwrap() - 1
    }

    fn around_export(&mut self, name: &str, write: impl FnOnce(&mut InstructionSink<'_>, u32)) {
        let name = format!("{SOURCE}#{name}");
        let added = self.add(self.exports[&name], write);
        self.instead_of_export.insert(name, added);
    }

    fn around_import(&mut self, name: &str, write: impl FnOnce(&mut InstructionSink<'_>, u32)) {
        let original = self.imports[name];
        let added = self.add(original, write);
        self.instead_of_import.insert(original, added);
    }

    /// A number that begins with 0.
    fn counter(&mut self) -> u32 {
        self.counters += 1;
        self.globals + self.counters - 1
    }
}

type Done = Result<(), Error<Infallible>>;

impl Reencode for Patch {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error<Infallible>> {
        let instead = self.instead_of_import.get(&function);
        Ok(instead.copied().unwrap_or(function))
    }

    fn parse_function_section(
        &mut self,
        functions: &mut FunctionSection,
        section: wasmparser::FunctionSectionReader<'_>,
    ) -> Done {
        utils::parse_function_section(self, functions, section)?;
        self.added.iter().for_each(|(kind, _)| {
            functions.function(*kind);
        });
        Ok(())
    }

    fn parse_global_section(
        &mut self,
        globals: &mut GlobalSection,
        section: wasmparser::GlobalSectionReader<'_>,
    ) -> Done {
        utils::parse_global_section(self, globals, section)?;
        let kind = GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        };
        for _ in 0..self.counters {
            globals.global(kind, &ConstExpr::i32_const(0));
        }
        Ok(())
    }

    fn parse_export(
        &mut self,
        exports: &mut ExportSection,
        export: wasmparser::Export<'_>,
    ) -> Done {
        match self.instead_of_export.get(export.name) {
            Some(instead) => {
                exports.export(export.name, ExportKind::Func, *instead);
                Ok(())
            }
            None => utils::parse_export(self, exports, export),
        }
    }

    fn parse_code_section(
        &mut self,
        code: &mut CodeSection,
        section: wasmparser::CodeSectionReader<'_>,
    ) -> Done {
        utils::parse_code_section(self, code, section)?;
        self.added.iter().for_each(|(_, function)| {
            code.function(function);
        });
        Ok(())
    }
}
