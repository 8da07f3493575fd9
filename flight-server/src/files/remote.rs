//! Files in object stores: finds them by address, prefix or pattern, and fetches one at a time into a scratch file.

use std::{path::Path, sync::Arc};

use futures::{StreamExt, TryStreamExt};
use hexflight_engine::ContentHash;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, parse_url_opts, path::Path as ObjectPath};
use url::Url;

use super::{
    content::Content,
    error::ImportError,
    file::FileFormat,
    scratch::Scratch,
    source::{Found, Source, SourcePlace, format_in_folder, format_of, is_hidden, unknown_format},
};

/// Objects of one listing: keeps a mistyped prefix from filling memory.
const OBJECTS_MAX: usize = 1_000_000;

/// Finds the objects of an address: one object, all below a prefix, or those that match a pattern.
///
/// # Errors
/// `Path` when the address cannot be used, or names nothing.
pub(crate) async fn find(address: &str, format: Option<FileFormat>) -> Result<Found, ImportError> {
    let refuse = |rule: String| ImportError::Path { path: address.to_owned(), rule };
    // `?` would begin a query and `#` a fragment; in keys and patterns they are characters like others.
    let escaped = address.replace('?', "%3F").replace('#', "%23");
    let url = Url::parse(&escaped).map_err(|error| refuse(format!("not an address: {error}")))?;
    let (store, path) = open(&url).map_err(|error| refuse(one_line(&error.to_string())))?;
    let bucket = Bucket { store: Arc::from(store), base: base(address, &url, &path), format };
    let text = path.to_string();
    if text.contains(['*', '?', '[']) {
        return bucket.pattern(&text).await.map_err(refuse);
    }
    if text.is_empty() || address.ends_with('/') {
        return bucket.prefix(&path).await.map_err(refuse);
    }
    match bucket.store.head(&path).await {
        Ok(object) => {
            let name = bucket.name(&object.location);
            let (format, compression) = format_of(&name, format).ok_or_else(|| unknown_format(&name))?;
            let place = SourcePlace::Remote(Arc::clone(&bucket.store), object.location);
            let source = Source { name, format, compression, bytes: object.size, place };
            Ok(Found { sources: vec![source], ..Found::default() })
        }
        Err(object_store::Error::NotFound { .. }) => bucket.prefix(&path).await.map_err(refuse),
        Err(error) => Err(refuse(one_line(&error.to_string()))),
    }
}

/// Opens the store of an address with the settings of the environment.
fn open(url: &Url) -> object_store::Result<(Box<dyn ObjectStore>, ObjectPath)> {
    // Whoever writes http:// means it.
    let plain = (url.scheme() == "http").then(|| ("allow_http".to_owned(), "true".to_owned()));
    parse_url_opts(url, std::env::vars().map(|(key, value)| (key.to_ascii_lowercase(), value)).chain(plain))
}

/// What precedes the key in the address.
fn base(address: &str, url: &Url, key: &ObjectPath) -> String {
    let before = address.trim_end_matches('/').strip_suffix(key.as_ref());
    let host = || format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
    before.map_or_else(host, |before| before.trim_end_matches('/').to_owned())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

struct Bucket {
    store: Arc<dyn ObjectStore>,
    base: String,
    format: Option<FileFormat>,
}

impl Bucket {
    fn name(&self, key: &ObjectPath) -> String {
        format!("{}/{key}", self.base)
    }

    async fn prefix(&self, prefix: &ObjectPath) -> Result<Found, String> {
        let below = |key: &ObjectPath| {
            key.prefix_match(prefix)
                .is_some_and(|parts| parts.into_iter().all(|part| !is_hidden(part.as_ref())))
        };
        let found = self.list(prefix, below).await?;
        if found.sources.is_empty() {
            return Err("there is no such object, and nothing below it that can be imported".to_owned());
        }
        Ok(found)
    }

    async fn pattern(&self, text: &str) -> Result<Found, String> {
        let pattern = glob::Pattern::new(text).map_err(|error| format!("not a pattern: {error}"))?;
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        let fixed = text.split('/').take_while(|part| !part.contains(['*', '?', '[']));
        let prefix = ObjectPath::from(fixed.collect::<Vec<_>>().join("/"));
        let matches = |key: &ObjectPath| {
            pattern.matches_with(key.as_ref(), options) && !key.filename().is_some_and(is_hidden)
        };
        let found = self.list(&prefix, matches).await?;
        if found.sources.is_empty() {
            return Err("the pattern matches no object that can be imported".to_owned());
        }
        Ok(found)
    }

    /// Objects below `prefix` that are wanted, by name.
    async fn list(
        &self,
        prefix: &ObjectPath,
        is_wanted: impl Fn(&ObjectPath) -> bool,
    ) -> Result<Found, String> {
        let mut objects: Vec<ObjectMeta> = Vec::new();
        let mut listing = self.store.list(Some(prefix));
        while let Some(object) = listing.try_next().await.map_err(|error| one_line(&error.to_string()))? {
            if object.size > 0 || FileFormat::of(object.location.as_ref()).is_some() {
                objects.extend(Some(object).filter(|object| is_wanted(&object.location)));
            }
            if objects.len() > OBJECTS_MAX {
                return Err(format!("more than {OBJECTS_MAX} objects; name fewer of them"));
            }
        }
        objects.sort_unstable_by(|left, right| left.location.cmp(&right.location));
        let mut found = Found::default();
        for object in objects {
            let name = self.name(&object.location);
            match format_in_folder(&name, self.format) {
                Some((format, compression)) => {
                    let place = SourcePlace::Remote(Arc::clone(&self.store), object.location);
                    found.sources.push(Source { name, format, compression, bytes: object.size, place });
                }
                None => found.passed_over += 1,
            }
        }
        Ok(found)
    }
}

/// Fetches an object into a scratch file without a name in `folder`, hashed on the way.
///
/// **Cancellation**: dropped, it leaves nothing behind.
///
/// # Errors
/// `File` when the object cannot be read, `Io` when the scratch file cannot be written.
pub(crate) async fn fetch(
    name: &str,
    store: &dyn ObjectStore,
    key: &ObjectPath,
    folder: &Path,
) -> Result<(Content, ContentHash), ImportError> {
    let unreadable = |error: object_store::Error| {
        ImportError::file(name, format!("it cannot be fetched: {}", one_line(&error.to_string())))
    };
    let mut scratch = Scratch::create(folder)?;
    let object = store.get(key).await.map_err(unreadable)?;
    let mut chunks = object.into_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(unreadable)?;
        scratch = scratch.written(chunk).await?;
    }
    scratch.finish()
}
