//! No circles of files.
//!
//! A **circle** is found among the modules that share a parent, each taken with everything below it: one names something of
//! the next, and so on, until one names something of the first. So two files of a folder cannot name each other, nor can
//! two folders, and whoever reads one of them can stop before the other. Four things decide what counts:
//!
//! - A module and the modules below it are one thing to those outside and may name each other: a parent puts its parts
//!   together, and a part works on its parent's types. What is judged is one part of a parent against another.
//! - A name belongs to the module that defines it. A parent that declares and re-exports its children adds nothing: who
//!   takes `super::Event` names the sibling from which the parent has it.
//! - `use` and paths in code that begin with `crate`, `super` or `self` are names. A method that is called is not: it needs
//!   no name of its module.
//! - Tests are free: `#[cfg(test)]`, files named `tests.rs` and what is in folders of that name.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    File,
    tokens::{Token, tokens},
};

/// The crates of the project that have more than one file: the folder, and the file of the root module.
const CRATES: &[(&str, &str)] = &[
    ("src", "lib"),
    ("benches/load", "main"),
    ("benches/micro", "main"),
    ("tests/campaign", "main"),
    ("tests/it", "main"),
];

/// The names of a module from the root of its crate, which has none.
type Path = Vec<String>;

/// A path that stands in a file.
struct Name {
    path: Path,
    /// What a `use` calls it here.
    local: Option<String>,
    line: usize,
}

struct Module {
    file: String,
    names: Vec<Name>,
}

/// All modules of a crate.
struct Modules(BTreeMap<Path, Module>);

/// One module names something of another.
struct Edge {
    from: String,
    to: String,
    /// `file:line`, and what it names.
    place: String,
}

/// Every circle of the project, in words.
pub(super) fn circles(files: &[File]) -> Vec<String> {
    CRATES.iter().flat_map(|(folder, root)| Modules::read(files, folder, root).circles()).collect()
}

impl Modules {
    fn read(files: &[File], folder: &str, root: &str) -> Self {
        let modules = files.iter().filter_map(|file| {
            let name = file.path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(".rs")?;
            let path: Path = name.split('/').map(str::to_owned).filter(|part| part != root).collect();
            let is_test = folder == "src" && path.iter().any(|part| part == "tests");
            (!is_test).then(|| (path, Module { file: file.path.clone(), names: names(&tokens(&file.text)) }))
        });
        Self(modules.collect())
    }

    /// The module that defines what a path in `from` names; nothing if it is of another crate.
    fn home(&self, from: &[String], path: &[String], depth: usize) -> Option<Path> {
        let (first, mut rest) = path.split_first()?;
        let mut here: Path = match first.as_str() {
            "crate" => Path::new(),
            "self" => from.to_vec(),
            "super" => from.split_last()?.1.to_vec(),
            _ => {
                rest = path;
                from.to_vec()
            }
        };
        let mut is_known = rest.len() < path.len();
        while let Some((next, behind)) = rest.split_first() {
            let below: Path = here.iter().cloned().chain([next.clone()]).collect();
            if next == "super" {
                here.pop()?;
            } else if self.0.contains_key(&below) {
                here = below;
            } else {
                let taken = self.0.get(&here)?.names.iter().find(|name| name.local.as_ref() == Some(next));
                // A name that is taken from itself, or in a ring, has no home.
                return match taken.filter(|_| depth < 8) {
                    Some(taken) if is_known || here != from || taken.path.first() != Some(next) => {
                        let whole: Path = taken.path.iter().chain(behind).cloned().collect();
                        self.home(&here, &whole, depth + 1)
                    }
                    _ => is_known.then_some(here),
                };
            }
            is_known = true;
            rest = behind;
        }
        is_known.then_some(here)
    }

    /// What siblings name of each other, by their parent.
    fn edges(&self) -> BTreeMap<Path, Vec<Edge>> {
        let mut edges: BTreeMap<Path, Vec<Edge>> = BTreeMap::new();
        for (path, module) in &self.0 {
            for name in &module.names {
                let Some(home) = self.home(path, &name.path, 0) else { continue };
                let shared = path.iter().zip(&home).take_while(|(a, b)| a == b).count();
                if let (Some(from), Some(to)) = (path.get(shared), home.get(shared)) {
                    let place = format!("{}:{}: {}", module.file, name.line, name.path.join("::"));
                    edges.entry(path[..shared].to_vec()).or_default().push(Edge {
                        from: from.clone(),
                        to: to.clone(),
                        place,
                    });
                }
            }
        }
        edges
    }

