//! The ledger in a Redis: one hash with the chunks and the record that holds them together, and a lock
//! beside it.
//!
//! A save of little is one script. A save of much writes a hash beside, piece by piece, and a script
//! puts it in the place of the other: one that is cut is never seen, and no answer is long in coming.
//! Each script first sees that the lock is ours.

use super::aside::Recovered;
use super::changes::Changes;
use super::chunk::{Mark, Meta};
use super::{Image, Store, StoreError};
use crate::config::RedisPlace;
use crate::redis_link::{self, Hurdle, hurdle};
use ::redis::{Connection, RedisError};
use image::{read, write_beside};
use keys::Keys;
use lease::Lease;
use scripts::Applied;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

mod image;
mod keys;
mod lease;
mod scripts;

#[cfg(test)]
mod tests;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// One answer.
    answer: Duration,
    /// A whole save, and a whole load.
    work: Duration,
    /// How long the lock outlives a holder that does not renew it.
    lease: Duration,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            answer: Duration::from_secs(5),
            work: Duration::from_secs(60),
            lease: Duration::from_secs(10),
        }
    }
}

/// A ledger in a Redis.
pub(super) struct RedisStore {
    place: RedisPlace,
    keys: Keys,
    terms: Terms,
    /// Given up after a failure.
    link: Option<Connection>,
    stored: Stored,
    recovered: Option<Recovered>,
    lease: Lease,
}

/// What is known of what the server holds; nothing after a failure, and then all is written.
#[derive(Default)]
struct Stored {
    marks: Vec<Mark>,
    meta: Vec<u8>,
}

/// Why a piece of work failed.
#[derive(Debug)]
enum Trouble {
    /// What this key holds cannot be read.
    Damaged { key: String, why: String },
    /// Another process has the lock.
    Taken(String),
    /// The server failed, or did not answer.
    Server(RedisError),
    /// The answers came, but the whole took too long.
    Late,
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Trouble {
        Trouble::Server(error)
    }
}

impl RedisStore {
    /// The store under `prefix`, once nobody else has its lock: who died with it is waited for.
    pub(super) fn open(place: &RedisPlace, prefix: &str) -> Result<RedisStore, StoreError> {
        RedisStore::open_with(place, prefix, Terms::default())
    }

    fn open_with(place: &RedisPlace, prefix: &str, terms: Terms) -> Result<RedisStore, StoreError> {
        let keys = Keys::new(prefix);
        let lease = Lease::take(place, &keys, terms)
            .map_err(|trouble| told(place, &keys, terms, "open", trouble))?;
        Ok(RedisStore {
            place: place.clone(),
            keys,
            terms,
            link: None,
            stored: Stored::default(),
            recovered: None,
            lease,
        })
    }

    /// Does `work` over the connection, which is made if there is none, and given up if it fails.
    fn linked<T>(
        &mut self,
        work: impl FnOnce(&mut Connection, &Keys, &Lease) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => redis_link::connect(&self.place, self.terms.answer)?,
        };
        let done = work(&mut link, &self.keys, &self.lease);
        match &done {
            // The link is good, whatever it brought.
            Ok(_) | Err(Trouble::Damaged { .. } | Trouble::Taken(_)) => self.link = Some(link),
            Err(Trouble::Server(_) | Trouble::Late) => {}
        }
        done
    }

    fn failed(&self, doing: &'static str, trouble: Trouble) -> StoreError {
        told(&self.place, &self.keys, self.terms, doing, trouble)
    }

    /// Renames what cannot be read.
    fn set_aside(&mut self, key: &str, why: String) -> Result<Recovered, Trouble> {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let aside = format!("{key}:broken-{}", now.as_millis());
        match self.linked(|link, keys, lease| {
            Ok(scripts::set_aside(link, keys, lease.grant(), key, &aside)?)
        })? {
            Applied::Done | Applied::Differs => Ok(Recovered {
                path: PathBuf::from(self.keys.shown(&self.place)),
                moved_to: PathBuf::from(aside),
                why,
            }),
            Applied::Taken(holder) => Err(Trouble::Taken(holder)),
        }
    }

    /// Replaces the image; `known` is what the server holds.
    fn write(&mut self, image: &Image, known: &Stored) -> Result<Stored, Trouble> {
        let until = Instant::now() + self.terms.work;
        let changes = Changes::since(&known.marks, image);
        let meta = Meta::of(image, &changes.marks).encode();
        if !known.meta.is_empty() && !changes.are_many() {
            let applied = self.linked(|link, keys, lease| {
                let change = scripts::Change {
                    before: &known.meta,
                    after: &meta,
                    image,
                    changes: &changes,
                    chunks_before: known.marks.len(),
                };
                Ok(scripts::apply(link, keys, lease.grant(), &change)?)
            })?;
            match applied {
                Applied::Done => {
                    let marks = changes.marks;
                    return Ok(Stored { marks, meta });
                }
                Applied::Taken(holder) => return Err(Trouble::Taken(holder)),
                // The server was flushed, or someone else wrote: what it holds is not known.
                Applied::Differs => {}
            }
        }
        let keep = self.terms.work + self.terms.lease;
        let applied = self.linked(|link, keys, lease| {
            write_beside(link, &keys.beside(lease.token()), image, &meta, keep, until)?;
            Ok(scripts::switch(link, keys, lease.grant(), changes.count())?)
        })?;
        match applied {
            Applied::Done => Ok(Stored {
                marks: changes.marks,
                meta,
            }),
            Applied::Taken(holder) => Err(Trouble::Taken(holder)),
            // What was written beside is gone: it outlives a save by far, unless it is pushed out.
            Applied::Differs => Err(Trouble::Late),
        }
    }
}

