//! The data: strings by name, some of them for a time only, and no more of them than allowed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use runtime::time::Instant;

/// How much the store may hold, in bytes.
const LIMIT: usize = 256 * 1024 * 1024;
/// What a string costs besides its bytes, about.
const OVERHEAD: usize = 150;

#[derive(Default)]
pub(crate) struct Store {
    values: HashMap<Arc<[u8]>, Value>,
    /// The same keys by the time when they go, for [`sweep`](Self::sweep).
    deadlines: BTreeSet<(Instant, Arc<[u8]>)>,
    held: usize,
}

struct Value {
    bytes: Box<[u8]>,
    expires: Option<Instant>,
}

impl Store {
    pub(crate) fn get(&mut self, key: &[u8], now: Instant) -> Option<&[u8]> {
        self.drop_expired(key, now);
        Some(&self.values.get(key)?.bytes)
    }

    /// When the value goes, if it is there.
    pub(crate) fn expires(&mut self, key: &[u8], now: Instant) -> Option<Option<Instant>> {
        self.drop_expired(key, now);
        Some(self.values.get(key)?.expires)
    }

    /// Puts a value in the place of an older one; `false` if there is no room for it.
    pub(crate) fn set(&mut self, key: &[u8], bytes: &[u8], expires: Option<Instant>) -> bool {
        let before = self.values.get(key).map_or(0, |value| size(key, value));
        let value = Value { bytes: bytes.into(), expires: None };
        if self.held - before + size(key, &value) > LIMIT {
            return false;
        }
        self.remove(key);
        self.held += size(key, &value);
        self.values.insert(key.into(), value);
        self.expire(key, expires);
        true
    }

    /// Sets when the value goes; `false` if there is none.
    pub(crate) fn expire(&mut self, key: &[u8], at: Option<Instant>) -> bool {
        let Some((key, _)) = self.values.get_key_value(key) else { return false };
        let key = Arc::clone(key);
        let value = self.values.get_mut(&key).expect("it was there");
        if let Some(before) = std::mem::replace(&mut value.expires, at) {
            self.deadlines.remove(&(before, Arc::clone(&key)));
        }
        self.deadlines.extend(at.map(|at| (at, key)));
        true
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let Some((key, value)) = self.values.remove_entry(key) else { return false };
        self.held -= size(&key, &value);
        if let Some(at) = value.expires {
            self.deadlines.remove(&(at, key));
        }
        true
    }

    /// Frees what has expired and was not asked for since.
    pub(crate) fn sweep(&mut self, now: Instant) {
        while let Some((at, key)) = self.deadlines.first().cloned()
            && at <= now
        {
            self.remove(&key);
        }
    }

    /// Nobody sees a value that has expired, however late it is swept.
    fn drop_expired(&mut self, key: &[u8], now: Instant) {
        if self.values.get(key).is_some_and(|value| value.expires.is_some_and(|at| at <= now)) {
            self.remove(key);
        }
    }
}

fn size(key: &[u8], value: &Value) -> usize {
    key.len() + value.bytes.len() + OVERHEAD
}
