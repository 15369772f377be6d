//! The `store` thread: saves what it is given, on nobody's critical path.

use super::{Image, Store};
use crate::traces;
use crossbeam_channel::Receiver;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// How a save ended: when it was begun, in milliseconds since the Unix epoch, or why it failed.
pub type Kept = Result<u64, String>;

/// Starts the `store` thread. It saves each image that arrives, says how that ended, and ends when
/// nobody can send images any more.
///
/// # Errors
/// The thread cannot be made.
pub fn spawn(
    mut store: Box<dyn Store>,
    images: Receiver<Image>,
    kept: impl FnMut(Kept) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let save = move |image: &Image| {
        // A store that panics must not take the service with it.
        let saved = catch_unwind(AssertUnwindSafe(|| store.save(image)));
        let saved = saved.map_err(|_| "the store panicked; please report this".to_owned())?;
        saved.map_err(|error| error.to_string())
    };
    let thread = thread::Builder::new().name("store".into());
    thread.spawn(move || keep(&images, save, kept))
}

fn keep(
    images: &Receiver<Image>,
    mut save: impl FnMut(&Image) -> Result<(), String>,
    mut kept: impl FnMut(Kept),
) {
    for image in images {
        let began = Instant::now();
        let outcome = save(&image).map(|()| image.saved_at_ms);
        traces::saved(
            began.elapsed(),
            outcome.as_ref().err().map(|error| &**error),
        );
        if let Err(error) = &outcome {
            tracing::error!(%error, "what is known was not saved; the next interval tries again");
        }
        kept(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;
    use crossbeam_channel::unbounded;
    use std::sync::{Arc, Mutex};

    fn image(saved_at_ms: u64) -> Image {
        Image {
            saved_at_ms,
            ..Image::default()
        }
    }

    #[test]
    fn every_image_is_tried_and_a_failure_does_not_end_the_thread() {
        let (to, images) = unbounded();
        (1..=3).for_each(|at| to.send(image(at)).unwrap());
        drop(to);
        let save = |image: &Image| match image.saved_at_ms {
            2 => Err("disk full".to_owned()),
            _ => Ok(()),
        };
        let mut outcomes = Vec::new();
        keep(&images, save, |kept| outcomes.push(kept));
        assert_eq!(outcomes, [Ok(1), Err("disk full".to_owned()), Ok(3)]);
    }

    /// A store that only remembers, and panics at image 13.
    struct Memory(Arc<Mutex<Vec<u64>>>);

    impl Store for Memory {
        fn load(&mut self) -> Result<Image, StoreError> {
            Ok(Image::default())
        }
        fn save(&mut self, image: &Image) -> Result<(), StoreError> {
            assert!(image.saved_at_ms != 13, "unlucky");
            self.0.lock().unwrap().push(image.saved_at_ms);
            Ok(())
        }
    }

    #[test]
    fn a_store_that_panics_has_failed_to_save_and_is_tried_again() {
        let saved = Arc::new(Mutex::new(Vec::new()));
        let (to, images) = unbounded();
        let (kept_to, kept) = unbounded();
        let store = Box::new(Memory(saved.clone()));
        let keeper = spawn(store, images, move |k| kept_to.send(k).unwrap()).unwrap();
        [13, 14]
            .into_iter()
            .for_each(|at| to.send(image(at)).unwrap());
        drop(to);
        keeper.join().unwrap();
        let kept: Vec<Kept> = kept.iter().collect();
        assert!(kept[0].is_err() && kept[1] == Ok(14), "{kept:?}");
    }

    #[test]
    fn the_thread_ends_with_its_last_image_saved() {
        let saved = Arc::new(Mutex::new(Vec::new()));
        let (to, images) = unbounded();
        let keeper = spawn(Box::new(Memory(saved.clone())), images, drop).unwrap();
        to.send(image(1)).unwrap();
        to.send(image(2)).unwrap();
        drop(to);
        keeper.join().unwrap();
        assert_eq!(*saved.lock().unwrap(), [1, 2]);
    }
}
