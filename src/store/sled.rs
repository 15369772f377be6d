//! The ledger in a sled database, by the rules that measurements gave for sled 0.34: one tree, few
//! values of about 8 KB, a small cache, read only at the start. What stands in it: `image`.

use super::aside::{Recovered, move_aside};
use super::chunk::Mark;
use super::lock::{Lock, folder_of};
use super::place::CHANGED;
use super::{Identity, Image, Stamp, Store, StoreError, identity, is_want_of_room};
use ::sled::{Config, Db, Mode};
use image::Plan;
use rustix::fs::FallocateFlags;
use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::mem;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

mod image;
mod look;

pub(super) use look::look;

#[cfg(test)]
mod tests;

/// Memory for pages, in bytes. sled's default is 1 GiB.
const CACHE_BYTES: u64 = 16 << 20;

/// How long sled's own lock may outlast the database that held it: one of its threads still has a
/// hand on the file for a moment after it was closed.
const RELEASE_WAIT: Duration = Duration::from_secs(2);
/// How long sled may take to know of a write that failed.
const FAILURE_WAIT: Duration = Duration::from_secs(1);
/// Databases that may be left behind, each of which keeps its memory until the end of the process.
const LEFT_BEHIND_MAX: u32 = 8;
/// Room that a save needs besides what it writes, in bytes: segments that sled begins.
const ROOM_BESIDES: u64 = 1 << 20;

/// An empty file that says that something was saved. sled takes most damage for the torn end of
/// its log and opens what is left without a word, be it nothing.
const WITNESS: &str = "saved";

/// A sled database in a folder of its own.
#[derive(Debug)]
pub(super) struct SledStore {
    path: PathBuf,
    /// Closed after a failure, which sled does not get over while it is open.
    db: Option<Db>,
    /// Which file that is.
    file: Option<Identity>,
    /// That file as the last load or save left it.
    left: Option<Stamp>,
    /// A write failed since it was read, so that half of one may be there.
    is_suspect: bool,
    left_behind: u32,
    /// The chunks that are stored; empty if that is not known, and then all are written.
    marks: Vec<Mark>,
    recovered: Option<Recovered>,
    lock: Lock,
}

/// Why a piece of work on the database failed.
#[derive(Debug)]
enum Trouble {
    /// What is stored cannot be read.
    Damaged(String),
    /// Someone who does not know our lock holds sled's.
    Busy,
    /// There is no room: what is stored may be good.
    Full(String),
    /// Something else: what is stored may be good.
    Failed(String),
}

impl From<::sled::Error> for Trouble {
    fn from(error: ::sled::Error) -> Trouble {
        use ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        let text = error.to_string();
        match error {
            ::sled::Error::Io(io) if is_want_of_room(&io) => Trouble::Full(text),
            ::sled::Error::Io(io) => match io.kind() {
                InvalidData | InvalidInput | UnexpectedEof => Trouble::Damaged(text),
                _ => Trouble::Failed(text),
            },
            _ => Trouble::Damaged(text),
        }
    }
}

impl SledStore {
    /// Opens the database in the folder `path`, or makes it.
    pub(super) fn open(path: &Path) -> Result<SledStore, StoreError> {
        let mut store = SledStore {
            path: path.to_owned(),
            db: None,
            file: None,
            left: None,
            is_suspect: false,
            left_behind: 0,
            marks: Vec::new(),
            recovered: None,
            lock: Lock::take(path)?,
        };
        store.read("open", |_| Ok(()))?;
        Ok(store)
    }

    /// Whether nobody ever wrote anything.
    fn is_empty(&mut self) -> Result<bool, StoreError> {
        // One tree is always there.
        let looked = self.on_database(|db| Ok(db.is_empty() && db.tree_names().len() <= 1));
        looked.map_err(|trouble| self.failed("read", trouble))
    }

