//! The names that we give to files below a table. Nothing that is named otherwise is ever deleted: it is somebody else's.

use object_store::path::Path;
use uuid::Uuid;

use crate::store::keys;

/// Whether a key is one that a flush, a load or a rewrite gives to a data file: `{root}/{yyyy-mm-dd}/{hh}-{uuid}.parquet`.
pub(crate) fn is_data_file(root: &Path, path: &Path) -> bool {
    let relative = path.as_ref().strip_prefix(root.as_ref()).and_then(|path| path.strip_prefix('/'));
    let Some((day, name)) = relative.and_then(|relative| relative.split_once('/')) else { return false };
    let parts = name.strip_suffix(".parquet").and_then(|name| name.split_once('-'));
    parts.is_some_and(|(hour, id)| is_day(day) && is_digits(hour, 2) && is_id(id))
}

/// The data file that an object below the table's root is, or is the rollup of; `None` for an object that we did not name.
pub(crate) fn data_file_of(root: &Path, path: &Path) -> Option<Path> {
    let file = keys::file_of_rollup(root, path).unwrap_or_else(|| path.clone());
    is_data_file(root, &file).then_some(file)
}

/// As chrono's `%Y-%m-%d` writes it: years outside of four digits have a sign.
fn is_day(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = unsigned.splitn(3, '-');
    let year = parts.next().unwrap_or_default();
    let is_year = year.len() >= 4 && is_digits(year, year.len());
    is_year
        && parts.next().is_some_and(|month| is_digits(month, 2))
        && parts.next().is_some_and(|day| is_digits(day, 2))
}

fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_id(text: &str) -> bool {
    Uuid::parse_str(text).is_ok_and(|id| id.hyphenated().to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_ours_are_ours() {
        let root = Path::from("tables/events");
        let id = "01a2011b-8e8f-766a-a29c-f5708662fc7f";
        let own =
            ["2026-01-01/00-ID.parquet", "+10000-12-31/23-ID.parquet", "_rollups/2026-01-01/00-ID.rollup"];
        let others = [
            "foo.parquet",
            "00-ID.parquet",
            "2026-01-01/ID.parquet",
            "2026-01-01/00-ID.parquet.bak",
            "2026-01-01/sub/00-ID.parquet",
            "2026-1-1/00-ID.parquet",
            "_change_data/cdc-ID.parquet",
            "part-00000-ID-c000.snappy.parquet",
            "2026-01-01/00-x.parquet",
            "_rollups/2026-01-01/notes.rollup",
            "2026-01-01/.DS_Store",
        ];
        let is_ours = |name: &str| {
            let path = Path::from(format!("tables/events/{}", name.replace("ID", id)));
            data_file_of(&root, &path).is_some()
        };
        assert_eq!(own.iter().filter(|name| !is_ours(name)).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert_eq!(others.iter().filter(|name| is_ours(name)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
