//! Data files on their way into a table: encoded, named and put, and then committed or given up. Flushes, imports and merges make them; `delta`
//! knows those that a version names.

mod encoded;
mod new_file;
mod attempt;

pub(crate) use attempt::Attempt;
pub(crate) use encoded::Encoded;
pub(crate) use new_file::NewFile;