    fn failed(&self, doing: &'static str, trouble: Trouble) -> StoreError {
        let path = self.path.clone();
        match trouble {
            Trouble::Busy => StoreError::busy(&path),
            Trouble::Full(why) => StoreError::Full { doing, path, why },
            Trouble::Damaged(why) | Trouble::Failed(why) => {
                StoreError::Database { doing, path, why }
            }
        }
    }

    /// Does `work` on the database. If what is stored turns out to be damaged, it is moved aside
    /// and the work done once more, on an empty one.
    fn read<T>(
        &mut self,
        doing: &'static str,
        work: impl Fn(&Db) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        match self.on_database(&work) {
            Err(Trouble::Damaged(why)) => {
                self.recovered = Some(move_aside(&self.path, why)?);
                self.on_database(&work)
            }
            done => done,
        }
        .map_err(|trouble| self.failed(doing, trouble))
    }

    /// Does `work` on the database, which is opened if it is closed, and closed if it fails.
    fn on_database<T>(
        &mut self,
        work: impl FnOnce(&Db) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        self.work(work, close)
    }

    /// The same for what writes, after whose failure sled may never come to an end.
    fn write_to_database<T>(
        &mut self,
        work: impl FnOnce(&Db) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let file = self.path.join("db");
        let mut is_left = false;
        let done = self.work(work, |db| is_left = abandon(db, &file, FAILURE_WAIT));
        self.is_suspect |= done.is_err();
        self.left_behind += u32::from(is_left);
        done
    }

    fn work<T>(
        &mut self,
        work: impl FnOnce(&Db) -> Result<T, Trouble>,
        after_failure: impl FnOnce(Db),
    ) -> Result<T, Trouble> {
        let db = match self.db.take() {
            Some(db) => db,
            None => {
                let db = guarded(|| open_database(&self.path))?;
                self.file = identity(&self.path.join("db")).ok();
                db
            }
        };
        let done = guarded(|| work(&db));
        match &done {
            Ok(_) => self.db = Some(db),
            Err(_) => {
                self.marks.clear();
                after_failure(db);
            }
        }
        done
    }

    fn close(&mut self) {
        if let Some(db) = self.db.take() {
            close(db);
        }
    }

    /// Replaces the image that is stored; `known` are the marks of its chunks. The new marks.
    fn write(&mut self, image: &Image, known: &[Mark]) -> Result<Vec<Mark>, Trouble> {
        let plan = self.on_database(|db| Plan::new(db, image, known))?;
        // As long as it is held no other file has its number.
        let held = File::open(self.path.join("db")).map_err(failed("open", &self.path))?;
        let file = self.file;
        for part in plan.parts() {
            self.write_to_database(|db| plan.write(db, part))?;
            // Before it is closed: the kernel says once that something cannot be written.
            self.sync(file)?;
            self.close();
        }
        let marks = self.write_to_database(|db| plan.conclude(db))?;
        self.sync(file)?;
        drop(held);
        bear_witness(&self.path)?;
        Ok(marks)
    }

    /// Closes a database whose file was removed or replaced, for nobody would read what is written to it;
    /// and one whose file is not as it was left, which is read again.
    fn stays_as_it_was(&mut self) -> Result<(), StoreError> {
        let now = Stamp::of(&self.path.join("db")).ok();
        if self.db.is_some() && now.map(|now| now.file) != self.file {
            tracing::warn!(store = %self.path.display(), "{CHANGED}");
            self.close();
            self.marks.clear();
        } else if self.left.is_some() && now != self.left {
            let known = mem::take(&mut self.marks);
            self.close();
            self.left = None;
            self.is_suspect = true;
            // sled cuts its file some time after a save too.
            if self.read("read", |db| image::holds(db, &known))? {
                self.is_suspect = false;
                self.forget_pages(known.len());
                self.marks = known;
            } else {
                tracing::warn!(store = %self.path.display(), "{CHANGED}");
            }
        }
        Ok(())
    }

    /// Closes a database that would keep all that was read.
    fn forget_pages(&mut self, chunks: usize) {
        if chunks > image::BATCH_CHUNKS {
            self.close();
        }
    }

