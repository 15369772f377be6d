//! The models: each a few threads, and what must hold in every order.

use crate::beat::Sign;
use crate::executor;
use crate::net::bell::{Bell, Rope};
use crate::net::driver;
use crate::net::ring::{RingOptions, Shared};
use crate::slots::Slots;
use loom::sync::Mutex;
use loom::thread;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Threads that are stopped in the middle of what they do at most so often: all that is known to break
/// such protocols does so within two.
const PREEMPTIONS_MAX: usize = 3;

/// Runs every model, and says so.
pub(crate) fn check_all() {
    let models: [(&str, fn()); 6] = [
        (
            "mail that is sent is read, however the rope is pulled",
            mail_is_read,
        ),
        ("a ring between two sleeps is not forgotten", a_ring_is_kept),
        ("a completion is never slept over", a_completion_is_seen),
        (
            "nor where completions are let gather",
            a_completion_is_seen_after_a_nap,
        ),
        (
            "a sign of life is one of what was done before it",
            a_sign_says_what_it_says,
        ),
        (
            "slots that change while they are given back are counted",
            slots_are_counted,
        ),
    ];
    for (name, model) in models {
        let mut builder = loom::model::Builder::new();
        builder.preemption_bound = Some(PREEMPTIONS_MAX);
        builder.check(model);
        println!("ok: {name}");
    }
}

/// Two threads write to a shard, which sleeps between its mails.
fn mail_is_read() {
    let (mail, rope) = (Arc::new(Mutex::new(Vec::new())), Rope::new().unwrap());
    let writers = [1, 2].map(|number| {
        let (mail, rope) = (mail.clone(), rope.clone());
        thread::spawn(move || {
            mail.lock().unwrap().push(number);
            rope.pull();
        })
    });
    executor::run(async move {
        let bell = Bell::hang(&rope).unwrap();
        let mut read = 0;
        loop {
            read += mail.lock().unwrap().drain(..).count();
            if read == 2 {
                break;
            }
            bell.sleep().await;
        }
        bell.silence(&rope);
    });
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
}

/// A shard gives its sleep up, because its time is over, and sleeps anew.
fn a_ring_is_kept() {
    let (mail, rope) = (Arc::new(Mutex::new(false)), Rope::new().unwrap());
    let writer = {
        let (mail, rope) = (mail.clone(), rope.clone());
        thread::spawn(move || {
            *mail.lock().unwrap() = true;
            rope.pull();
        })
    };
    executor::run(async move {
        let bell = Bell::hang(&rope).unwrap();
        while !*mail.lock().unwrap() {
            futures_lite::future::or(bell.sleep(), futures_lite::future::yield_now()).await;
            if *mail.lock().unwrap() {
                break;
            }
            // Here it may ring while nobody sleeps.
            futures_lite::future::yield_now().await;
            bell.sleep().await;
        }
        bell.silence(&rope);
    });
    writer.join().unwrap();
}

fn a_completion_is_seen() {
    completions(false);
}

fn a_completion_is_seen_after_a_nap() {
    completions(true);
}

/// The kernel completes two operations, one after the other; the driver sleeps when it sees nothing.
fn completions(naps: bool) {
    const OPERATIONS: u32 = 2;
    let shared = Shared::new();
    let kernel = {
        let shared = shared.clone();
        thread::spawn(move || (0..OPERATIONS).for_each(|number| shared.post(number)))
    };
    executor::run(async move {
        let in_kernel = OPERATIONS as usize;
        let options = RingOptions {
            shared,
            in_kernel,
            naps,
        };
        let ring = driver::start(options).unwrap();
        poll_fn(|cx| {
            ring.wait(cx.waker());
            match ring.in_kernel() {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    });
    kernel.join().unwrap();
}

/// Two threads are asked; whoever sees their answers sees what they did before.
fn a_sign_says_what_it_says() {
    let (sign, done) = (Sign::default(), Arc::new(loom::cell::UnsafeCell::new(0)));
    let asked = sign.beat(2);
    let earlier = sign.beat(1);
    let last = {
        let done = done.clone();
        thread::spawn(move || {
            // SAFETY: nobody reads before the answer; loom holds us to that.
            done.with_mut(|done| unsafe { *done = 7 });
            asked.answer();
        })
    };
    let first = thread::spawn(move || earlier.answer());
    let seen = sign.last();
    if seen == 2 {
        // SAFETY: the answer came after the write.
        assert_eq!(done.with(|done| unsafe { *done }), 7);
    }
    assert!(sign.last() >= seen, "it never falls");
    first.join().unwrap();
    last.join().unwrap();
    assert_eq!(sign.last(), 2);
}

/// A slot that is there at once.
fn taken(slots: &Slots) -> Option<crate::sync::OwnedSemaphorePermit> {
    let mut nobody = Context::from_waker(Waker::noop());
    match pin!(slots.take()).poll(&mut nobody) {
        Poll::Ready(slot) => slot,
        Poll::Pending => None,
    }
}

/// Connections end while their number is made smaller and larger again.
fn slots_are_counted() {
    let slots = Slots::new(2);
    let held = [taken(&slots).unwrap(), taken(&slots).unwrap()];
    let ends = held.map(|slot| thread::spawn(move || drop(slot)));
    slots.resize(1);
    slots.resize(3);
    slots.resize(1);
    ends.into_iter().for_each(|end| end.join().unwrap());
    slots.resize(1);
    let one = taken(&slots);
    assert!(one.is_some() && taken(&slots).is_none());
    slots.resize(2);
    assert!(taken(&slots).is_some());
}
