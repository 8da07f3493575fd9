//! The house: what must stay true of the code as a whole. Imports point downward, in the order in which `lib.rs` lists the modules; every folder
//! says what it owns; dependencies keep to `deny.toml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

pub(crate) const CRATES: [&str; 3] = ["engine", "planner", "flight-server"];

/// Files and folders in which the ban list of `clippy.toml` does not hold.
const EXCEPTIONS_MAX: usize = 10;

#[test]
fn imports_point_downward_only() {
    let mut upward = vec![];
    for name in CRATES {
        let source = repository().join(name).join("src");
        let lib = fs::read_to_string(source.join("lib.rs")).unwrap();
        let order = modules(&lib);
        let exported = exports(&lib);
        for file in rust_files(&source) {
            let inside = file.strip_prefix(&source).unwrap();
            let room = room_of(inside);
            let Some(height) = order.iter().position(|module| *module == room) else { continue };
            for path in crate_paths(&production(&fs::read_to_string(&file).unwrap())) {
                let module = if order.contains(&path) { &path } else { exported.get(&path).unwrap_or(&path) };
                let other = order.iter().position(|known| known == module);
                let other = other.unwrap_or_else(|| panic!("{}: crate::{path} is no module", file.display()));
                if other > height {
                    upward.push(format!("{name}/src/{}: {room} imports {module}", inside.display()));
                }
            }
        }
    }
    assert!(upward.is_empty(), "lib.rs lists these before what they import:\n{}", upward.join("\n"));
}

#[test]
fn an_import_that_points_upward_is_seen() {
    let source = "use crate::{\n    budget::{Admission, Budget},\n    store::Store,\n};\nfn f() { crate::wal::put() }\n";
    let found: Vec<String> = crate_paths(source).into_iter().collect();
    assert_eq!(found, ["budget", "store", "wal"]);
    assert_eq!(
        production("use crate::a::B;\n#[cfg(test)]\nmod tests { use crate::z; }"),
        "use crate::a::B;\n"
    );
    assert_eq!(production("// crate::z\n/// [`X`](crate::z::X)\nuse crate::a::B;"), "\n\nuse crate::a::B;");
}

/// Clippy's ban of macros would see those of `tokio::select!`, too.
#[test]
fn no_code_says_that_it_is_unreachable() {
    let files = CRATES.iter().flat_map(|name| rust_files(&repository().join(name).join("src")));
    let says_so = |file: &PathBuf| {
        let is_test = file.file_name().unwrap().to_str().unwrap().ends_with("_tests.rs");
        !is_test && production(&fs::read_to_string(file).unwrap()).contains("unreachable!")
    };
    let found: Vec<PathBuf> = files.filter(says_so).collect();
    assert!(found.is_empty(), "parse once, or `assert!` and `expect` with the invariant in words: {found:?}");
}

#[test]
fn few_places_may_ask_for_time_chance_tasks_and_files() {
    let files = CRATES.iter().flat_map(|name| rust_files(&repository().join(name).join("src")));
    let is_excepted = |file: &PathBuf| {
        let is_test = file.file_name().unwrap().to_str().unwrap().ends_with("_tests.rs");
        !is_test && production(&fs::read_to_string(file).unwrap()).contains("(clippy::disallowed_methods")
    };
    let excepted: Vec<PathBuf> = files.filter(is_excepted).collect();
    assert!((1..=EXCEPTIONS_MAX).contains(&excepted.len()), "{excepted:?}");
}

#[test]
fn every_file_says_what_it_owns() {
    let files = CRATES.iter().flat_map(|name| rust_files(&repository().join(name).join("src")));
    let silent: Vec<String> = files
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//! "))
        .map(|file| file.display().to_string())
        .collect();
    assert!(silent.is_empty(), "files without a `//!`:\n{}", silent.join("\n"));
}

