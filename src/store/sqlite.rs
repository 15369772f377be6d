//! The ledger in a SQLite database, beside whatever else is in it: the old service's table is read
//! where there is no ledger yet, and never changed.

use super::aside::{Recovered, move_aside};
use super::chunk::Mark;
use super::lock::{Lock, beside, folder_of};
use super::place::CHANGED;
use super::{Identity, Image, Stamp, Store, StoreError, identity, io_error, is_want_of_room};
use crate::regular::{self, ReadError};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, ffi};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::mem;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

mod look;
mod tables;

pub(super) use look::look;

#[cfg(test)]
mod tests;

/// How long someone who does not know our lock may write until we give up.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// What every database begins with.
const HEAD: &[u8; 16] = b"SQLite format 3\0";

/// What SQLite has not yet moved into a database.
const LOG: &str = "-wal";
/// Files of SQLite's own that belong to a database; the last one is of the old service's.
const COMPANIONS: [&str; 3] = [LOG, "-shm", "-journal"];

/// A SQLite database in a file.
#[derive(Debug)]
pub(super) struct SqliteStore {
    path: PathBuf,
    /// Closed after a failure.
    db: Option<Open>,
    /// The files that were open last, as we left them.
    last: Option<Files>,
    /// The chunks that are stored; empty if that is not known, and then all are written.
    marks: Vec<Mark>,
    recovered: Option<Recovered>,
    lock: Lock,
}

/// A database that is open, and which files those are.
#[derive(Debug)]
struct Open {
    connection: Connection,
    files: Files,
}

/// The database, and SQLite's log of what is not yet moved into it. Both are where they are as long as
/// the database is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Files {
    database: Stamp,
    log: Stamp,
}

impl Files {
    /// Those that whoever opens `path` now would find.
    fn at(path: &Path) -> io::Result<Files> {
        // The log is beside the file, not beside a symbolic link to it.
        let path = fs::canonicalize(path)?;
        Ok(Files {
            database: Stamp::of(&path)?,
            log: Stamp::of(&with_end(&path, LOG))?,
        })
    }

    /// Which files they are, whatever was written to them.
    fn identities(self) -> (Identity, Identity) {
        (self.database.file, self.log.file)
    }
}

/// Why a piece of work on the database failed.
#[derive(Debug)]
enum Trouble {
    /// What is stored cannot be read.
    Damaged(String),
    /// Someone who does not know our lock writes.
    Busy,
    /// There is no room: what is stored may be good.
    Full(String),
    /// Something else: what is stored may be good.
    Failed(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        let text = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Trouble::Damaged(text),
            // Pages that should be there are not: the file was cut.
            Some(ErrorCode::SystemIoFailure) if is_short(&error) => Trouble::Damaged(text),
            Some(ErrorCode::DiskFull) => Trouble::Full(text),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Trouble::Busy,
            // A table that is gone, a column of another type: not what was written.
            Some(ErrorCode::Unknown) | None => Trouble::Damaged(text),
            Some(_) => Trouble::Failed(text),
        }
    }
}

fn is_short(error: &Error) -> bool {
    let error = error.sqlite_error();
    error.is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHORT_READ)
}

impl SqliteStore {
    /// Opens the database in the file `path`, or makes it.
    pub(super) fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        let mut store = SqliteStore {
            path: path.to_owned(),
            db: None,
            last: None,
            marks: Vec::new(),
            recovered: None,
            lock: Lock::take(path)?,
        };
        store.read("open", |_| Ok(()))?;
        Ok(store)
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
        work: impl Fn(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        match self.on_database(&work) {
            Err(Trouble::Damaged(why)) => {
                self.recovered = Some(set_aside(&self.path, why)?);
                self.on_database(&work)
            }
            done => done,
        }
        .map_err(|trouble| self.failed(doing, trouble))
    }

    /// Does `work` on the database, which is opened if it is closed, and closed if it fails.
    fn on_database<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut db = match self.db.take() {
            Some(db) => db,
            None => self
                .open_again()
                .map_err(|trouble| self.explained(trouble))?,
        };
        self.last = Some(db.files);
        let done = is_in_place(&self.path, db.files).and_then(|_| work(&mut db.connection));
        // Only what is still there by then will be found.
        let done = done.and_then(|done| {
            db.files = is_in_place(&self.path, db.files)?;
            self.last = Some(db.files);
            Ok(done)
        });
        match &done {
            Ok(_) => self.db = Some(db),
            Err(_) => self.marks.clear(),
        }
        done.map_err(|trouble| self.explained(trouble))
    }

    fn open_again(&self) -> Result<Open, Trouble> {
        if let (Some(last), Ok(path)) = (self.last, fs::canonicalize(&self.path)) {
            let (database, log) = last.identities();
            let is_another = identity(&path).ok() != Some(database);
            // SQLite leaves it behind if its database was moved while it was open.
            if is_another && identity(&with_end(&path, LOG)).ok() == Some(log) {
                part_with_companions(&path)?;
            }
        }
        open_database(&self.path)
    }

    /// Reads a database again one of whose files was removed, replaced or written by someone else. Whoever
    /// has other tables in it is free to write those.
    fn stays_as_it_was(&mut self) -> Result<(), StoreError> {
        let open = self.db.as_ref().map(|db| db.files);
        if open.is_some() && open != Files::at(&self.path).ok() {
            self.db = None;
            let known = mem::take(&mut self.marks);
            self.load()?;
            if self.marks != known {
                tracing::warn!(store = %self.path.display(), "{CHANGED}");
                self.marks.clear();
            }
        }
        Ok(())
    }

    /// SQLite says of some wants of room no more than that something failed.
    fn explained(&self, trouble: Trouble) -> Trouble {
        match trouble {
            Trouble::Failed(why) if lacks_room(&self.path) => Trouble::Full(why),
            trouble => trouble,
        }
    }
}

