//! The `store` thread: saves what it is given and makes the backups, on nobody's critical path.

use super::backup::Backups;
use super::{Image, Recovered, Store};
use crate::traces;
use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

/// What the thread has to tell.
#[derive(Debug)]
pub enum Kept {
    /// A save began.
    Begun,
    /// A save ended: when it was begun, in milliseconds since the Unix epoch, or why it failed.
    Saved(Result<u64, String>),
    /// A backup ended, likewise.
    BackedUp(Result<u64, String>),
    /// A backup is due and nothing has changed, so that no image has come: one is wanted.
    BackupDue,
    /// What was stored could not be read any more, and was moved aside.
    Recovered(Recovered),
    /// What was stored could be read only now.
    Found(Image),
}

/// How often it is seen whether a backup is due while no image comes. Where anything changes at all, one
/// comes sooner.
const LOOK_PERIOD: Duration = Duration::from_secs(60);

/// Starts the `store` thread. It saves each image that arrives, makes a backup of it if one is due,
/// says how that ended, and ends when nobody can send images any more.
///
/// # Errors
/// The thread cannot be made.
pub fn spawn(
    store: Box<dyn Store>,
    backups: Option<Backups>,
    images: Receiver<Image>,
    tell: impl FnMut(Kept) + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let thread = thread::Builder::new().name("store".into());
    let mut keeper = Keeper {
        store,
        tell,
        look_period: LOOK_PERIOD,
    };
    thread.spawn(move || keeper.keep(&images, backups))
}

struct Keeper<T> {
    store: Box<dyn Store>,
    tell: T,
    look_period: Duration,
}

impl<T: FnMut(Kept)> Keeper<T> {
    fn keep(&mut self, images: &Receiver<Image>, mut backups: Option<Backups>) {
        while let Some(image) = self.next(images, backups.as_ref()) {
            self.save(&image);
            if let Some(backups) = &mut backups
                && backups.is_due(image.saved_at_ms)
            {
                self.back_up(backups, &image, images);
            }
        }
    }

    /// The next image, which is asked for when a backup is due; none when nobody can send one.
    fn next(&mut self, images: &Receiver<Image>, backups: Option<&Backups>) -> Option<Image> {
        let Some(backups) = backups else {
            return images.recv().ok();
        };
        loop {
            match images.recv_timeout(self.look_period) {
                Ok(image) => return Some(image),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
                    if backups.is_due(now.as_millis() as u64) {
                        (self.tell)(Kept::BackupDue);
                    }
                }
            }
        }
    }

    fn save(&mut self, image: &Image) {
        let began = Instant::now();
        (self.tell)(Kept::Begun);
        let saved = guarded(|| self.store.save(image));
        let failure = saved.as_ref().err().map(|error| &**error);
        traces::saved(began.elapsed(), failure);
        if let Err(error) = &saved {
            tracing::error!(%error, "what is known was not saved; the next interval tries again");
        }
        if let Some(recovered) = self.store.recovered() {
            tracing::error!("storage: {recovered}");
            (self.tell)(Kept::Recovered(recovered));
        }
        if let Some(found) = self.store.found() {
            (self.tell)(Kept::Found(found));
        }
        (self.tell)(Kept::Saved(saved.map(|()| image.saved_at_ms)));
    }

    /// Makes a backup; images that arrive meanwhile are saved at once, for they are what the service
    /// waits for, and at the end the last one.
    fn back_up(&mut self, backups: &mut Backups, image: &Image, images: &Receiver<Image>) {
        let mut stopping = false;
        let made = guarded(|| {
            backups.make(image, || match images.try_recv() {
                Ok(newer) => {
                    self.save(&newer);
                    Ok(())
                }
                Err(TryRecvError::Empty) => Ok(()),
                Err(TryRecvError::Disconnected) => {
                    stopping = true;
                    Err(io::Error::other("the service ends"))
                }
            })
        });
        match &made {
            Err(_) if stopping => {
                tracing::info!("a backup was due; it is made after the next start");
                return;
            }
            Ok(copy) => tracing::info!(copy = %copy.display(), "a backup was made"),
            Err(error) => {
                tracing::error!(%error, "no backup was made; the next one is due as usual")
            }
        }
        (self.tell)(Kept::BackedUp(made.map(|_| image.saved_at_ms)));
    }
}

