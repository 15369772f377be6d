//! Webhooks: sees in what is published what an operator should be told, and tells it.
//!
//! [`Lookout`] turns figures into alarms, `outbox` decides when each notice is tried: both are pure.
//! [`watch`] is the loop around them on the `io` runtime. It reads the snapshot like every reader and
//! waits for nobody; a receiver that is dead costs a bounded list of notices.

mod alarm;
mod courier;
mod lookout;
mod notice;
mod outbox;

#[cfg(test)]
mod tests;

pub use alarm::{Alarm, RECOVERED, Turn, WORDS, Wanted};
pub use lookout::{Change, Figures, Lookout};

use crate::config::{Alerts, Webhook};
use crate::ident::Idents;
use crate::metrics::Metrics;
use crate::snapshot::Published;
use outbox::{Fate, Outbox, Reply};
use reqwest::Client;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch::Receiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How often the snapshot is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What the watch needs.
#[derive(Clone, Debug)]
pub struct Start {
    /// The block of the configuration that is in force.
    pub rules: Receiver<Arc<Alerts>>,
    /// Where the figures are.
    pub published: Arc<Published>,
    /// Where it is counted, and whether saves fail.
    pub metrics: Arc<Metrics>,
    /// The name of this node.
    pub node: Box<str>,
}

/// The name of this host, as the kernel has it.
pub fn host_name() -> Box<str> {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into()
}

/// Watches for ever; to be dropped at the end.
pub async fn watch(start: Start) {
    watch_every(start, EVERY).await;
}

async fn watch_every(start: Start, every: Duration) {
    let mut watch = Watch::new(start);
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => watch.look(),
            Some(ended) = watch.under_way.join_next() => {
                if let Ok((url, reply)) = ended {
                    watch.settle(&url, &reply);
                }
            }
        }
        watch.send();
    }
}

/// An attempt that panicked.
fn fell() -> Reply {
    Reply::Failed("sending it failed unexpectedly, which is a bug".to_owned())
}

/// One webhook, and what waits for it.
#[derive(Debug)]
struct Place {
    webhook: Webhook,
    outbox: Outbox,
}

struct Watch {
    start: Start,
    lookout: Lookout,
    places: Vec<Place>,
    idents: Idents,
    began: Instant,
    client: Option<Client>,
    under_way: JoinSet<(url::Url, Reply)>,
}

impl Watch {
    fn new(start: Start) -> Watch {
        Watch {
            start,
            lookout: Lookout::default(),
            places: Vec::new(),
            idents: Idents::new(fastrand::u64(..)),
            began: Instant::now(),
            client: None,
            under_way: JoinSet::new(),
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Looks at what is published, and puts what is to be told into the outboxes.
    fn look(&mut self) {
        let rules = Arc::clone(&self.start.rules.borrow());
        self.follow(&rules.webhooks);
        if self.places.is_empty() {
            self.lookout = Lookout::default();
            return;
        }
        let failing = self.start.metrics.storage_is_failing();
        let Some(figures) = Figures::of(&self.start.published.load(), failing) else {
            return;
        };
        for change in self.lookout.look(&figures, &rules, self.now_ms()) {
            self.tell(&change);
        }
    }

    /// The webhooks of the configuration in force; what waits for one that stays is kept.
    fn follow(&mut self, webhooks: &[Webhook]) {
        let same = self.places.iter().map(|place| &place.webhook).eq(webhooks);
        if same {
            return;
        }
        let mut old = std::mem::take(&mut self.places);
        let place = |webhook: &Webhook| {
            let kept = old.iter_mut().find(|old| old.webhook.url == webhook.url);
            Place {
                webhook: webhook.clone(),
                outbox: kept
                    .map(|old| std::mem::take(&mut old.outbox))
                    .unwrap_or_default(),
            }
        };
        self.places = webhooks.iter().map(place).collect();
    }

    fn tell(&mut self, change: &Change) {
        let id = self.idents.next();
        let (event, subject) = (change.alarm.label(), &*change.subject);
        match change.turn {
            Turn::Firing => tracing::warn!(id = id.as_str(), event, subject, "an alert fires"),
            Turn::Resolved => tracing::info!(id = id.as_str(), event, subject, "an alert is over"),
        }
        let body = notice::body(change, id.as_str(), &self.start.node, SystemTime::now());
        let now_ms = self.now_ms();
        for place in &mut self.places {
            if !place.webhook.wanted.has(change.alarm, change.turn) {
                continue;
            }
            let lost = place.outbox.push(change.alarm, Arc::clone(&body), now_ms);
            if lost.is_some() {
                self.start.metrics.webhook_failed();
                let waiting = place.outbox.waiting();
                let webhook = place.webhook.shown();
                tracing::warn!(
                    webhook,
                    waiting,
                    "too many notices wait: the oldest is given up"
                );
            }
        }
    }

    /// Sends what is due, at most one notice to each webhook at a time.
    fn send(&mut self) {
        let now_ms = self.now_ms();
        for place in &mut self.places {
            let Some(letter) = place.outbox.take(now_ms) else {
                continue;
            };
            let client = match &self.client {
                Some(client) => client.clone(),
                None => match courier::client() {
                    Ok(client) => self.client.insert(client).clone(),
                    Err(error) => {
                        let reply = Reply::Failed(error.to_string());
                        place.outbox.ended(&reply, now_ms);
                        continue;
                    }
                },
            };
            let webhook = place.webhook.clone();
            let url = webhook.url.clone();
            let sent = tokio::spawn(async move {
                let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let seconds = since.map_or(0, |since| since.as_secs());
                courier::send(&client, &webhook, &letter.body, seconds).await
            });
            // After a panic too the notice has its next turn: one that is out for ever holds up the rest.
            self.under_way
                .spawn(async move { (url, sent.await.unwrap_or_else(|_| fell())) });
        }
    }

    /// An attempt has ended. One to a webhook that is no longer configured counts for nothing.
    fn settle(&mut self, url: &url::Url, reply: &Reply) {
        let now_ms = self.now_ms();
        let Some(place) = self
            .places
            .iter_mut()
            .find(|place| place.webhook.url == *url)
        else {
            return;
        };
        let failures = place.outbox.failures();
        let webhook = place.webhook.shown();
        let fate = place.outbox.ended(reply, now_ms);
        let why = match reply {
            Reply::Taken => "",
            Reply::Refused(why) | Reply::Failed(why) => why,
        };
        match fate {
            Fate::Sent(alarm) => {
                self.start.metrics.webhook_sent(alarm.label());
                if failures > 0 {
                    tracing::info!(webhook, failures, "a webhook takes notices again");
                }
            }
            Fate::GivenUp(alarm) => {
                self.start.metrics.webhook_failed();
                let event = alarm.label();
                tracing::warn!(webhook, event, why, "a notice is given up");
            }
            Fate::Waits if failures == 0 => {
                tracing::warn!(
                    webhook,
                    why,
                    "a webhook does not take a notice; it is tried again"
                );
            }
            Fate::Waits => {}
        }
    }
}
