//! Whole listings, each made once for a pool and shared by all who ask for it.

use super::answer::{Held, Scale};
use super::coding::{AT_ONCE_BYTES_MAX, Coding, GZIP_BYTES_MIN, gzip};
use super::listing::Form;
use super::press::{self, Press};
use super::refusal::Refusal;
use crate::snapshot::{Proxy, Published, Snapshot};
use axum::body::Bytes;
use proxy_shards::Protocol;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::OnceCell;

/// Listings with at most this many rows are made at once: that takes less than a millisecond.
const AT_ONCE_ROWS_MAX: usize = 1_000;
/// How long a listing may outlive its pool when nobody asks.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// The bodies of one pool, made when they are first asked for. There are as many as kinds, and each
/// weighs on the scale for as long as the shelf or a reader has it; where there is no room left,
/// what nobody reads goes.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    current: Arc<Mutex<Bodies>>,
    press: Press,
    scale: Scale,
    seed: RandomState,
}

/// Which listing: everything, or all that speaks a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) form: Form,
    pub(super) protocol: Option<Protocol>,
}

#[derive(Debug, Default)]
struct Bodies {
    /// [`Snapshot::listing`] of them.
    listing: u64,
    made: HashMap<Kind, Arc<Made>>,
}

/// One listing, in every coding that was asked for.
#[derive(Debug, Default)]
struct Made {
    /// With its digest.
    plain: OnceCell<(Held, u64)>,
    gzip: OnceCell<Held>,
    /// Somebody has begun to compress it.
    is_begun: AtomicBool,
}

/// A listing as one request has it.
#[derive(Debug)]
pub(super) struct Listed {
    made: Arc<Made>,
    pub(super) plain: Bytes,
    /// The same for the same bytes, in this process.
    pub(super) digest: u64,
}

impl Shelf {
    pub(super) fn new(press: Press, scale: Scale) -> Shelf {
        Shelf {
            current: Arc::default(),
            press,
            scale,
            seed: RandomState::new(),
        }
    }

    /// The listing of this kind from `snapshot`. A large one is made beside the API's thread: the
    /// first who asks waits for it, and so do those who ask meanwhile. It is made to the end even if
    /// all of them leave.
    pub(super) async fn listing(
        &self,
        kind: Kind,
        snapshot: &Arc<Snapshot>,
    ) -> Result<Listed, Refusal> {
        let made = self.made(kind, snapshot.listing);
        let (plain, digest) = match made.plain.get() {
            Some((body, digest)) => (body.bytes(), *digest),
            None => self.render(&made, kind, snapshot).await?,
        };
        Ok(Listed {
            made,
            plain,
            digest,
        })
    }

    /// The listing in the coding that is wanted, or plain.
    pub(super) async fn coded(&self, listed: Listed, wanted: Coding) -> (Coding, Bytes) {
        let coded = match wanted {
            Coding::Plain => None,
            Coding::Gzip => self.compress(&listed.made, &listed.plain).await,
        };
        coded.map_or((Coding::Plain, listed.plain), |coded| (Coding::Gzip, coded))
    }

    /// Lets go of the listings of pools that are served no more. Never ends.
    pub(super) async fn tidy(&self, published: &Published) {
        loop {
            tokio::time::sleep(TIDY_EVERY).await;
            self.drop_unless(published.load().listing);
        }
    }

    /// What `weigh` gives; if that is nothing, once more without what is kept here for nobody.
    pub(super) fn or_make_room<T>(&self, weigh: impl Fn() -> Option<T>) -> Option<T> {
        weigh().or_else(|| {
            let mut bodies = self.bodies();
            bodies
                .made
                .retain(|_, made| made.is_read() || made.is_being_made());
            drop(bodies);
            weigh()
        })
    }

    fn drop_unless(&self, listing: u64) {
        let mut bodies = self.bodies();
        if bodies.listing != listing {
            *bodies = Bodies::default();
        }
    }

