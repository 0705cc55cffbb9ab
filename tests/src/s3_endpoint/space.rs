//! The buckets, in memory. An object's bytes may be made up as they are read, so that many or large ones cost nothing.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    ops::{Bound, Range},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};

/// Writes an object's bytes from an offset on.
pub type Fill = Arc<dyn Fn(u64, &mut [u8]) + Send + Sync>;

/// The bytes of an object.
#[derive(Clone)]
pub enum Content {
    Bytes(Bytes),
    /// `fill` writes the bytes from an offset on.
    Generated {
        size: u64,
        fill: Fill,
    },
}

impl Content {
    /// So many bytes by a function of the offset.
    pub fn generated(size: u64, fill: impl Fn(u64, &mut [u8]) + Send + Sync + 'static) -> Self {
        Self::Generated { size, fill: Arc::new(fill) }
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Generated { size, .. } => *size,
        }
    }

    /// The bytes of a range within the size.
    #[must_use]
    pub fn read(&self, range: Range<u64>) -> Bytes {
        let index = |position: u64| usize::try_from(position).unwrap_or(usize::MAX);
        match self {
            Self::Bytes(bytes) => bytes.slice(index(range.start)..index(range.end)),
            Self::Generated { fill, .. } => {
                let mut bytes = BytesMut::zeroed(index(range.end - range.start));
                fill(range.start, &mut bytes);
                bytes.freeze()
            }
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size())
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// How a store writes an entity tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TagSpelling {
    /// `"tag"`, as S3 does everywhere.
    #[default]
    Quoted,
    /// `tag`, as Azure does in listings.
    Bare,
    /// `W/"tag"`, as a proxy makes it that changes bodies.
    Weak,
}

impl TagSpelling {
    pub(super) fn of(self, quoted: &str) -> String {
        match self {
            Self::Quoted => quoted.to_owned(),
            Self::Bare => quoted.trim_matches('"').to_owned(),
            Self::Weak => format!("W/{quoted}"),
        }
    }
}

/// An object and what identifies its state.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) content: Content,
    /// Counts up with every object that is put, so that no two are alike.
    version: u32,
}

impl Object {
    /// With its quotes. Padding is slow, and listings have thousands.
    pub(super) fn e_tag(&self) -> String {
        format!("\"000000000000000000000000{:08x}\"", self.version)
    }

    /// A second later for each object that was put.
    pub(super) fn modified(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(19_723) + TimeDelta::seconds(self.version.into())
    }
}

#[derive(Debug, Default)]
struct Upload {
    bucket: String,
    key: String,
    parts: BTreeMap<u32, Bytes>,
}

#[derive(Debug, Default)]
pub(super) struct Space {
    buckets: HashMap<String, BTreeMap<String, Object>>,
    uploads: HashMap<String, Upload>,
    puts: u32,
    /// How tags are written in listings, and in headers.
    pub(super) spellings: (TagSpelling, TagSpelling),
}

impl Space {
    pub(super) fn create_bucket(&mut self, bucket: &str) {
        self.buckets.entry(bucket.to_owned()).or_default();
    }

    pub(super) fn has_bucket(&self, bucket: &str) -> bool {
        self.buckets.contains_key(bucket)
    }

    pub(super) fn put(&mut self, bucket: &str, key: String, content: Content) {
        self.puts += 1;
        let object = Object { content, version: self.puts };
        self.buckets.entry(bucket.to_owned()).or_default().insert(key, object);
    }

    pub(super) fn object(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.buckets.get(bucket)?.get(key)
    }

    pub(super) fn remove(&mut self, bucket: &str, key: &str) {
        if let Some(objects) = self.buckets.get_mut(bucket) {
            objects.remove(key);
        }
    }

    pub(super) fn keys(&self, bucket: &str) -> Vec<String> {
        self.buckets.get(bucket).map(|objects| objects.keys().cloned().collect()).unwrap_or_default()
    }

    /// The objects of a bucket from a key on.
    pub(super) fn objects_from(&self, bucket: &str, from: Bound<&str>) -> impl Iterator<Item = (&String, &Object)> {
        self.buckets.get(bucket).into_iter().flat_map(move |objects| objects.range::<str, _>((from, Bound::Unbounded)))
    }

    pub(super) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    pub(super) fn begin_upload(&mut self, bucket: &str, key: &str) -> String {
        self.puts += 1;
        let id = format!("upload-{}", self.puts);
        let upload = Upload { bucket: bucket.to_owned(), key: key.to_owned(), parts: BTreeMap::new() };
        self.uploads.insert(id.clone(), upload);
        id
    }

    /// The tag of the part, if there is such an upload.
    pub(super) fn put_part(&mut self, id: &str, number: u32, bytes: Bytes) -> Option<String> {
        self.uploads.get_mut(id)?.parts.insert(number, bytes);
        Some(format!("\"part-{number}\""))
    }

    /// Makes the parts with these numbers an object, if there is such an upload and it has them all.
    pub(super) fn complete_upload(&mut self, id: &str, numbers: &[u32]) -> Option<()> {
        let parts = &self.uploads.get(id)?.parts;
        let parts: Option<Vec<Bytes>> = numbers.iter().map(|number| parts.get(number).cloned()).collect();
        let content = parts?.concat();
        let upload = self.uploads.remove(id)?;
        self.put(&upload.bucket, upload.key, content.into());
        Some(())
    }

    pub(super) fn abort_upload(&mut self, id: &str) -> bool {
        self.uploads.remove(id).is_some()
    }
}
