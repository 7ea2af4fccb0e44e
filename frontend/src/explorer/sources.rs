//! `.proto` files, compiled in the page. The compiler is a part of its own, loaded when such a file comes.

use protox::{
    Compiler, Error,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};

use crate::chunk::NotLoaded;

/// A file: its name and its text.
pub(super) type Source = (String, String);

/// Whether a file is written in an edition, which protox does not know (its issue 31): its first statement says so.
pub(super) fn has_edition(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let comment_end = match rest.get(..2) {
            Some("//") => rest.find('\n'),
            Some("/*") => rest.find("*/").map(|end| end + 2),
            _ => return rest.strip_prefix("edition").is_some_and(|rest| rest.trim_start().starts_with('=')),
        };
        // A comment without an end is the whole file.
        let Some(end) = comment_end else { return false };
        rest = rest[end..].trim_start();
    }
}

/// Compiles files to a serialised `FileDescriptorSet` with their comments. The error is the compiler's own words.
pub(super) async fn compile(sources: Vec<Source>) -> Result<Result<Vec<u8>, String>, NotLoaded> {
    compile_part(sources).await
}

#[cfg(feature = "split")]
#[wasm_split_helpers::wasm_split(protos, fallible)]
fn compile_part(sources: Vec<Source>) -> Result<Result<Vec<u8>, String>, NotLoaded> {
    Ok(compile_now(&sources))
}

#[cfg(not(feature = "split"))]
async fn compile_part(sources: Vec<Source>) -> Result<Result<Vec<u8>, String>, NotLoaded> {
    Ok(compile_now(&sources))
}

fn compile_now(sources: &[Source]) -> Result<Vec<u8>, String> {
    let files = Dropped(with_names_of_imports(sources).map_err(|error| words(&error))?);
    let names: Vec<String> = files.0.iter().map(|(name, _)| name.clone()).collect();
    let mut resolver = ChainFileResolver::new();
    resolver.add(files);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(names).map_err(|error| words(&error))?;
    Ok(compiler.encode_file_descriptor_set())
}

/// A browser gives files without their folders, so a file takes the name by which another one imports it.
fn with_names_of_imports(sources: &[Source]) -> Result<Vec<Source>, Error> {
    let mut imports = Vec::new();
    for (name, text) in sources {
        imports.extend(File::from_source(name, text)?.file_descriptor_proto().dependency.clone());
    }
    let named = sources.iter().map(|(name, text)| {
        let imported = imports.iter().find(|import| base(import) == base(name));
        (imported.unwrap_or(name).clone(), text.clone())
    });
    Ok(named.collect())
}

fn base(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn words(error: &Error) -> String {
    let mut words = error.to_string();
    if let Some(file) = error.file().filter(|file| !words.contains(*file)) {
        words = [file, ": ", &words].concat();
    }
    words
}

/// The files that came, by their names.
struct Dropped(Vec<Source>);

impl FileResolver for Dropped {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match self.0.iter().find(|(known, _)| known == name) {
            Some((name, text)) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use grpc_inspect::pool::Pool;

    use super::*;

    fn source(name: &str, text: &str) -> Source {
        (name.to_owned(), text.to_owned())
    }

    const SERVICE: &str = "syntax = \"proto3\";
        package a;
        import \"deep/in/folders/types.proto\";
        import \"google/protobuf/timestamp.proto\";
        // Says when.
        service Clock { rpc Now(b.Empty) returns (google.protobuf.Timestamp); }";

    #[test]
    fn files_without_their_folders_are_found_by_their_imports() {
        let types = source("types.proto", "syntax = \"proto3\"; package b; message Empty {}");
        let set = compile_now(&[types, source("clock.proto", SERVICE)]).unwrap();
        let pool = Pool::from_set(&set).unwrap();
        let service = pool.service("a.Clock").unwrap();
        assert_eq!(service.comment().trim(), "Says when.");
        assert_eq!(service.methods().next().unwrap().response().full_name(), "google.protobuf.Timestamp");
    }

    #[test]
    fn an_edition_is_found_behind_comments() {
        for text in ["edition = \"2023\";", "// Copyright\n\n/* edition\n */ edition=\"2024\";"] {
            assert!(has_edition(text), "{text}");
        }
        for text in
            ["", "syntax = \"proto3\";", "// edition = \"2023\";", "/* edition = ", "editions = 1;", "世"]
        {
            assert!(!has_edition(text), "{text}");
        }
    }

    #[test]
    fn an_error_names_its_file() {
        let missing = compile_now(&[source("clock.proto", SERVICE)]).unwrap_err();
        assert!(missing.contains("deep/in/folders/types.proto"), "{missing}");
        let wrong = compile_now(&[source("wrong.proto", "syntax = \"proto3\"; massage A {}")]).unwrap_err();
        assert!(wrong.contains("wrong.proto"), "{wrong}");
    }
}