impl Store for SqliteStore {
    fn load(&mut self) -> Result<Image, StoreError> {
        let (image, marks) = self.read("read", tables::read)?;
        self.marks = marks;
        Ok(image)
    }

    fn save(&mut self, image: &Image) -> Result<(), StoreError> {
        self.lock.keep(&self.path)?;
        self.stays_as_it_was()?;
        // Closed after a failure: whether it can be opened again is known before anything is
        // written, so that a full disk is never taken for damage.
        if self.db.is_none() {
            self.read("open", |_| Ok(()))?;
        }
        let known = mem::take(&mut self.marks);
        let written = match self.on_database(|db| tables::write(db, image, &known)) {
            // Found out only now: the image is whole here, so nothing is lost with what is broken.
            Err(Trouble::Damaged(why)) => {
                self.recovered = Some(set_aside(&self.path, why)?);
                self.on_database(|db| tables::write(db, image, &[]))
            }
            written => written,
        };
        self.marks = written.map_err(|trouble| self.failed("save", trouble))?;
        Ok(())
    }

    fn recovered(&mut self) -> Option<Recovered> {
        self.recovered.take()
    }
}

/// Whether a file as long as SQLite's smallest cannot be written beside the database for want of room.
fn lacks_room(path: &Path) -> bool {
    let tried = beside(path, "room");
    let written = fs::write(&tried, [0; 32 << 10]);
    let _ = fs::remove_file(&tried);
    written.is_err_and(|error| is_want_of_room(&error))
}

/// Opens the database, which is made if it is missing. Only its owner may read it: it holds
/// credentials.
fn open_database(path: &Path) -> Result<Open, Trouble> {
    match fs::metadata(path) {
        // Made whole and then named, so that a file without a table is no start that was cut.
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)?,
        // What else is wrong with it, opening says.
        Ok(_) | Err(_) => {}
    }
    look_at_head(path)?;
    let private = Permissions::from_mode(0o600);
    fs::set_permissions(path, private).map_err(failed("protect", path))?;
    let connection = connect(path)?;
    tables::look(&connection)?;
    let files = Files::at(path).map_err(failed("find", path))?;
    Ok(Open { connection, files })
}

/// Whether it is a database, before SQLite finds that it is none and removes what is kept beside it.
fn look_at_head(path: &Path) -> Result<(), Trouble> {
    let mut head = [0; HEAD.len()];
    let mut file = regular::open(path).map_err(|error| match error {
        ReadError::System(error) => failed("open", path)(error),
        other => Trouble::Failed(format!(
            "{} {other}; give storage.path the name of a file",
            path.display()
        )),
    })?;
    match file.read_exact(&mut head) {
        Ok(()) if head == *HEAD => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(failed("read", path)(error))
        }
        Ok(()) | Err(_) => Err(Trouble::Damaged("it is no SQLite database".to_owned())),
    }
}

/// Makes a database with an empty image in it.
fn make(path: &Path) -> Result<(), Trouble> {
    let new = beside(path, "new");
    for companion in COMPANIONS.iter().chain(&[""]) {
        match fs::remove_file(with_end(&new, companion)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("replace", &new)(error));
            }
            _ => {}
        }
    }
    let made = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&new);
    drop(made.map_err(failed("create", &new))?);
    let mut connection = connect(&new)?;
    tables::write(&mut connection, &Image::default(), &[])?;
    // Closing writes everything into the one file.
    connection.close().map_err(|(_, error)| error)?;
    part_with_companions(path)?;
    fs::rename(&new, path).map_err(failed("name", path))?;
    let folder = folder_of(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed("sync the folder", folder))
}

/// Moves aside what SQLite kept beside a database that is gone: it would play it into the next one of
/// that name.
fn part_with_companions(path: &Path) -> Result<(), Trouble> {
    for companion in COMPANIONS.map(|companion| with_end(path, companion)) {
        if fs::symlink_metadata(&companion).is_ok() {
            let moved = move_aside(&companion, "its database is gone".to_owned());
            let moved = moved.map_err(|error| Trouble::Failed(error.to_string()))?;
            tracing::warn!(
                from = %companion.display(), to = %moved.moved_to.display(),
                "the log of a database that is gone was moved aside"
            );
        }
    }
    Ok(())
}

fn connect(path: &Path) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A save that was answered survives the machine, not only the process.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
    Ok(connection)
}

/// An open file goes on being written wherever it was moved: nothing of that would be there after
/// the next start. The files as they are now.
fn is_in_place(path: &Path, files: Files) -> Result<Files, Trouble> {
    let now = Files::at(path).map_err(failed("find", path))?;
    match now.identities() == files.identities() {
        true => Ok(now),
        false => Err(Trouble::Failed("another file took its place".to_owned())),
    }
}

/// Moves the database aside, and what SQLite keeps beside it with it: it may hold the newest saves.
fn set_aside(path: &Path, why: String) -> Result<Recovered, StoreError> {
    let recovered = move_aside(path, why)?;
    for companion in COMPANIONS {
        let (from, to) = (
            with_end(path, companion),
            with_end(&recovered.moved_to, companion),
        );
        match fs::rename(&from, to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("move the unreadable store aside", &from)(error));
            }
            _ => {}
        }
    }
    Ok(recovered)
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Trouble {
    let path = path.to_owned();
    move |error| match is_want_of_room(&error) {
        true => Trouble::Full(error.to_string()),
        false => Trouble::Failed(format!("cannot {doing} {}: {error}", path.display())),
    }
}