    /// Asks for the room that a save may need: sled is better not asked where there is none.
    fn has_room(&self, image: &Image) -> Result<(), Trouble> {
        let bytes = image::bytes_written(image, &self.marks) + ROOM_BESIDES;
        // Behind as much as there is, for what a file may grow to has a limit too.
        let begin = fs::metadata(self.path.join("db")).map_or(0, |found| found.len());
        let name = self.path.join("room");
        let asked = File::create(&name).and_then(|file| {
            // At once: whatever happens, nothing of it is left.
            fs::remove_file(&name)?;
            let none = FallocateFlags::empty();
            rustix::fs::fallocate(&file, none, begin, bytes).map_err(io::Error::from)
        });
        match asked {
            Err(error) if is_want_of_room(&error) => Err(Trouble::Full(format!(
                "{error}, and {bytes} bytes are wanted"
            ))),
            // Where nobody can say it before, the write will.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes sure that what sled has flushed outlives the machine: sled 0.34 stops at
    /// `sync_file_range`, which leaves out the length of the file and the cache of the disk.
    fn sync(&mut self, file: Option<Identity>) -> Result<(), Trouble> {
        let name = self.path.join("db");
        let synced = File::open(&name).and_then(|file| file.sync_data());
        let synced = synced.map_err(failed("sync", &name));
        let is_it = identity(&name).ok() == file && self.file == file;
        let synced = match is_it {
            true => synced,
            false => Err(Trouble::Failed(format!(
                "{} was replaced while it was written",
                name.display()
            ))),
        };
        if synced.is_err() {
            self.marks.clear();
            self.close();
        }
        synced
    }
}

impl Store for SledStore {
    fn load(&mut self) -> Result<Image, StoreError> {
        let witness = self.path.join(WITNESS);
        let (image, marks) = self.read("read", |db| {
            // Looked at each time: it goes aside with the database.
            match image::read(db)? {
                None if witness.exists() => Err(Trouble::Damaged(
                    "nothing of the last save is left".to_owned(),
                )),
                found => Ok(found.unwrap_or_default()),
            }
        })?;
        self.forget_pages(image.entries.chunks().count());
        self.marks = marks;
        self.left = Stamp::of(&self.path.join("db")).ok();
        Ok(image)
    }

    fn save(&mut self, image: &Image) -> Result<(), StoreError> {
        self.lock.keep(&self.path)?;
        self.stays_as_it_was()?;
        if self.left_behind >= LEFT_BEHIND_MAX {
            let why = "writes have failed too often; restart the service".to_owned();
            return Err(self.failed("save", Trouble::Failed(why)));
        }
        // Closed after a failure: whether it can be opened again is known before anything is
        // written, so that a full disk is never taken for damage.
        if self.is_suspect {
            self.read("read", |db| image::read(db).map(drop))?;
            self.is_suspect = false;
        } else if self.db.is_none() {
            self.read("open", |_| Ok(()))?;
        }
        let room = self.has_room(image);
        room.map_err(|trouble| self.failed("save", trouble))?;
        let known = mem::take(&mut self.marks);
        self.left = None;
        let written = self.write(image, &known);
        self.marks = written.map_err(|trouble| self.failed("save", trouble))?;
        self.left = Stamp::of(&self.path.join("db")).ok();
        Ok(())
    }

    fn recovered(&mut self) -> Option<Recovered> {
        self.recovered.take()
    }
}

/// Says that something was saved.
fn bear_witness(path: &Path) -> Result<(), Trouble> {
    let witness = path.join(WITNESS);
    match File::create_new(&witness) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => drop(made.map_err(failed("create", &witness))?),
    }
    // The first save: the files themselves are new.
    let folders = [path, folder_of(path)].into_iter();
    let synced = folders.map(|folder| File::open(folder).and_then(|f| f.sync_all()));
    synced
        .collect::<io::Result<()>>()
        .map_err(failed("sync the folder", path))
}

/// Opens or makes the database. Only its owner may read it: it holds credentials.
fn open_database(path: &Path) -> Result<Db, Trouble> {
    let file = path.join("db");
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed("create the folder", path)(error));
        }
        _ => (),
    }
    wait_for_release(&file)?;
    remove_unfinished(path)?;
    let db = Config::new()
        .path(path)
        .mode(Mode::HighThroughput)
        .cache_capacity(CACHE_BYTES)
        // No thread of sled's own writes: each save flushes.
        .flush_every_ms(None)
        .use_compression(false)
        .open()?;
    fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(failed("protect", &file))?;
    Ok(db)
}

