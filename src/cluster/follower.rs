//! A node that follows: what the leader knows, entry by entry, and the pool that follows from it.

use super::{Logged, Publication, Word};
use crate::config::Config;
use crate::coordinator::{
    Before, Hearsay, Known, Now, Publisher, Question, Saves, mark, rules, to_ms, unix_ms,
};
use crate::ledger::{self, ANSWERS_MAX, Facts, Ledger};
use crate::snapshot::{Pool, Stat, TargetStat};
use crate::store::{Asked, Image};
use proxy_shards::Require;
use std::sync::Arc;
use std::time::SystemTime;

/// The ledger of the leader, as far as it was told of.
#[derive(Debug)]
pub(super) struct Replica {
    ledger: Ledger,
    publisher: Publisher,
    /// Told of since the last publication: what it means is certain once that has come, which names
    /// the targets.
    pending: Vec<Logged>,
    /// The figures that were published last, whoever led.
    stat: Option<Arc<Stat>>,
    saves: Saves,
    require: Require,
    /// The mark of what this node would ask.
    policy: u64,
    quorum: u8,
}

/// What readers are to see.
pub(super) struct Seen {
    pub(super) publication: Arc<Publication>,
    pub(super) pool: Arc<Pool>,
}

impl Replica {
    /// What was known when the last process ended.
    pub(super) fn new(config: &Config, image: &Image, now: Now) -> Replica {
        let mut replica = Replica::of(config, Ledger::new(0), Before::default(), now);
        replica.replace(image);
        if image.targets.is_empty() {
            let policy = &config.checker.policy;
            replica.ledger.aim_restored(&[], policy); // an older version saved it, for one target
        }
        replica
    }

    /// What this node knew when it led.
    pub(super) fn of(config: &Config, ledger: Ledger, before: Before, now: Now) -> Replica {
        let mut replica = Replica {
            ledger,
            publisher: before.publisher,
            pending: Vec::new(),
            stat: before.stat,
            saves: Saves::new(now.clock_ms),
            require: Require::default(),
            policy: 0,
            quorum: 1,
        };
        replica.configure(config);
        replica
    }

    /// This configuration is in force on this node.
    pub(super) fn configure(&mut self, config: &Config) {
        self.require = config.checker.policy.require;
        self.policy = mark(&config.checker.policy);
        self.quorum = config.api.report_quorum;
        self.ledger.set_quorum(self.quorum);
        let names = self.ledger.targets().to_vec();
        self.ledger.aim_at(names, self.require);
        self.publisher.note_pool();
    }

    /// All that is known is what the checkpoint has. One that nobody ever saved is none: the Redis has
    /// lost what it had, and who leads next goes by what the nodes know.
    pub(super) fn checkpoint(&mut self, image: &Image) {
        if image.saved_at_ms > 0 {
            self.replace(image);
        }
    }

    fn replace(&mut self, image: &Image) {
        self.pending.clear();
        self.ledger = Ledger::new(0);
        self.ledger.set_quorum(self.quorum);
        self.ledger.expect(image.entries.len());
        for entry in image.entries.iter() {
            self.ledger.restore(entry);
        }
        self.ledger.aim_at(image.targets.clone(), self.require);
        self.publisher.note_pool();
        self.saves.unsaved = true;
    }

    /// Takes in what the leader logged, and gives what readers are to see if it published: of several
    /// publications the last.
    pub(super) fn follow(&mut self, lines: Vec<Logged>, now: Now) -> Option<Seen> {
        self.ledger.pass(now.clock_ms);
        let mut last = None;
        for line in lines {
            match line {
                Logged::Published(publication) => {
                    self.settle(&publication.stat.targets);
                    self.stat = Some(publication.stat.clone());
                    last = Some(publication);
                }
                line => self.pending.push(line),
            }
        }
        last.map(|publication| {
            let reason = publication.stat.stale.filter(|_| publication.stale);
            let reason = reason.map(|(why, _)| why);
            let pool = self.publisher.take(&self.ledger, now.clock_ms, reason).pool;
            Seen { publication, pool }
        })
    }

    /// Applies what was told of; the bits of the targets stand for these.
    fn settle(&mut self, targets: &[TargetStat]) {
        let is_same = self
            .ledger
            .targets()
            .iter()
            .eq(targets.iter().map(|t| &t.name));
        if !is_same {
            let names = targets.iter().map(|target| target.name.clone()).collect();
            self.ledger.aim_at(names, self.require);
            self.publisher.note_pool();
        }
        self.apply_pending();
    }

    fn apply_pending(&mut self) {
        self.saves.unsaved |= !self.pending.is_empty();
        for line in std::mem::take(&mut self.pending) {
            match line {
                Logged::Judged { entry, source } => {
                    let (index, change) = self.ledger.mirror(*entry, source);
                    self.publisher.note(index, change, &self.ledger);
                }
                Logged::Forgotten(candidate) => {
                    if self.ledger.forget_mirrored(&candidate) {
                        self.publisher.note_pool();
                    }
                }
                Logged::Published(_) => {}
            }
        }
    }

