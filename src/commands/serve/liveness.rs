//! Whether every part of the service still does what it is told: each is asked, and only an answer
//! from its own loop counts.

use crate::coordinator::Event;
use crossbeam_channel::Sender;
use proxy_shards::{Beat, Pulse, Sign};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// A part that has not answered for so long is complained of.
const PATIENCE: Duration = Duration::from_secs(5);

/// A thread that must answer.
struct Part {
    name: Box<str>,
    sign: Sign,
    ask: Box<dyn Fn(Beat) + Send>,
}

/// Asks all parts at once, and not again before all have answered.
pub(super) struct Liveness {
    parts: Vec<Part>,
    number: u64,
    asked: Option<Instant>,
    complained: bool,
}

impl Liveness {
    /// The shards, the coordinator and the API.
    pub(super) fn of(pulse: &Pulse, coordinator: &Sender<Event>, api: &Handle) -> Liveness {
        let (events, api) = (coordinator.clone(), api.clone());
        let mut parts = vec![
            Part::new("coordinator", move |beat| {
                drop(events.send(Event::Beat(beat)));
            }),
            Part::new("api", move |beat| drop(api.spawn(async { beat.answer() }))),
        ];
        for shard in 0..pulse.shards() {
            let pulse = pulse.clone();
            let ask = move |beat| pulse.ask(shard, beat);
            parts.push(Part::new(&format!("shard-{shard}"), ask));
        }
        Liveness::new(parts)
    }

    fn new(parts: Vec<Part>) -> Liveness {
        Liveness {
            parts,
            number: 0,
            asked: None,
            complained: false,
        }
    }

    /// Whether all have answered since the last time that they had; then all are asked again. Says so
    /// once if some do not answer.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        let silent = self.silent();
        if silent.is_empty() {
            let answered = self.asked.is_some();
            if std::mem::take(&mut self.complained) {
                tracing::warn!("every part of the service answers again");
            }
            self.ask(now);
            return answered;
        }
        let since = self.asked.unwrap_or(now);
        let late = now.saturating_duration_since(since) >= PATIENCE;
        if late && !self.complained {
            let parts = silent.join(", ");
            tracing::error!(
                parts,
                "no sign of life for 5 s; systemd's watchdog is not fed"
            );
        }
        self.complained |= late;
        false
    }

    /// The parts that owe an answer.
    fn silent(&self) -> Vec<&str> {
        let owes = |part: &&Part| part.sign.last() < self.number;
        self.parts
            .iter()
            .filter(owes)
            .map(|part| &*part.name)
            .collect()
    }

    fn ask(&mut self, now: Instant) {
        self.number += 1;
        self.asked = Some(now);
        for part in &self.parts {
            (part.ask)(part.sign.beat(self.number));
        }
    }
}

impl Part {
    fn new(name: &str, ask: impl Fn(Beat) + Send + 'static) -> Part {
        Part {
            name: name.into(),
            sign: Sign::default(),
            ask: Box::new(ask),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crossbeam_channel::{Receiver, unbounded};
    use proxy_shards::{Engine, EngineOptions, Tuning};
    use std::num::NonZeroUsize;
    use std::thread;

    fn part(name: &str) -> (Part, Receiver<Beat>) {
        let (sender, beats) = unbounded();
        let ask = move |beat| sender.send(beat).expect("the test listens");
        (Part::new(name, ask), beats)
    }

    #[test]
    fn one_silent_part_is_enough_until_it_answers_again() {
        let ((one, its), (other, others)) = (part("one"), part("other"));
        let mut liveness = Liveness::new(vec![one, other]);
        let now = Instant::now();
        assert!(!liveness.look(now), "nobody was asked before");
        its.recv().unwrap().answer();
        assert!(!liveness.look(now));
        assert_eq!(liveness.silent(), ["other"]);
        others.recv().unwrap().answer();
        assert!(liveness.look(now));
        assert!(!liveness.look(now + PATIENCE), "asked anew, and late");
        assert!(liveness.complained);
        its.recv().unwrap().answer();
        others.recv().unwrap().answer();
        assert!(liveness.look(now + PATIENCE));
        assert!(!liveness.complained);
    }

    #[test]
    fn nobody_is_asked_twice_before_all_have_answered() {
        let (one, its) = part("one");
        let mut liveness = Liveness::new(vec![one]);
        for _ in 0..5 {
            liveness.look(Instant::now());
        }
        assert_eq!(its.len(), 1, "mail of a hung thread would grow without end");
    }

    /// Looks until all have answered once more; how often that took a hundredth of a second.
    fn wait(liveness: &mut Liveness) -> u32 {
        let answered = |_: &u32| {
            thread::sleep(Duration::from_millis(10));
            liveness.look(Instant::now())
        };
        (0..3_000).find(answered).expect("an answer")
    }

    #[test]
    fn a_hung_shard_is_noticed_and_so_is_its_return() {
        let options = EngineOptions {
            shards: NonZeroUsize::new(2),
            lanes: NonZeroUsize::MIN,
            tuning: Tuning::default(),
        };
        let engine = Engine::start(options, Config::embedded().checker.policy).unwrap();
        let (events, told) = unbounded();
        let coordinator = thread::spawn(move || {
            for event in told {
                match event {
                    Event::Beat(beat) => beat.answer(),
                    _ => return,
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let api = runtime.handle().clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = thread::spawn(move || runtime.block_on(stopped));
        let mut liveness = Liveness::of(&engine.pulse(), &events, &api);
        liveness.look(Instant::now());
        wait(&mut liveness);
        engine.stall(1, Duration::from_millis(400));
        // It may have answered the last question before it stalled.
        wait(&mut liveness);
        thread::sleep(Duration::from_millis(50));
        assert!(!liveness.look(Instant::now()));
        assert_eq!(liveness.silent(), ["shard-1"]);
        wait(&mut liveness);
        events.send(Event::Stop).unwrap();
        coordinator.join().unwrap();
        stop.send(()).unwrap();
        serving.join().unwrap().unwrap();
    }
}