    fn circles(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (parent, edges) in self.edges() {
            let reach = |from: &str| -> BTreeSet<&str> {
                let (mut seen, mut open) = (BTreeSet::new(), vec![from.to_owned()]);
                while let Some(at) = open.pop() {
                    for edge in edges.iter().filter(|edge| edge.from == at) {
                        if seen.insert(edge.to.as_str()) {
                            open.push(edge.to.clone());
                        }
                    }
                }
                seen
            };
            let starts: BTreeSet<&str> = edges.iter().map(|edge| edge.from.as_str()).collect();
            let reached: BTreeMap<&str, BTreeSet<&str>> =
                starts.into_iter().map(|start| (start, reach(start))).collect();
            let mut done = BTreeSet::new();
            for (start, seen) in &reached {
                if !seen.contains(start) || !done.insert(*start) {
                    continue;
                }
                let back = |other: &&&str| reached.get(**other).is_some_and(|seen| seen.contains(start));
                let circle: BTreeSet<&str> = seen.iter().filter(back).copied().collect();
                done.extend(&circle);
                let inside = edges
                    .iter()
                    .filter(|edge| circle.contains(edge.from.as_str()) && circle.contains(edge.to.as_str()));
                let lines: BTreeSet<String> =
                    inside.map(|edge| format!("    {} → {}: {}", edge.from, edge.to, edge.place)).collect();
                let members: Vec<&str> = circle.into_iter().collect();
                let lines: Vec<String> = lines.into_iter().collect();
                let within = if parent.is_empty() { "the root".to_owned() } else { parent.join("::") };
                told.push(format!("circle in {within}: {}\n{}", members.join(", "), lines.join("\n")));
            }
        }
        told
    }
}

/// Every path that is named in the tokens of a file.
fn names(tokens: &[Token<'_>]) -> Vec<Name> {
    let (mut names, mut at) = (Vec::new(), 0);
    while let Some(token) = tokens.get(at) {
        if token.text == "use" {
            at += 1;
            tree(tokens, &mut at, &Path::new(), &mut names);
        } else if ["crate", "super", "self"].contains(&token.text) && is_colons(tokens, at + 1) {
            let (mut path, line) = (vec![token.text.to_owned()], token.line);
            at += 1;
            while is_colons(tokens, at) {
                let Some(next) = tokens.get(at + 2).filter(|next| is_word(next.text)) else { break };
                path.push(next.text.to_owned());
                at += 3;
            }
            names.push(Name { path, local: None, line });
        } else {
            at += 1;
        }
    }
    names
}

fn is_colons(tokens: &[Token<'_>], at: usize) -> bool {
    tokens.get(at..at + 2).is_some_and(|two| two.iter().all(|token| token.text == ":"))
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// One tree of a `use`, behind what was already read of it.
fn tree(tokens: &[Token<'_>], at: &mut usize, before: &Path, names: &mut Vec<Name>) {
    let mut path = before.clone();
    let line = tokens.get(*at).map_or(0, |token| token.line);
    while is_colons(tokens, *at) {
        *at += 2;
    }
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.text {
            "{" => {
                while tokens.get(*at).is_some_and(|next| next.text != "}") {
                    tree(tokens, at, &path, names);
                    if tokens.get(*at).is_some_and(|next| next.text == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                return;
            }
            "*" => return names.push(Name { path, local: None, line }),
            word => path.push(word.to_owned()),
        }
        if !is_colons(tokens, *at) {
            break;
        }
        *at += 2;
    }
    // `use a::{self}` is `a`.
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let mut local = path.last().cloned();
    if tokens.get(*at).is_some_and(|token| token.text == "as") {
        local = tokens.get(*at + 1).map(|token| token.text.to_owned());
        *at += 2;
    }
    names.push(Name { path, local, line });
}

#[test]
fn circles_are_found_and_nothing_else() {
    let house = |files: &[(&str, &str)]| {
        let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
        let files: Vec<File> = files.iter().map(file).collect();
        circles(&files)
    };
    let root = ("src/lib.rs", "pub mod a; pub mod b;");
    // Two files of a folder, one of which takes the other's name from their parent.
    let told = house(&[
        root,
        ("src/a.rs", "mod x;\nmod y;\npub use x::X;\n"),
        ("src/a/x.rs", "use std::fmt;\nuse super::y::{self, Y as Z};\npub struct X;"),
        ("src/a/y.rs", "pub struct Y(super::X);"),
    ]);
    assert_eq!(told.len(), 1, "{told:?}");
    for line in ["circle in a: x, y\n", "x → y: src/a/x.rs:2: super::y::Y", "y → x: src/a/y.rs:1: super::X"]
    {
        assert!(told[0].contains(line), "{told:?}");
    }
    // Two folders, by files that are no circle themselves.
    let told = house(&[
        root,
        ("src/a/x.rs", "use crate::b::z::Z;"),
        ("src/b/w.rs", "fn f() { crate::a::y::Y; }"),
        ("src/a/y.rs", ""),
        ("src/b/z.rs", ""),
        ("src/a.rs", ""),
        ("src/b.rs", ""),
    ]);
    assert!(told.len() == 1 && told[0].starts_with("circle in the root: a, b\n"), "{told:?}");
    // A parent and its parts, a re-export, a way that does not come back, other crates, comments and tests.
    let told = house(&[
        root,
        ("src/a.rs", "mod x;\nmod y;\nuse x::X;\npub use y::Y;\npub struct A(X);\nuse b::C;"),
        ("src/a/x.rs", "use super::{A, Y};\nuse b::x;\n/// crate::b::B\npub struct X(A);"),
        ("src/a/y.rs", "pub struct Y;\n#[cfg(test)]\nmod tests { use crate::a::x::X; }"),
        ("src/b.rs", "use crate::a::Y;\npub struct B;"),
        ("src/b/tests.rs", "use crate::b::B;"),
    ]);
    assert_eq!(told, Vec::<String>::new());
}