/// Whether sled began this file, a snapshot of what it has, and did not finish it, as on a full disk. It takes
/// such a one for damage.
fn is_unfinished(name: &str) -> bool {
    name.starts_with("snap.") && name.ends_with(".generating")
}

fn remove_unfinished(path: &Path) -> Result<(), Trouble> {
    for found in fs::read_dir(path).map_err(failed("read", path))?.flatten() {
        if found.file_name().to_str().is_some_and(is_unfinished) {
            fs::remove_file(found.path()).map_err(failed("remove", &found.path()))?;
        }
    }
    Ok(())
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Trouble {
    let path = path.to_owned();
    move |error| match is_want_of_room(&error) {
        true => Trouble::Full(error.to_string()),
        false => Trouble::Failed(format!("cannot {doing} {}: {error}", path.display())),
    }
}

/// Closes the database. That flushes, and may meet the trouble again that there was, which is reported
/// already.
fn close(db: Db) {
    let _ = guarded(|| {
        drop(db);
        Ok(())
    });
}

/// Closes a database that could not be written. Where sled knows of the failure it ends at once. Else its
/// end would wait for what will never be written, holding a lock of the whole process without which no
/// other database of it can be written either: such a one is left behind as a process that was killed
/// leaves it, without its lock on the file. A disk that comes back to one of its writes after that could
/// damage what is saved later, which the next start would notice. Gives whether it was left behind.
fn abandon(db: Db, file: &Path, wait: Duration) -> bool {
    let since = Instant::now();
    while db.context.global_error().is_ok() {
        if since.elapsed() >= wait {
            mem::forget(db);
            unlock(file);
            tracing::warn!(
                "the store's database would not come to its end after a write that failed: it is left \
                 behind, and opened anew by the next save"
            );
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    close(db);
    false
}

/// Takes the lock of this process off a file.
fn unlock(file: &Path) {
    let Ok(own) = identity(file) else {
        return;
    };
    for open in fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
    {
        let number = open.file_name().to_str().and_then(|name| name.parse().ok());
        let is_it = identity(&open.path()).is_ok_and(|it| it == own);
        if let Some(number) = number.filter(|_| is_it) {
            #[allow(
                unsafe_code,
                reason = "the descriptor is sled's own, which it does not hand out"
            )]
            // SAFETY: it takes two numbers; one that is no descriptor any more is an error.
            unsafe {
                libc::flock(number, libc::LOCK_UN)
            };
        }
    }
}

/// Waits until nobody holds sled's lock.
fn wait_for_release(file: &Path) -> Result<(), Trouble> {
    let start = Instant::now();
    let Ok(file) = File::open(file) else {
        return Ok(());
    };
    while let Err(TryLockError::WouldBlock) = file.try_lock() {
        if start.elapsed() > RELEASE_WAIT {
            return Err(Trouble::Busy);
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// sled panics on some kinds of damage: here that is damage too.
fn guarded<T>(work: impl FnOnce() -> Result<T, Trouble>) -> Result<T, Trouble> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let why = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
            (Some(text), _) => (*text).to_owned(),
            (_, Some(text)) => text.clone(),
            _ => "the database panicked".to_owned(),
        };
        Err(Trouble::Damaged(why))
    })
}