#[test]
fn dependencies_keep_to_deny_toml() {
    let rules = fs::read_to_string(repository().join("deny.toml")).unwrap();
    let allowed = list_of(&rules, "allow");
    let banned = list_of(&rules, "deny");
    let packages = packages();
    assert!(packages.len() > 300 && allowed.contains("MIT") && banned.contains("openssl-sys"));
    let mut wrong = vec![];
    for package in &packages {
        let (name, Some(source)) = (text(&package["name"]), package["source"].as_str()) else { continue };
        if source != "registry+https://github.com/rust-lang/crates.io-index" {
            wrong.push(format!("{name}: from {source}"));
        }
        if banned.contains(name) {
            wrong.push(format!("{name}: is banned"));
        }
        let licence = package["license"].as_str().unwrap_or("no licence");
        if !is_allowed(licence, &allowed) {
            wrong.push(format!("{name}: {licence}"));
        }
    }
    assert!(wrong.is_empty(), "deny.toml does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(String::from));
    for (expression, is_good) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", false),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("MIT AND GPL-3.0 OR Apache-2.0", true),
    ] {
        assert_eq!(is_allowed(expression, &allowed), is_good, "{expression}");
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The top-level module of a file; nothing for tests and for the crate's own root.
fn room_of(inside: &Path) -> String {
    let name = inside.file_name().unwrap().to_str().unwrap();
    if name == "tests.rs" || name.ends_with("_tests.rs") {
        return String::new();
    }
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules that `lib.rs` lists, in its order.
fn modules(lib: &str) -> Vec<String> {
    let lines = lib.lines().filter_map(|line| line.strip_suffix(';'));
    lines.filter_map(|line| line.rsplit_once("mod ").map(|(_, name)| name.to_owned())).collect()
}

/// Names that `lib.rs` exports, with the modules that they come from.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut from = BTreeMap::new();
    for statement in lib.split(';').filter_map(|part| part.split("pub use ").nth(1)) {
        let Some((module, names)) = statement.split_once("::") else { continue };
        for name in names.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty()) {
            from.insert(name.to_owned(), module.to_owned());
        }
    }
    from
}

/// Code without comments and without the tests at its end.
fn production(source: &str) -> String {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let lines = code.lines().map(|line| line.split("//").next().unwrap());
    let mut text: Vec<&str> = lines.collect();
    if code.ends_with('\n') {
        text.push("");
    }
    text.join("\n")
}

/// First names of all paths that begin with `crate::`.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.extend(first_name(rest)),
            Some(list) => {
                let mut depth = 0_usize;
                let mut item = String::new();
                for letter in list.chars() {
                    match letter {
                        '}' if depth == 0 => break,
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.extend(first_name(&std::mem::take(&mut item))),
                        _ if depth == 0 => item.push(letter),
                        _ => {}
                    }
                }
                found.extend(first_name(&item));
            }
        }
    }
    found
}

fn first_name(path: &str) -> Option<String> {
    let name = path.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// All packages that are built here; those for other systems need not have been fetched.
fn packages() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host()]);
    let metadata: Value = serde_json::from_str(&output_of(cargo.current_dir(repository()))).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn host() -> String {
    let told = output_of(Command::new("rustc").arg("-vV"));
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.unwrap().to_owned()
}

fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The texts of a list in `deny.toml`; of tables, their `crate`.
fn list_of(rules: &str, name: &str) -> BTreeSet<String> {
    let lines = rules.lines().skip_while(|line| *line != format!("{name} = [")).skip(1);
    let items = lines.take_while(|line| *line != "]").filter(|line| !line.trim().starts_with('#'));
    items.filter_map(|line| line.split('"').nth(1).map(str::to_owned)).collect()
}

/// Whether a licence expression can be met by what is allowed: `OR` of `AND`s, in parentheses or not.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    any_of(&words, &mut at, allowed) && at == words.len()
}

fn any_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = all_of(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(words, at, allowed);
    }
    met
}

fn all_of(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = licence(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= licence(words, at, allowed);
    }
    met
}

fn licence(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    if words.get(*at) == Some(&"(") {
        *at += 1;
        let met = any_of(words, at, allowed);
        *at += 1;
        return met;
    }
    let mut name = words.get(*at).copied().unwrap_or_default().to_owned();
    *at += 1;
    if words.get(*at) == Some(&"WITH") {
        name = format!("{name} WITH {}", words.get(*at + 1).copied().unwrap_or_default());
        *at += 2;
    }
    allowed.contains(&name)
}
