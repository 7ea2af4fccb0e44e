//! Collects files for a pool, in any order, and puts them in the order of their imports.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{PoolError, PoolErrorKind};
use super::fields::{Fields, text};
use super::link::Linker;
use super::proto::{FileProto, Reader, ServiceProto, files_of_set};
use super::{Pool, data::Data};
use crate::wire::{Slice, WireValue};

/// Collects files in any order, and links them.
#[derive(Clone, Debug, Default)]
pub struct PoolBuilder {
    /// By name.
    files: BTreeMap<String, File>,
    /// Names of files that are imported and were not added.
    missing: BTreeSet<String>,
    /// Full names of services.
    services: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct File {
    bytes: Vec<u8>,
    dependencies: Vec<String>,
}

impl PoolBuilder {
    /// Without files.
    pub fn new() -> PoolBuilder {
        PoolBuilder::default()
    }

    /// Adds a serialised `google.protobuf.FileDescriptorProto`. The same file may be added repeatedly.
    ///
    /// # Errors
    ///
    /// The bytes are no such message, or another file of the same name was added.
    pub fn add_file(&mut self, bytes: &[u8]) -> Result<(), PoolError> {
        self.add(Slice { bytes, offset: 0 })
    }

    /// Adds the files of a serialised `google.protobuf.FileDescriptorSet`.
    ///
    /// # Errors
    ///
    /// As [`PoolBuilder::add_file`], or the set is empty. The files before the wrong one were added.
    pub fn add_set(&mut self, bytes: &[u8]) -> Result<(), PoolError> {
        let files = files_of_set(bytes).map_err(|kind| PoolError::new("", "", kind))?;
        if files.is_empty() {
            return Err(PoolError::new("", "", PoolErrorKind::NoFile));
        }
        files.into_iter().try_for_each(|file| self.add(file))
    }

    /// Whether the file was added.
    pub fn has_file(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether one of the files has the service `package.Service`.
    pub fn has_service(&self, name: &str) -> bool {
        self.services.contains(name)
    }

    /// The names of files that are imported and were not added, by the alphabet. A pool needs such a file only if one of its types is used.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(String::as_str)
    }

    /// Links the files.
    ///
    /// # Errors
    ///
    /// A type is unknown, elements contradict each other, or there are too many. The error names file and element.
    pub fn build(&self) -> Result<Pool, PoolError> {
        let mut reader = Reader::default();
        let mut protos = Vec::with_capacity(self.files.len());
        for name in self.in_order()? {
            let slice = Slice { bytes: &self.files[name].bytes, offset: 0 };
            protos.push(reader.file(slice).map_err(|kind| PoolError::new(name, "", kind))?);
        }
        let mut data = Data::default();
        Linker::new(&mut data, &protos).link()?;
        Ok(Pool { data })
    }

    fn add(&mut self, slice: Slice<'_>) -> Result<(), PoolError> {
        let file: FileProto<'_> = Reader::default().file(slice).map_err(|kind| {
            let name = name_of_file(slice);
            PoolError::new(&name, "", kind)
        })?;
        if file.name.is_empty() {
            return Err(PoolError::new("", "", PoolErrorKind::NoFileName));
        }
        match self.files.get(file.name) {
            Some(known) if known.bytes == slice.bytes => Ok(()),
            Some(_) => Err(PoolError::new(file.name, "", PoolErrorKind::FileConflict)),
            None => {
                self.keep(&file, slice.bytes);
                Ok(())
            }
        }
    }

    fn keep(&mut self, file: &FileProto<'_>, bytes: &[u8]) {
        let full_name = |service: &ServiceProto<'_>| match file.package {
            "" => service.name.to_owned(),
            package => [package, ".", service.name].concat(),
        };
        self.services.extend(file.services.iter().map(full_name));
        let dependencies: Vec<String> = file.dependencies.iter().map(|name| (*name).to_owned()).collect();
        self.missing.extend(dependencies.iter().filter(|name| !self.files.contains_key(*name)).cloned());
        self.missing.remove(file.name);
        self.files.insert(file.name.to_owned(), File { bytes: bytes.to_vec(), dependencies });
    }

    /// The files, each after the ones that it imports.
    fn in_order(&self) -> Result<Vec<&str>, PoolError> {
        let mut importers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut open: BTreeMap<&str, usize> = BTreeMap::new();
        for (name, file) in &self.files {
            let known = file.dependencies.iter().filter(|dependency| self.has_file(dependency));
            open.insert(name, known.clone().count());
            known.for_each(|dependency| importers.entry(dependency).or_default().push(name));
        }
        let mut ordered: Vec<&str> =
            open.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
        let mut next = 0;
        while let Some(name) = ordered.get(next) {
            next += 1;
            for importer in importers.remove(name).unwrap_or_default() {
                if let Some(count) = open.get_mut(importer) {
                    *count -= 1;
                    if *count == 0 {
                        ordered.push(importer);
                    }
                }
            }
        }
        let in_circle = open.into_iter().find(|(_, count)| *count > 0);
        match in_circle {
            Some((name, _)) => Err(PoolError::new(name, "", PoolErrorKind::ImportCircle)),
            None => Ok(ordered),
        }
    }
}

/// The name of a file that cannot be read as a whole.
fn name_of_file(slice: Slice<'_>) -> String {
    let fields = Fields::of(slice).map_while(Result::ok);
    let name = fields.filter_map(|field| match field {
        (1, WireValue::Bytes(name)) => text(name).ok(),
        _ => None,
    });
    name.last().unwrap_or_default().to_owned()
}