/// A store that panics must not take the service with it.
fn guarded<R, E: ToString>(work: impl FnOnce() -> Result<R, E>) -> Result<R, String> {
    let done = catch_unwind(AssertUnwindSafe(work));
    let done = done.map_err(|_| "the store panicked; please report this".to_owned())?;
    done.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Backup;
    use crate::store::contract::random_image;
    use crate::store::{StoreError, io_error};
    use crossbeam_channel::{Sender, unbounded};
    use std::num::NonZeroUsize;
    use std::path::Path;

    fn image(saved_at_ms: u64) -> Image {
        Image {
            saved_at_ms,
            ..Image::default()
        }
    }

    /// A store that only says what it was given; it panics at image 13 and fails at 12.
    struct Mouth(Sender<u64>);

    impl Store for Mouth {
        fn load(&mut self) -> Result<Image, StoreError> {
            Ok(Image::default())
        }
        fn save(&mut self, image: &Image) -> Result<(), StoreError> {
            match image.saved_at_ms {
                12 => Err(io_error("write", Path::new("full"))(
                    io::ErrorKind::StorageFull.into(),
                )),
                13 => panic!("unlucky"),
                at => {
                    self.0.send(at).unwrap();
                    Ok(())
                }
            }
        }
    }

    /// What is saved of `images`, and what is told but that saves begin.
    fn kept(images: Vec<Image>, backups: Option<Backups>) -> (Vec<u64>, Vec<Kept>) {
        let (to, from) = unbounded();
        images.into_iter().for_each(|image| to.send(image).unwrap());
        drop(to);
        let (saved_to, saved) = unbounded();
        let (tell, told) = unbounded();
        let store = Box::new(Mouth(saved_to));
        let keeper = spawn(store, backups, from, move |kept| tell.send(kept).unwrap()).unwrap();
        keeper.join().unwrap();
        let told = told.iter();
        let (begun, ends): (Vec<Kept>, Vec<Kept>) =
            told.partition(|kept| matches!(kept, Kept::Begun));
        let saves = ends.iter().filter(|kept| matches!(kept, Kept::Saved(_)));
        assert_eq!(begun.len(), saves.count());
        (saved.iter().collect(), ends)
    }

    #[test]
    fn every_image_is_tried_and_neither_a_failure_nor_a_panic_ends_the_thread() {
        let (saved, told) = kept([11, 12, 13, 14].map(image).into(), None);
        assert_eq!(saved, [11, 14]);
        let ends: Vec<bool> = told
            .iter()
            .map(|kept| matches!(kept, Kept::Saved(Ok(11 | 14))))
            .collect();
        assert_eq!(ends, [true, false, false, true], "{told:?}");
    }

    fn backups(folder: &Path) -> Option<Backups> {
        Some(Backups::new(Backup {
            every: Duration::from_secs(60),
            keep: NonZeroUsize::MIN,
            folder: folder.to_owned(),
        }))
    }

    #[test]
    fn a_backup_is_made_when_it_is_due_whether_the_store_has_room_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let (_, told) = kept([12, 5_000].map(image).into(), backups(folder.path()));
        let [
            Kept::Saved(Err(_)),
            Kept::BackedUp(Ok(12)),
            Kept::Saved(Ok(5_000)),
        ] = &told[..]
        else {
            panic!("{told:?}");
        };
    }

    #[test]
    fn a_backup_that_is_due_is_asked_for_though_nothing_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (saved_to, _saved) = unbounded();
        let (tell, told) = unbounded();
        let (to, from) = unbounded();
        let mut keeper = Keeper {
            store: Box::new(Mouth(saved_to)),
            tell: move |kept| tell.send(kept).unwrap(),
            look_period: Duration::from_millis(1),
        };
        let next = || told.recv_timeout(Duration::from_secs(60)).unwrap();
        thread::scope(|scope| {
            let backups = backups(folder.path());
            scope.spawn(move || keeper.keep(&from, backups));
            assert!(matches!(next(), Kept::BackupDue), "there is none yet");
            // Whoever is asked takes his time.
            assert!(matches!(next(), Kept::BackupDue));
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
            to.send(image(now)).unwrap();
            drop(to);
            let made = (0..1_000).any(|_| matches!(next(), Kept::BackedUp(Ok(at)) if at == now));
            assert!(made);
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn images_that_arrive_during_a_backup_are_saved_before_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let mut large = random_image(&mut fastrand::Rng::with_seed(1), 3_000);
        large.saved_at_ms = 1_000;
        let images = vec![large, image(2_000), image(3_000)];
        let (saved, told) = kept(images, backups(folder.path()));
        assert_eq!(saved, [1_000, 2_000, 3_000]);
        // Nobody can send any more, so the service ends: it does not wait for a backup.
        assert_eq!(told.len(), 3, "{told:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