    /// What was restored, for those who ask before anybody leads; `None` if it is nothing.
    pub(super) fn own(&mut self, now: Now) -> Option<(Arc<Pool>, Stat)> {
        if self.ledger.is_empty() {
            return None;
        }
        let view = self.publisher.take(&self.ledger, now.clock_ms, None);
        let last_check_ms = self.ledger.last_check_ms();
        let target = |name: &str| TargetStat {
            name: name.into(),
            ..TargetStat::default()
        };
        let stat = Stat {
            total_scraped: self.ledger.len() as u64,
            total_alive: self.ledger.total_alive(),
            total_dead: self.ledger.total_dead(),
            last_check: (last_check_ms > 0).then(|| unix(last_check_ms)),
            verdicts: *self.ledger.verdicts(),
            targets: self.ledger.targets().iter().map(|n| target(n)).collect(),
            latency_ms_p50: view.latency_ms_p50,
            latency_ms_p95: view.latency_ms_p95,
            latency_spread: view.latency_spread,
            ..Stat::default()
        };
        Some((view.pool, stat))
    }

    /// Everything that is known, to be saved.
    pub(super) fn image(&mut self, now: Now) -> Image {
        self.saves.began(now.clock_ms);
        self.copy(now)
    }

    /// Everything that is known, as it is now. What the candidates were asked the leader knows; here it
    /// is what this node would ask.
    pub(super) fn copy(&self, now: Now) -> Image {
        let sweep = self.stat.as_ref().map(|stat| stat.sweep);
        let ms = |at: Option<SystemTime>| at.map_or(0, unix_ms);
        Image {
            saved_at_ms: now.unix_ms,
            asked: Asked {
                policy: self.policy,
                since_ms: sweep.map_or(0, |sweep| ms(sweep.started)),
                over_ms: sweep.map_or(0, |sweep| ms(sweep.finished)),
            },
            targets: self.ledger.targets().to_vec(),
            entries: self.ledger.entries().collect(),
        }
    }

    /// The saves of this node's own store.
    pub(super) fn saves(&mut self) -> &mut Saves {
        &mut self.saves
    }

    /// When the next of them is due.
    pub(super) fn save_due_at(&self, config: &Config) -> Option<u64> {
        self.saves.due_at(to_ms(config.storage.persist_interval))
    }

    /// This node leads from now on: all that it knows, and what was published before.
    pub(super) fn succeed(mut self, now: Now) -> (Image, Before) {
        self.apply_pending();
        let image = self.image(now);
        let before = Before {
            stat: self.stat,
            publisher: self.publisher,
        };
        (image, before)
    }

    /// Answers with what is known here. When the next check is due is reckoned by the rules of this
    /// node; whether it is under way only the leader knows.
    pub(super) fn answer(&self, question: Question, config: &Config, now: Now) {
        let indexes = self.ledger.find_at(&question.host, question.port);
        let total = match indexes.len() {
            ANSWERS_MAX => self.ledger.count_at(&question.host, question.port),
            all => all,
        };
        let facts = indexes
            .into_iter()
            .map(|index| self.facts(index, config, now));
        let facts = facts.collect();
        // Whoever asked may have gone away.
        let _ = question.reply.send(Known { total, facts });
    }

    fn facts(&self, index: u32, config: &Config, now: Now) -> Facts {
        let standing = self.ledger.standing(index);
        let checked_ms = self.ledger.checked_at_ms(index);
        let mut rng = fastrand::Rng::with_seed(checked_ms ^ u64::from(index));
        let pause_ms =
            rules(config).left_ms(standing, now.unix_ms.saturating_sub(checked_ms), &mut rng);
        let sources = self.stat.as_ref().map(|stat| &stat.sources[..]);
        let source = self.ledger.first_source(index).zip(sources);
        let source = source.and_then(|(place, sources)| sources.get(usize::from(place)));
        Facts {
            entry: self.ledger.entry(index),
            next_check_ms: Some(now.unix_ms + pause_ms),
            voices: self.ledger.voices(index, now.clock_ms),
            held: false,
            sources: source
                .into_iter()
                .map(|source| source.url.clone())
                .collect(),
        }
    }

    /// Takes in what a client of this node says, and gives what the leader is to hear. What follows
    /// for the pool – a target turns it away – follows here for this node; what follows for the next
    /// check, with the leader.
    pub(super) fn hear(&mut self, said: Hearsay, now: Now) -> Option<Word> {
        let indexes = self.ledger.find_at(&said.host, said.port);
        // Whoever said it may have gone away.
        let _ = said.reply.send(!indexes.is_empty());
        if indexes.is_empty() {
            return None;
        }
        let names = self.ledger.targets();
        let named = |name: &str| names.iter().position(|target| **target == *name);
        let word = ledger::Word {
            client: said.client,
            experience: said.experience,
            target: said.target.as_deref().and_then(named),
        };
        for index in indexes {
            let banned_at = self.ledger.banned_at(index);
            self.ledger.hear(index, word, now.clock_ms);
            if self.ledger.banned_at(index) != banned_at {
                let change = ledger::Change::Confirmed; // it is still what it was
                self.publisher.note(index, change, &self.ledger);
            }
        }
        Some(Word {
            host: said.host,
            port: said.port,
            target: said.target,
            experience: said.experience,
            client: said.client,
        })
    }
}

fn unix(ms: u64) -> std::time::SystemTime {
    std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(ms)
}
