use super::*;
use crate::config::Config;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

/// A configuration whose readings last until they are let go, and are counted.
struct Slow {
    go: Mutex<Receiver<()>>,
    readings: Mutex<usize>,
}

impl Reload for Slow {
    fn read(&self) -> Result<Plan, String> {
        *self.readings.lock().unwrap() += 1;
        // An error: the test has ended.
        let _ = self.go.lock().unwrap().recv();
        Ok(Plan {
            config: Arc::new(Config::embedded()),
            fetch: Arc::new(|_, _| Box::pin(async {})),
        })
    }
    fn accepted(&self, _: &Plan) -> Vec<&'static str> {
        Vec::new()
    }
    fn applied(&self, _: u64, _: &Plan) {}
    fn refused(&self, _: &str) {}
}

fn slow() -> (Arc<Slow>, Sender<()>) {
    let (go, gone) = channel();
    let slow = Slow {
        go: Mutex::new(gone),
        readings: Mutex::new(0),
    };
    (Arc::new(slow), go)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
}

fn asked(readings: &mut Readings) {
    let (reply, _) = oneshot::channel();
    readings.ask(ReloadRequest { reply: Some(reply) });
}

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// Sooner than what is never let go.
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn those_who_ask_while_it_is_read_share_the_next_reading() {
    let (slow, go) = slow();
    let mut readings = Readings::new(slow.clone(), None, LONG);
    runtime().block_on(async {
        asked(&mut readings);
        // Begins the first, which is not let go.
        assert!(tokio::time::timeout(SHORT, readings.next()).await.is_err());
        for _ in 0..100 {
            asked(&mut readings);
        }
        go.send(()).unwrap();
        go.send(()).unwrap();
        let first = readings.next().await;
        assert!(first.outcome.is_ok() && first.asked.len() == 1);
        let second = readings.next().await;
        assert!(second.outcome.is_ok() && second.asked.len() == 100);
        assert_eq!(*slow.readings.lock().unwrap(), 2);
    });
}

#[test]
fn a_reading_that_hangs_is_given_up_and_repeated_once_it_ends() {
    let (slow, go) = slow();
    let mut readings = Readings::new(slow.clone(), None, SHORT);
    let said = |reading: Reading| reading.outcome.map(drop).unwrap_err();
    runtime().block_on(async {
        asked(&mut readings);
        let words = said(readings.next().await);
        assert!(
            words.contains("cannot be read: it took longer than"),
            "{words}"
        );
        // Nobody waits for the one that hangs, and no other thread begins to.
        for _ in 0..100 {
            asked(&mut readings);
            assert_eq!(said(readings.next().await), words);
        }
        assert_eq!(*slow.readings.lock().unwrap(), 1);
        readings.within = LONG;
        go.send(()).unwrap();
        go.send(()).unwrap();
        let late = readings.next().await;
        assert!(late.outcome.is_ok() && late.asked.is_empty());
        assert_eq!(*slow.readings.lock().unwrap(), 2);
    });
}

#[test]
fn a_reading_that_panics_is_refused_and_the_next_one_begins() {
    struct Falls;
    impl Reload for Falls {
        fn read(&self) -> Result<Plan, String> {
            panic!("as it never should")
        }
        fn accepted(&self, _: &Plan) -> Vec<&'static str> {
            Vec::new()
        }
        fn applied(&self, _: u64, _: &Plan) {}
        fn refused(&self, _: &str) {}
    }
    let mut readings = Readings::new(Arc::new(Falls), None, LONG);
    runtime().block_on(async {
        for _ in 0..2 {
            asked(&mut readings);
            let reading = readings.next().await;
            let why = reading.outcome.map(drop).unwrap_err();
            assert!(why.contains("which is a bug"), "{why}");
        }
    });
}
