//! An image in tables of our own: `ledger_chunks` with what changes, `ledger_meta` with the one
//! record that holds it together. `user_version` says that they belong here.

use super::Trouble;
use crate::store::Image;
use crate::store::changes::Changes;
use crate::store::chunk::{Mark, Meta};
use crate::store::file::parse;
use crate::store::reading::Reading;
use rusqlite::{Connection, OptionalExtension, params};

/// The form of our tables: what `user_version` says.
const VERSION: u32 = 1;

const MAKE: &str = "
    CREATE TABLE IF NOT EXISTS ledger_chunks (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS ledger_meta
        (id INTEGER PRIMARY KEY CHECK (id = 1), bytes BLOB NOT NULL);";

/// Reads the whole schema, and with it what kind of file this is.
pub(super) fn look(db: &Connection) -> Result<(), Trouble> {
    let tables = "SELECT count(*) FROM sqlite_schema";
    db.query_row(tables, [], |row| row.get::<_, i64>(0))?;
    Ok(())
}

/// The image that is stored: ours, or else what the old service left; and the marks of our chunks.
pub(super) fn read(db: &mut Connection) -> Result<(Image, Vec<Mark>), Trouble> {
    // One transaction sees one state, whatever others write.
    let db = db.transaction()?;
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(Trouble::Damaged(format!(
            "its tables have form {version}; this version reads {VERSION}, so a newer one may have \
             written them"
        )));
    }
    let meta: Option<Vec<u8>> = match has_table(&db, "ledger_meta")? {
        true => db
            .query_row("SELECT bytes FROM ledger_meta", [], |row| row.get(0))
            .optional()?,
        false => None,
    };
    match meta {
        Some(meta) => read_chunks(&db, &meta),
        None if version == 0 && has_table(&db, "snapshots")? => Ok((old(&db)?, Vec::new())),
        None => Err(Trouble::Damaged(
            "nothing of the last save is left".to_owned(),
        )),
    }
}

fn read_chunks(db: &Connection, meta: &[u8]) -> Result<(Image, Vec<Mark>), Trouble> {
    let mut reading = Reading::of(meta).map_err(Trouble::Damaged)?;
    let mut chunk = db.prepare("SELECT bytes FROM ledger_chunks WHERE number = ?1")?;
    for number in 0..reading.chunks() {
        let mut rows = chunk.query([number])?;
        let taken = match rows.next()? {
            // Borrowed from SQLite: no copy of its own.
            Some(row) => reading.take(Some(row.get_ref(0)?.as_blob().map_err(|error| {
                Trouble::Damaged(format!("chunk {number} is no BLOB: {error}"))
            })?)),
            None => reading.take(None),
        };
        taken.map_err(Trouble::Damaged)?;
    }
    reading.finish().map_err(Trouble::Damaged)
}

/// What the old service left: one row with its snapshot.
fn old(db: &Connection) -> Result<Image, Trouble> {
    let newest = "SELECT data FROM snapshots ORDER BY id DESC LIMIT 1";
    let data: Option<String> = db.query_row(newest, [], |row| row.get(0)).optional()?;
    let image = data.map_or(Ok(Image::default()), |data| parse(data.as_bytes()));
    image.map_err(|why| Trouble::Damaged(format!("the old service's snapshot: {why}")))
}

fn has_table(db: &Connection, name: &str) -> Result<bool, Trouble> {
    let look = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    Ok(db.query_row(look, [name], |_| Ok(())).optional()?.is_some())
}

/// Replaces the image in one transaction that writes what changed; `known` are the marks of the
/// chunks that are stored. The new marks.
pub(super) fn write(
    db: &mut Connection,
    image: &Image,
    known: &[Mark],
) -> Result<Vec<Mark>, Trouble> {
    let changes = Changes::since(known, image);
    // Whoever else writes is waited for now, not at the end.
    let save = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    save.execute_batch(MAKE)?;
    save.pragma_update(None, "user_version", VERSION)?;
    let put = "INSERT OR REPLACE INTO ledger_chunks (number, bytes) VALUES (?1, ?2)";
    let mut put = save.prepare(put)?;
    for &number in &changes.new {
        put.execute(params![number, image.entries.chunk(number as usize)])?;
    }
    drop(put);
    let surplus = "DELETE FROM ledger_chunks WHERE number >= ?1";
    save.execute(surplus, [changes.count()])?;
    let meta = Meta::of(image, &changes.marks).encode();
    let put = "INSERT OR REPLACE INTO ledger_meta (id, bytes) VALUES (1, ?1)";
    save.execute(put, [meta])?;
    save.commit()?;
    Ok(changes.marks)
}
