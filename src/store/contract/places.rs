//! Where a store is while it is tested, and what may happen to it there.

use super::RedisServer;
use crate::config::{Backend, RedisPlace};
use crate::store::{Store, open};
use fastrand::Rng;
use redis::cmd;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The stores that keep anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Sled,
    File,
    Sqlite,
    Redis,
}

impl Kind {
    pub(in crate::store) const ALL: [Kind; 4] = [Kind::Sled, Kind::File, Kind::Sqlite, Kind::Redis];
    /// Those in a folder of this host.
    pub(in crate::store) const LOCAL: [Kind; 3] = [Kind::Sled, Kind::File, Kind::Sqlite];
}

/// A store's place, gone when this is dropped.
pub(in crate::store) struct Place {
    pub(in crate::store) kind: Kind,
    pub(in crate::store) backend: Backend,
    folder: TempDir,
    server: Option<RedisServer>,
}

impl Place {
    pub(in crate::store) fn new(kind: Kind) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join("store").join(name);
        let mut server = None;
        let backend = match kind {
            Kind::Sled => Backend::Sled(at("ledger")),
            Kind::File => Backend::File(at("proxies.json")),
            Kind::Sqlite => Backend::Sqlite(at("ledger.db")),
            Kind::Redis => {
                let started = server.insert(RedisServer::start());
                Backend::Redis {
                    place: RedisPlace::new(&started.place(), None, None).unwrap(),
                    prefix: "proxychecker".into(),
                }
            }
        };
        Place {
            kind,
            backend,
            folder,
            server,
        }
    }

    pub(in crate::store) fn opened(&self) -> Box<dyn Store> {
        open(&self.backend).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The file or folder of a local store.
    pub(in crate::store) fn path(&self) -> &Path {
        match &self.backend {
            Backend::Sled(path) | Backend::File(path) | Backend::Sqlite(path) => path,
            Backend::Redis { .. } | Backend::Memory => panic!("{:?} is not local", self.kind),
        }
    }

    /// What a message about the store begins with.
    pub(in crate::store) fn shown(&self) -> String {
        match &self.server {
            Some(server) => format!("redis://{} proxychecker:ledger", server.place()),
            None => self.path().display().to_string(),
        }
    }

    /// Where it is: what a message names when it cannot be reached.
    pub(in crate::store) fn around(&self) -> String {
        match &self.server {
            Some(server) => server.place(),
            None => self.parent().display().to_string(),
        }
    }

    /// Nobody can reach it.
    pub(in crate::store) fn take_away(&mut self) {
        match &mut self.server {
            Some(server) => server.kill(),
            None => {
                // It is not there before the store was first opened.
                let _ = fs::rename(self.parent(), self.away());
                fs::write(self.parent(), b"a file where a folder belongs").unwrap();
            }
        }
    }

    /// It is there again; a Redis has forgotten everything.
    pub(in crate::store) fn bring_back(&mut self) {
        match &mut self.server {
            Some(server) => server.restart(),
            None => {
                fs::remove_file(self.parent()).unwrap();
                let _ = fs::rename(self.away(), self.parent());
            }
        }
    }

    /// Nothing was ever saved.
    pub(in crate::store) fn clear(&self) {
        match &self.server {
            Some(_) => cmd("FLUSHALL").exec(&mut self.link()).unwrap(),
            // It is not there before the store was first opened.
            None => drop(fs::remove_dir_all(self.parent())),
        }
    }

    /// Puts something else in its place.
    pub(in crate::store) fn occupy(&self) {
        match self.kind {
            Kind::File | Kind::Sqlite => fs::create_dir_all(self.path()).unwrap(),
            Kind::Sled => {
                fs::create_dir_all(self.parent()).unwrap();
                fs::write(self.path(), b"{}").unwrap();
            }
            Kind::Redis => {
                let mut link = self.link();
                cmd("SET")
                    .arg("proxychecker:ledger")
                    .arg("text")
                    .exec(&mut link)
                    .unwrap();
            }
        }
    }

    /// Whether something is there: a path, or a key.
    pub(in crate::store) fn has(&self, name: &Path) -> bool {
        match &self.server {
            Some(_) => {
                let key = name.to_str().unwrap();
                cmd("EXISTS").arg(key).query(&mut self.link()).unwrap()
            }
            None => name.exists(),
        }
    }

    /// What the store itself is called there.
    pub(in crate::store) fn name(&self) -> PathBuf {
        match &self.server {
            Some(_) => "proxychecker:ledger".into(),
            None => self.path().to_owned(),
        }
    }

    /// Overwrites some bytes of the store, or cuts it.
    pub(in crate::store) fn damage(&self, random: &mut Rng) {
        match &self.server {
            Some(_) => self.damage_hash(random),
            None => damage_file(self.path(), random),
        }
    }

    /// A connection of someone else to the Redis.
    pub(in crate::store) fn link(&self) -> redis::Connection {
        let server = self.server.as_ref().expect("a Redis");
        let client = redis::Client::open(format!("redis://{}", server.place())).unwrap();
        client.get_connection().unwrap()
    }

    fn damage_hash(&self, random: &mut Rng) {
        let (mut link, key) = (self.link(), "proxychecker:ledger");
        let mut fields: Vec<String> = cmd("HKEYS").arg(key).query(&mut link).unwrap();
        fields.sort();
        let field = &fields[random.usize(..fields.len())];
        let bytes: Vec<u8> = cmd("HGET").arg(key).arg(field).query(&mut link).unwrap();
        match random.u8(..5) {
            0 => cmd("HDEL").arg(key).arg(field).exec(&mut link).unwrap(),
            _ => {
                let bytes = damaged(bytes, random);
                let mut put = cmd("HSET");
                put.arg(key).arg(field).arg(bytes).exec(&mut link).unwrap();
            }
        }
    }

    fn parent(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn away(&self) -> PathBuf {
        self.folder.path().join("away")
    }
}

fn damage_file(path: &Path, random: &mut Rng) {
    let mut files = files(path);
    files.retain(|file| fs::metadata(file).unwrap().len() > 0);
    let file = &files[random.usize(..files.len())];
    fs::write(file, damaged(fs::read(file).unwrap(), random)).unwrap();
}

fn damaged(mut bytes: Vec<u8>, random: &mut Rng) -> Vec<u8> {
    match random.u8(..5) {
        0 => bytes.truncate(random.usize(..bytes.len())),
        _ => {
            for _ in 0..random.usize(1..40) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
        }
    }
    bytes
}

/// Every file that the store consists of.
/// The file at `path`, or all in the folder there and below.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    match fs::read_dir(path) {
        Err(_) => vec![path.to_owned()],
        Ok(folder) => {
            let mut files: Vec<_> = folder.flat_map(|f| files(&f.unwrap().path())).collect();
            files.sort();
            files
        }
    }
}
