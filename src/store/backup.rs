//! Rotated, compressed copies of the ledger in a folder of their own.
//!
//! A copy is written beside the others under another name, synced and renamed; only then does the
//! oldest one go. So there are always as many whole copies as there were.

use super::lock::beside;
use super::{Image, StoreError, io_error, text};
use crate::config::Backup;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A copy is named after the UTC second in which it was made, so that names sort as times do.
const NAME: &str = "ledger-%Y%m%dT%H%M%SZ.jsonl.gz";

/// The folder with the copies, and when the next one is due.
#[derive(Debug)]
pub struct Backups {
    settings: Backup,
    /// When the last one was made or tried, in seconds since the Unix epoch.
    last_s: Option<u64>,
}

impl Backups {
    /// Goes on where the copies in the folder end.
    pub fn new(settings: Backup) -> Backups {
        let copies = copies(&settings.folder);
        let last = copies.last().and_then(|copy| made_at_s(copy));
        Backups {
            settings,
            last_s: last,
        }
    }

    /// When the last copy was made or tried, in seconds since the Unix epoch; none if there is none.
    pub fn last_s(&self) -> Option<u64> {
        self.last_s
    }

    /// Whether a copy of an image of this time, in milliseconds since the Unix epoch, is wanted. One
    /// is too if the last is of the future: the clock was wrong, then or now.
    pub fn is_due(&self, saved_at_ms: u64) -> bool {
        let now_s = saved_at_ms / 1_000;
        let pause_s = self.settings.every.as_secs();
        self.last_s
            .is_none_or(|last_s| now_s < last_s || now_s - last_s >= pause_s)
    }

    /// Makes a copy, and does `between` after each few hundred entries; an error of that ends it.
    /// Then the oldest copies go that are too many. The next one is due after a while in any case.
    ///
    /// # Errors
    /// It could not be made; what was there before is still there.
    pub fn make(
        &mut self,
        image: &Image,
        between: impl FnMut() -> io::Result<()>,
    ) -> Result<PathBuf, StoreError> {
        let second = image.saved_at_ms / 1_000;
        self.last_s = Some(second);
        let folder = &self.settings.folder;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io_error("create the folder", folder))?;
        let copy = folder.join(name(second));
        let new = folder.join("ledger.new");
        let made = write(&new, image, between)
            .map_err(io_error("write the backup", &new))
            .and_then(|()| fs::rename(&new, &copy).map_err(io_error("name the backup", &copy)));
        if made.is_err() {
            // It may hold the room that is lacking. If it cannot go either, the next one tries.
            let _ = fs::remove_file(&new);
        }
        made?;
        sync_folder(folder)?;
        let copies = copies(folder);
        let too_many = copies.len().saturating_sub(self.settings.keep.get());
        // Those of the future were made before this one too, by a clock that was wrong. If they stayed,
        // each new copy would go at once.
        let is_of_future = |copy: &&PathBuf| made_at_s(copy) > Some(second);
        let (future, past): (Vec<_>, Vec<_>) = copies.iter().partition(is_of_future);
        for old in future.into_iter().chain(past).take(too_many) {
            fs::remove_file(old).map_err(io_error("remove the old backup", old))?;
        }
        Ok(copy)
    }
}

/// Where the copies of the store at `path` are, if nothing else is said.
pub fn usual_folder(path: &Path) -> PathBuf {
    beside(path, "backups")
}

fn name(second: u64) -> String {
    let at = i64::try_from(second).ok();
    let at = at.and_then(|at| Timestamp::from_second(at).ok());
    at.unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime(NAME)
        .to_string()
}

/// The second of a copy, if its name is that of one.
fn made_at_s(copy: &Path) -> Option<u64> {
    let name = copy.file_name()?.to_str()?;
    let at = DateTime::strptime(NAME, name).ok()?;
    let at = at.to_zoned(TimeZone::UTC).ok()?.timestamp();
    u64::try_from(at.as_second()).ok()
}

/// The copies in the folder, the oldest first. Whatever else is there is left alone.
fn copies(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = files.map(|file| file.path());
    let mut copies: Vec<PathBuf> = paths.filter(|path| made_at_s(path).is_some()).collect();
    copies.sort();
    copies
}

