//! For those who want nothing kept.

use super::{Image, Store, StoreError};

/// Loads nothing and keeps nothing.
#[derive(Debug)]
pub(super) struct MemoryStore;

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Image, StoreError> {
        Ok(Image::default())
    }

    fn save(&mut self, _image: &Image) -> Result<(), StoreError> {
        Ok(())
    }
}
