//! The ledger in a sled database, by the rules that measurements gave for sled 0.34: one tree, few
//! values of about 8 KB, a small cache, read only at the start. What stands in it: `image`.

use super::aside::{Recovered, move_aside};
use super::chunk::Mark;
use super::lock::{Lock, folder_of};
use super::{Image, Store, StoreError, io_error, is_want_of_room};
use ::sled::{Config, Db, Mode};
use image::Plan;
use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
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
/// How long a database that failed may take to come to its end.
const END_WAIT: Duration = Duration::from_secs(10);

/// An empty file that says that something was saved. sled takes most damage for the torn end of
/// its log and opens what is left without a word, be it nothing.
const WITNESS: &str = "saved";

/// A sled database in a folder of its own.
#[derive(Debug)]
pub(super) struct SledStore {
    path: PathBuf,
    /// Closed after a failure, which sled does not get over while it is open.
    db: Option<Db>,
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
        let db = match self.db.take() {
            Some(db) => db,
            None => guarded(|| open_database(&self.path))?,
        };
        let done = guarded(|| work(&db));
        match &done {
            Ok(_) => self.db = Some(db),
            Err(_) => {
                self.marks.clear();
                abandon(db, &self.path.join("db"));
            }
        }
        done
    }

    /// Closes the database. That flushes, and may meet the trouble again that there was, which is
    /// reported already.
    fn close(&mut self) {
        let db = self.db.take();
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
    }

    /// Replaces the image that is stored; `known` are the marks of its chunks. The new marks.
    fn write(&mut self, image: &Image, known: &[Mark]) -> Result<Vec<Mark>, Trouble> {
        let plan = self.on_database(|db| Plan::new(db, image, known))?;
        for part in plan.parts() {
            self.on_database(|db| plan.write(db, part))?;
            self.close();
        }
        let path = self.path.clone();
        self.on_database(|db| {
            let marks = plan.conclude(db)?;
            sync(&path)?;
            Ok(marks)
        })
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
        if image.entries.chunks().count() > image::BATCH_CHUNKS {
            // It would keep all that was read.
            self.close();
        }
        self.marks = marks;
        Ok(image)
    }

    fn save(&mut self, image: &Image) -> Result<(), StoreError> {
        self.lock.keep(&self.path)?;
        // Closed after a failure: whether it can be opened again is known before anything is
        // written, so that a full disk is never taken for damage.
        if self.db.is_none() {
            self.read("open", |_| Ok(()))?;
        }
        let known = std::mem::take(&mut self.marks);
        let written = self.write(image, &known);
        self.marks = written.map_err(|trouble| self.failed("save", trouble))?;
        Ok(())
    }

    fn recovered(&mut self) -> Option<Recovered> {
        self.recovered.take()
    }
}

/// Makes sure that what sled has flushed outlives the machine: sled 0.34 stops at
/// `sync_file_range`, which leaves out the length of the file and the cache of the disk.
fn sync(path: &Path) -> Result<(), Trouble> {
    let file = path.join("db");
    let synced = File::open(&file).and_then(|file| file.sync_data());
    synced.map_err(failed("sync", &file))?;
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

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Trouble {
    let error = io_error(doing, path);
    move |io| match is_want_of_room(&io) {
        true => Trouble::Full(io.to_string()),
        false => Trouble::Failed(error(io).to_string()),
    }
}

/// Closes a database that failed, for as long as this may take at most. sled can wait for ever at its end for a
/// write that failed; then it is left behind as a process that was killed leaves it, without its lock. A disk
/// that takes longer than this for one write could damage what is saved after that, which the next start
/// would notice.
fn abandon(db: Db, file: &Path) {
    let (done, over) = mpsc::channel();
    let closing = thread::Builder::new().name("sled-end".to_owned());
    let closing = closing.spawn(move || {
        let _ = guarded(|| {
            drop(db);
            Ok(())
        });
        // Whoever waited may have gone on.
        let _ = done.send(());
    });
    if closing.is_ok() && over.recv_timeout(END_WAIT) == Err(RecvTimeoutError::Timeout) {
        unlock(file);
        tracing::warn!(
            "the store's database does not come to its end after a write that failed: it is left behind, \
             and opened anew by the next save"
        );
    }
}

/// Takes the lock of this process off a file.
fn unlock(file: &Path) {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let Ok(own) = fs::metadata(file).map(identity) else {
        return;
    };
    for open in fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
    {
        let number = open.file_name().to_str().and_then(|name| name.parse().ok());
        let is_it = fs::metadata(open.path())
            .map(identity)
            .is_ok_and(|it| it == own);
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