/// Only its owner may read it: it holds credentials.
fn write(path: &Path, image: &Image, between: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    // The fastest level: a copy is made while the service works.
    let squeezed = GzEncoder::new(BufWriter::new(file), Compression::fast());
    let mut out = BufWriter::with_capacity(64 << 10, squeezed);
    text::write_with(image, &mut out, between)?;
    let squeezed = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    let mut file = squeezed.finish()?;
    file.flush()?;
    file.get_ref().sync_all()
}

fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_error("sync the folder", folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::random_image;
    use fastrand::Rng;
    use std::num::NonZeroUsize;
    use std::time::Duration;

    fn backups(folder: &Path, keep: usize) -> Backups {
        Backups::new(Backup {
            every: Duration::from_secs(60),
            keep: NonZeroUsize::new(keep).unwrap(),
            folder: folder.to_owned(),
        })
    }

    fn image(second: u64) -> Image {
        Image {
            saved_at_ms: second * 1_000,
            ..random_image(&mut Rng::with_seed(second), 600)
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let files = fs::read_dir(folder).unwrap();
        let name = |file: io::Result<fs::DirEntry>| file.unwrap().file_name();
        let mut names: Vec<String> = files
            .map(|file| name(file).into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_are_kept_whole_and_what_is_no_copy_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("ledger-mine.jsonl.gz"), "x").unwrap();
        let mut backups = backups(&place, 2);
        for second in [1_000_000_000, 1_000_000_060, 1_000_000_120] {
            backups.make(&image(second), || Ok(())).unwrap();
        }
        assert_eq!(
            names(&place),
            [
                "ledger-20010909T014740Z.jsonl.gz",
                "ledger-20010909T014840Z.jsonl.gz",
                "ledger-mine.jsonl.gz"
            ]
        );
        let copy = place.join("ledger-20010909T014840Z.jsonl.gz");
        let mode = fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let reading = text::read(text::plain(File::open(copy).unwrap()).unwrap()).unwrap();
        assert!(reading.image == image(1_000_000_120));
    }

    #[test]
    fn one_is_due_after_the_pause_in_this_process_and_in_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = backups(folder.path(), 3);
        assert!(first.is_due(1_000_000_000_000));
        first.make(&image(1_000_000_000), || Ok(())).unwrap();
        for backups in [first, backups(folder.path(), 3)] {
            assert!(!backups.is_due(1_000_000_059_999));
            assert!(backups.is_due(1_000_000_060_000));
            assert!(backups.is_due(999_999_999_000), "the clock went back");
        }
    }

    #[test]
    fn what_failed_leaves_all_that_was_there_and_is_tried_again_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut backups = backups(folder.path(), 1);
        backups.make(&image(1_000_000_000), || Ok(())).unwrap();
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        let error = backups.make(&image(1_000_000_060), full).unwrap_err();
        assert!(error.to_string().contains("room"), "{error}");
        assert_eq!(names(folder.path()), ["ledger-20010909T014640Z.jsonl.gz"]);
        assert!(!backups.is_due(1_000_000_061_000), "not at every save");
        assert!(backups.is_due(1_000_000_120_000));
    }

    #[test]
    fn where_the_clock_went_back_new_copies_take_the_places_of_those_of_the_future() {
        let folder = tempfile::tempdir().unwrap();
        let mut backups = backups(folder.path(), 2);
        let mut left = |second| {
            backups.make(&image(second), || Ok(())).unwrap();
            let copies = copies(folder.path());
            let seconds = copies.iter().map(|copy| made_at_s(copy).unwrap());
            seconds.collect::<Vec<u64>>()
        };
        left(2_000_000_000);
        assert_eq!(left(2_000_000_060), [2_000_000_000, 2_000_000_060]);
        assert_eq!(left(1_000_000_000), [1_000_000_000, 2_000_000_060]);
        assert_eq!(left(1_000_000_060), [1_000_000_000, 1_000_000_060]);
        assert_eq!(left(1_000_000_120), [1_000_000_060, 1_000_000_120]);
    }
}