    fn bodies(&self) -> MutexGuard<'_, Bodies> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self, kind: Kind, listing: u64) -> Arc<Made> {
        let mut bodies = self.bodies();
        if bodies.listing != listing {
            *bodies = Bodies::default();
            bodies.listing = listing;
        }
        Arc::clone(bodies.made.entry(kind).or_default())
    }

    async fn render(
        &self,
        made: &Arc<Made>,
        kind: Kind,
        snapshot: &Arc<Snapshot>,
    ) -> Result<(Bytes, u64), Refusal> {
        let handed = |(body, digest): &(Held, u64)| (body.bytes(), *digest);
        if kind.rows(snapshot) <= AT_ONCE_ROWS_MAX {
            let render = async || {
                let body = kind.render(snapshot);
                let digest = self.seed.hash_one(&body);
                Ok((self.weigh(body)?, digest))
            };
            return made.plain.get_or_try_init(render).await.map(handed);
        }
        let (shelf, made, snapshot) = (self.clone(), Arc::clone(made), Arc::clone(snapshot));
        let rendered = tokio::spawn(async move {
            let render = async || {
                let seed = shelf.seed.clone();
                let work = move || {
                    let body = kind.render(&snapshot);
                    let digest = seed.hash_one(&body);
                    (body, digest)
                };
                let (body, digest) = shelf.press.run(work).await?;
                Ok((shelf.weigh(body)?, digest))
            };
            made.plain.get_or_try_init(render).await.map(handed)
        });
        rendered.await.map_err(press::ended)?
    }

    fn weigh(&self, body: Vec<u8>) -> Result<Held, Refusal> {
        let body = Bytes::from(body);
        let weighed = self.or_make_room(|| self.scale.hold(body.clone()));
        weighed.ok_or(Refusal::Overloaded)
    }

    /// `plain` as gzip, if that pays. Who asks first for a large one waits for it; it is the others
    /// who go on with the plain one meanwhile.
    async fn compress(&self, made: &Arc<Made>, plain: &Bytes) -> Option<Bytes> {
        if let Some(coded) = made.gzip.get() {
            return Some(coded.bytes());
        }
        if plain.len() < GZIP_BYTES_MIN {
            return None;
        }
        if plain.len() <= AT_ONCE_BYTES_MAX {
            let coded = self.weigh(gzip(plain)).ok()?;
            return Some(made.gzip.get_or_init(async || coded).await.bytes());
        }
        if made.is_begun.swap(true, Ordering::Relaxed) {
            return None;
        }
        let (shelf, made, plain) = (self.clone(), Arc::clone(made), plain.clone());
        let compressed = tokio::spawn(async move {
            let coded = shelf.press.run(move || gzip(&plain)).await;
            let Ok(coded) = coded.and_then(|coded| shelf.weigh(coded)) else {
                made.is_begun.store(false, Ordering::Relaxed);
                return None;
            };
            Some(made.gzip.get_or_init(async || coded).await.bytes())
        });
        compressed.await.map_err(press::ended).ok()?
    }
}

impl Made {
    /// Whether somebody waits for it: without it the next one would have it made again.
    fn is_being_made(self: &Arc<Made>) -> bool {
        self.plain.get().is_none() && Arc::strong_count(self) > 1
    }

    /// Whether its memory would stay if the shelf let go of it.
    fn is_read(&self) -> bool {
        let plain = self.plain.get().map(|(body, _)| body);
        let mut held = plain.into_iter().chain(self.gzip.get());
        held.any(Held::is_shared)
    }
}

impl Kind {
    fn rows(self, snapshot: &Snapshot) -> usize {
        match self.protocol {
            None => snapshot.pool.proxies().len(),
            Some(protocol) => snapshot.pool.of(protocol).len(),
        }
    }

    fn render(self, snapshot: &Snapshot) -> Vec<u8> {
        let all = snapshot.pool.proxies();
        let proxies: Vec<&Proxy> = match self.protocol {
            None => all.iter().collect(),
            Some(protocol) => {
                let indexes = snapshot.pool.of(protocol).iter();
                indexes.map(|&index| &all[index as usize]).collect()
            }
        };
        self.form.write(&proxies, snapshot, None)
    }
}

#[cfg(test)]
mod tests;
