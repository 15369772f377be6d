//! A store that had no room to be opened when the service began: it is opened by the first save that finds room.

use super::{Image, Recovered, Store, StoreError, merge, open};
use crate::config::Backend;
use std::fmt;

/// What is not in any image after so many saves was forgotten by the service, which checked it.
const MERGED_MAX: u32 = 30;

/// How a store is opened; [`open`], but for tests.
type Opening = Box<dyn FnMut() -> Result<Box<dyn Store>, StoreError> + Send>;

/// Begins with nothing. What is stored was not read, so it is not replaced: the first saves are merged
/// with it, and it is handed over to be taken in.
pub(crate) struct LateStore {
    opening: Opening,
    opened: Option<Opened>,
    /// What was stored, until it is handed over.
    found: Option<Image>,
    /// What was moved aside by an opening, whatever came of that.
    recovered: Option<Recovered>,
}

/// What came of the opening.
struct Opened {
    store: Box<dyn Store>,
    /// What was stored, until an image that has it all comes to be saved.
    stored: Option<Image>,
    /// Good saves that it was merged into.
    merged: u32,
}

impl fmt::Debug for LateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open = self.opened.is_some();
        f.debug_struct("LateStore").field("open", &is_open).finish()
    }
}

impl LateStore {
    /// A store at this place.
    pub(crate) fn new(backend: &Backend) -> LateStore {
        let backend = backend.clone();
        LateStore::opened_by(Box::new(move || open(&backend)))
    }

    fn opened_by(opening: Opening) -> LateStore {
        LateStore {
            opening,
            opened: None,
            found: None,
            recovered: None,
        }
    }

    fn open(&mut self) -> Result<Opened, StoreError> {
        let mut store = (self.opening)()?;
        self.recovered = store.recovered().or(self.recovered.take());
        let stored = store.load()?;
        let entries = stored.entries.len();
        tracing::info!(
            entries,
            "it can be written again: the store is open, and what it has is taken in"
        );
        let stored = (entries > 0).then_some(stored);
        self.found = stored.clone();
        Ok(Opened {
            store,
            stored,
            merged: 0,
        })
    }
}

impl Store for LateStore {
    fn load(&mut self) -> Result<Image, StoreError> {
        Ok(Image::default())
    }

    fn save(&mut self, image: &Image) -> Result<(), StoreError> {
        let mut opened = match self.opened.take() {
            Some(opened) => opened,
            None => self.open()?,
        };
        // The service takes it in bit by bit, and may have to stop before it is through.
        let (saved, is_taken_in) = match &opened.stored {
            Some(stored) => {
                let (both, merged) = merge::merge(image, stored);
                (opened.store.save(&both), merged.added == 0)
            }
            None => (opened.store.save(image), true),
        };
        if saved.is_ok() {
            opened.merged += 1;
            if is_taken_in || opened.merged >= MERGED_MAX {
                opened.stored = None;
            }
        }
        self.opened = Some(opened);
        saved
    }

    fn recovered(&mut self) -> Option<Recovered> {
        let of_opened = |opened: &mut Opened| opened.store.recovered();
        let opened = self.opened.as_mut();
        self.recovered.take().or_else(|| opened.and_then(of_opened))
    }

    fn found(&mut self) -> Option<Image> {
        self.found.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::random_image;
    use std::io;
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    /// What is stored, and how many openings and saves there is no room for.
    struct Disk {
        stored: Image,
        full: u32,
    }

    struct OnDisk(Arc<Mutex<Disk>>);

    impl Disk {
        fn room(&mut self) -> Result<(), StoreError> {
            let is_full = self.full > 0;
            self.full = self.full.saturating_sub(1);
            let no_room = || io::Error::from(io::ErrorKind::StorageFull);
            (!is_full)
                .then_some(())
                .ok_or_else(|| super::super::io_error("write", Path::new("full"))(no_room()))
        }
    }

    impl Store for OnDisk {
        fn load(&mut self) -> Result<Image, StoreError> {
            Ok(self.0.lock().unwrap().stored.clone())
        }
        fn save(&mut self, image: &Image) -> Result<(), StoreError> {
            let mut disk = self.0.lock().unwrap();
            disk.room()?;
            disk.stored = image.clone();
            Ok(())
        }
    }

    fn urls(image: &Image) -> Vec<String> {
        let mut urls: Vec<_> = image
            .entries
            .iter()
            .map(|e| e.candidate.url().to_string())
            .collect();
        urls.sort_unstable();
        urls
    }

    #[test]
    fn what_could_not_be_read_at_the_start_is_neither_lost_nor_forgotten() {
        let mut random = fastrand::Rng::with_seed(3);
        let (stored, ours) = (
            random_image(&mut random, 300),
            random_image(&mut random, 200),
        );
        let both = urls(&merge::merge(&ours, &stored).0);
        let disk = Arc::new(Mutex::new(Disk {
            stored: stored.clone(),
            full: 2,
        }));
        let opened = disk.clone();
        let mut store = LateStore::opened_by(Box::new(move || {
            opened.lock().unwrap().room()?;
            Ok(Box::new(OnDisk(opened.clone())))
        }));
        assert_eq!(store.load().unwrap(), Image::default());
        for _ in 0..2 {
            assert!(store.save(&ours).unwrap_err().wants_room());
            assert!(store.found().is_none());
        }
        // It can be opened, and there is no room yet for what is to be saved.
        disk.lock().unwrap().full = 0;
        let fails_once = |disk: &Arc<Mutex<Disk>>| disk.lock().unwrap().full = 1;
        store.opened = Some(store.open().unwrap());
        fails_once(&disk);
        assert!(store.save(&ours).is_err());
        assert_eq!(disk.lock().unwrap().stored, stored);
        store.save(&ours).unwrap();
        assert_eq!(urls(&disk.lock().unwrap().stored), both);
        assert_eq!(store.found(), Some(stored));
        assert_eq!(store.found(), None);
        // The service may stop before it has taken all of it in.
        store.save(&ours).unwrap();
        assert_eq!(urls(&disk.lock().unwrap().stored), both);
        let all = disk.lock().unwrap().stored.clone();
        store.save(&all).unwrap();
        // From then on it is a store like every other.
        store.save(&ours).unwrap();
        assert_eq!(disk.lock().unwrap().stored, ours);
    }
}
