//! The modules of the crate know each other in one direction only. The table says who may know whom; a new arrow is added
//! here, or is a mistake.
#![allow(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_docs,
    reason = "a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, and those that it knows. They stand above it, so there is no way in a circle.
const ARROWS: &[(&str, &str)] = &[
    ("name", ""),
    ("output", ""),
    ("request", ""),
    ("time", ""),
    ("timestamp", ""),
    ("words", ""),
    ("work", ""),
    ("limits", ""),
    ("timers", "limits output time"),
    ("end_cause", "timers"),
    ("amf", "limits"),
    ("media", "amf limits output timestamp"),
    ("flv", "amf limits media output timestamp"),
    ("hub", "media name time timestamp"),
    ("rtmp::handshake", "output"),
    ("rtmp::chunk", "limits output timestamp"),
    ("rtmp::message", "amf limits media output rtmp::chunk timestamp"),
    (
        "rtmp::session",
        "amf end_cause limits media name output request rtmp::chunk rtmp::handshake rtmp::message time timers timestamp work",
    ),
    (
        "rtmp::transcript",
        "limits media output rtmp::chunk rtmp::message rtmp::session",
    ),
    ("rtmp", ""),
    (
        "http",
        "end_cause flv limits media name output request time timers work",
    ),
    (
        "server",
        "end_cause flv http hub limits media name output request rtmp rtmp::transcript time timers timestamp work",
    ),
];

fn arrows() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    ARROWS.iter().map(|(from, to)| (*from, to.split_whitespace().collect()))
}

#[test]
fn modules_know_only_those_that_the_table_allows() {
    let (src, mut wrong, mut seen) = (Source::read(), Vec::new(), BTreeSet::new());
    for file in &src.files {
        let from = node(&file.module);
        let Some((_, allowed)) = arrows().find(|(module, _)| *module == from) else {
            wrong.push(format!("{}: {from} is not in the table", file.path.display()));
            continue;
        };
        for to in file.known(&src.exports) {
            if allowed.contains(&&*to) {
                seen.insert((from.clone(), to));
            } else {
                wrong.push(format!("{}: {from} may not know {to}", file.path.display()));
            }
        }
    }
    for (from, allowed) in arrows() {
        for to in allowed {
            if !seen.contains(&(from.into(), to.into())) {
                wrong.push(format!("the table: {from} does not know {to}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn arrows_of_the_table_point_upwards() {
    let place = |module: &str| ARROWS.iter().position(|(it, _)| *it == module);
    for (from, allowed) in arrows() {
        for to in allowed {
            assert!(place(to) < place(from) && place(to).is_some(), "{from} knows {to}");
        }
    }
}

#[test]
fn paths_are_found_in_every_form() {
    let text = "use crate::{Frame, hub::{self, Hub}};\n// crate::http\nfn f(x: crate::flv::Tag) {}\nuse super::super::amf;\n\
        #[cfg(test)]\nmod tests {\n    use crate::server;\n}";
    let file = File::new("rtmp/chunk/header.rs".into(), text);
    let exports = [("Frame".to_owned(), "media".to_owned())].into();
    let known = ["flv", "hub", "media", "rtmp::amf"].map(str::to_owned);
    assert_eq!(file.module, ["rtmp", "chunk", "header"]);
    assert_eq!(file.known(&exports), known.into());
}

/// The crate's files without their tests, and where what its root exports is from.
struct Source {
    files: Vec<File>,
    exports: BTreeMap<String, String>,
}

impl Source {
    fn read() -> Source {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut files, mut exports, mut folders) = (Vec::new(), BTreeMap::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let inner = path.strip_prefix(&root).unwrap();
                if inner.iter().any(|part| part == "tests" || part == "tests.rs") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                } else if inner == Path::new("lib.rs") {
                    for line in fs::read_to_string(&path).unwrap().lines() {
                        let Some(export) = line.strip_prefix("pub use ") else {
                            continue;
                        };
                        for segments in tree(&mut export.trim_end_matches(';')) {
                            exports.insert(segments.last().unwrap().clone(), segments[0].clone());
                        }
                    }
                } else {
                    files.push(File::new(inner.into(), &fs::read_to_string(&path).unwrap()));
                }
            }
        }
        assert!(files.len() > 100, "the sources are elsewhere");
        Source { files, exports }
    }
}

struct File {
    path: PathBuf,
    /// Its path in the crate.
    module: Vec<String>,
    /// Without comments, and without the tests at its end.
    code: String,
}

impl File {
    fn new(path: PathBuf, text: &str) -> File {
        let mut module: Vec<_> = (path.with_extension("").iter())
            .map(|part| part.to_str().unwrap().to_owned())
            .collect();
        module.pop_if(|last| last == "mod");
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = (text.lines().filter(|line| !line.trim_start().starts_with("//")))
            .fold(String::new(), |code, line| code + line + "\n");
        File { path, module, code }
    }

    /// The other modules that it names by `crate::` or `super::`.
    fn known(&self, exports: &BTreeMap<String, String>) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        for word in ["crate::", "super::"] {
            for (at, _) in self.code.match_indices(word) {
                if self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == ':' || c == '_') {
                    continue;
                }
                for path in tree(&mut &self.code[at..]) {
                    let supers = path.iter().take_while(|segment| *segment == "super").count();
                    let inside = self.module.len().saturating_sub(supers);
                    let base = if supers == 0 { &[] } else { &self.module[..inside] };
                    let names = path.iter().skip(supers.max(1));
                    let mut absolute: Vec<String> = base.iter().chain(names).cloned().collect();
                    if let Some(module) = absolute.first().and_then(|first| exports.get(first)) {
                        absolute = vec![module.clone()];
                    }
                    known.insert(node(&absolute));
                }
            }
        }
        known.remove(&node(&self.module));
        known
    }
}

/// Which module of the table a path is in.
fn node(path: &[String]) -> String {
    match path {
        [rtmp, layer, ..] if rtmp == "rtmp" && layer.starts_with(char::is_lowercase) => format!("rtmp::{layer}"),
        [module, ..] => module.clone(),
        [] => String::new(),
    }
}

/// Takes a path from the front of `text`, with its branches: `a::{b, c::D}` is `a::b` and `a::c::D`.
fn tree(text: &mut &str) -> Vec<Vec<String>> {
    *text = text.trim_start();
    if let Some(rest) = text.strip_prefix('{') {
        *text = rest;
        let mut paths = Vec::new();
        while !text.is_empty() && !text.starts_with('}') {
            paths.extend(tree(text));
            // What follows until then is another name for it: `as ...`.
            *text = text.trim_start_matches(|c| c != ',' && c != '}');
            *text = text.trim_start_matches(',').trim_start();
        }
        *text = text.strip_prefix('}').unwrap_or(text);
        return paths;
    }
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    *text = rest;
    match rest.strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => {
            *text = rest;
            (tree(text).into_iter())
                .map(|path| [vec![name.to_owned()], path].concat())
                .collect()
        }
        _ => vec![vec![name.to_owned()]],
    }
}