impl RedisStore {
    /// What the server holds; nothing is renamed or changed.
    pub(super) fn look(&mut self) -> Result<Image, StoreError> {
        let until = Instant::now() + self.terms.work;
        match self.linked(|link, keys, _| read(link, keys, until)) {
            Ok((image, _)) => Ok(image),
            Err(Trouble::Damaged { key, why }) => {
                let place = PathBuf::from(self.keys.shown(&self.place));
                Err(StoreError::unreadable(&place, &format!("{key}: {why}")))
            }
            Err(trouble) => Err(self.failed("read", trouble)),
        }
    }
}

impl Store for RedisStore {
    fn load(&mut self) -> Result<Image, StoreError> {
        let until = Instant::now() + self.terms.work;
        for _ in 0..2 {
            match self.linked(|link, keys, _| read(link, keys, until)) {
                Ok((image, stored)) => {
                    self.stored = stored;
                    return Ok(image);
                }
                Err(Trouble::Damaged { key, why }) => {
                    let recovered = self.set_aside(&key, why);
                    let recovered = recovered.map_err(|trouble| self.failed("read", trouble))?;
                    self.recovered = Some(recovered);
                }
                Err(trouble) => return Err(self.failed("read", trouble)),
            }
        }
        self.stored = Stored::default();
        Ok(Image::default())
    }

    fn save(&mut self, image: &Image) -> Result<(), StoreError> {
        let known = std::mem::take(&mut self.stored);
        let written = self.write(image, &known);
        self.stored = written.map_err(|trouble| self.failed("save", trouble))?;
        Ok(())
    }

    fn recovered(&mut self) -> Option<Recovered> {
        self.recovered.take()
    }
}

/// The trouble in words, with what to do about it.
fn told(
    place: &RedisPlace,
    keys: &Keys,
    terms: Terms,
    doing: &'static str,
    trouble: Trouble,
) -> StoreError {
    let place = keys.shown(place);
    let (why, remedy) = match trouble {
        Trouble::Taken(holder) => {
            return StoreError::Busy {
                path: place.into(),
                holder,
                key: "storage.prefix",
            };
        }
        Trouble::Damaged { why, .. } => (why, "another program may use its keys"),
        Trouble::Late => (
            format!("it took longer than {} s", terms.work.as_secs_f32()),
            "see how busy the server is, and its maxmemory",
        ),
        Trouble::Server(error) => match hurdle(&error) {
            Hurdle::Silence => (
                format!("no answer within {} s", terms.answer.as_secs_f32()),
                "see that the server is there and not too busy",
            ),
            Hurdle::Login => (error.to_string(), "see storage.password_env and the user"),
            Hurdle::Certificate => (error.to_string(), "see storage.ca_file"),
            Hurdle::Full => (error.to_string(), "give the server more memory"),
            Hurdle::Other => (error.to_string(), "see storage.path, and the server's log"),
        },
    };
    StoreError::Server {
        doing,
        place,
        why,
        remedy,
    }
}
