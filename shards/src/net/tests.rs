//! The ring against peers that close, reset, or say nothing, at every step of a chain.

mod peers;
mod tuned;

use super::driver::start;
use super::failure::Failure;
use super::ring::{Ring, RingOptions};
use super::socket::Socket;
use crate::Tuning;
use futures_lite::future::{poll_once, yield_now};
use glommio::{LocalExecutorBuilder, Placement};
use peers::{Peer, black_hole, silent};
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(60);
const LATE: Duration = Duration::from_secs(20);
/// A deadline fires within this of its time, on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

/// Runs `test` on an executor with a ring of `slots` and `buffers`; fails if it hangs, and if
/// anything is left in the kernel at its end.
fn on_ring<F, Fut>(slots: u32, buffers: u16, test: F)
where
    F: FnOnce(Rc<Ring>) -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    let tuning = Tuning {
        buffers,
        ..Tuning::default()
    };
    on_tuned_ring(slots, tuning, test);
}

/// The same with other knobs.
fn on_tuned_ring<F, Fut>(slots: u32, tuning: Tuning, test: F)
where
    F: FnOnce(Rc<Ring>) -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    let (done, watchdog) = mpsc::channel();
    let executor = move || {
        let executor = LocalExecutorBuilder::new(Placement::Unbound)
            .ring_depth(128)
            .io_memory(0)
            .make()
            .unwrap();
        executor.run(async move {
            let options = RingOptions {
                slots,
                expected: slots,
                tuning,
            };
            let ring = start(options).unwrap();
            test(ring.clone()).await;
            let patience = Instant::now() + LATE;
            while ring.in_kernel() > 0 {
                assert!(
                    Instant::now() < patience,
                    "{} operations never came back",
                    ring.in_kernel()
                );
                glommio::timer::sleep(Duration::from_millis(5)).await;
            }
        });
        let _ = done.send(());
    };
    let thread = thread::spawn(executor);
    match watchdog.recv_timeout(Duration::from_secs(100)) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the ring hangs: a wake-up was lost"),
        _ => thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

fn after(pause: Duration) -> Instant {
    Instant::now() + pause
}

fn ping() -> Rc<[u8]> {
    Rc::from(&b"ping"[..])
}

/// Connects and asks, then receives until the end: what came, or why not.
async fn talk(socket: &mut Socket, at: SocketAddr, deadline: Instant) -> Result<Vec<u8>, Failure> {
    socket.connect(at, deadline).await?;
    let mut got = socket.ask(ping()).await?.to_vec();
    loop {
        let before = got.len();
        got.extend_from_slice(&socket.recv().await?);
        if got.len() == before {
            return Ok(got);
        }
    }
}

#[test]
fn a_peer_is_asked_over_ipv4_and_over_ipv6() {
    for at in ["127.0.0.1:0", "[::1]:0"] {
        let (at, _) = Peer::Answers.start(at);
        on_ring(1, 16, async move |ring| {
            let mut socket = Socket::new(&ring).unwrap();
            assert_eq!(
                talk(&mut socket, at, after(LATE)).await.as_deref(),
                Ok(&b"pong"[..])
            );
        });
    }
}

#[test]
fn a_closed_port_refuses() {
    let at = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    on_ring(1, 16, async move |ring| {
        let mut socket = Socket::new(&ring).unwrap();
        assert_eq!(
            socket.connect(at, after(LATE)).await,
            Err(Failure::Os(libc::ECONNREFUSED))
        );
        assert_eq!(
            socket.knock(at, after(LATE)).await,
            Err(Failure::Os(libc::ECONNREFUSED))
        );
    });
}

#[test]
fn a_peer_may_close_or_reset_at_every_step() {
    type Heard = Result<&'static [u8], Failure>;
    const RESET: Heard = Err(Failure::Os(libc::ECONNRESET));
    const BROKEN: Heard = Err(Failure::Os(libc::EPIPE));
    // A close with unread bytes is a reset, so the peer that closes at once may be either.
    let cases: [(Peer, &'static [Heard]); 5] = [
        (Peer::ClosesAtOnce, &[Ok(b""), RESET, BROKEN]),
        (Peer::ClosesAfterRequest, &[Ok(b"")]),
        (Peer::ClosesInAnswer, &[Ok(b"po")]),
        (Peer::ResetsAtOnce, &[RESET, BROKEN]),
        (Peer::ResetsAfterRequest, &[RESET]),
    ];
    for (peer, allowed) in cases {
        let (at, _) = peer.start("127.0.0.1:0");
        on_ring(1, 16, async move |ring| {
            let mut socket = Socket::new(&ring).unwrap();
            for _ in 0..50 {
                let got = talk(&mut socket, at, after(LATE)).await;
                assert!(
                    allowed.contains(&got.as_deref().map_err(|e| *e)),
                    "{peer:?}: {got:?}"
                );
            }
        });
    }
}

#[test]
fn a_deadline_ends_every_step_and_the_slot_goes_on() {
    let (hole, _listener, _fill) = black_hole();
    let (mute, _listeners) = silent(1);
    let (half, _) = Peer::AnswersThenNothing.start("127.0.0.1:0");
    let (good, _) = Peer::Answers.start("127.0.0.1:0");
    on_ring(1, 16, async move |ring| {
        let mut socket = Socket::new(&ring).unwrap();
        for _ in 0..3 {
            let started = Instant::now();
            assert_eq!(
                socket.connect(hole, started + SOON).await,
                Err(Failure::Expired)
            );
            assert_eq!(socket.knock(hole, after(SOON)).await, Err(Failure::Expired));
            assert_eq!(
                talk(&mut socket, mute, after(SOON)).await,
                Err(Failure::Expired)
            );
            assert_eq!(
                talk(&mut socket, half, after(SOON)).await,
                Err(Failure::Expired)
            );
            assert!(
                started.elapsed() >= 4 * SOON && started.elapsed() < 4 * SOON + 4 * SLACK,
                "{:?}",
                started.elapsed()
            );
            assert_eq!(
                talk(&mut socket, good, after(LATE)).await.as_deref(),
                Ok(&b"pong"[..])
            );
        }
    });
}

#[test]
fn a_deadline_that_has_passed_ends_the_next_step() {
    let (mute, _listeners) = silent(1);
    on_ring(1, 16, async move |ring| {
        let mut socket = Socket::new(&ring).unwrap();
        socket.connect(mute, after(LATE)).await.unwrap();
        socket.set_deadline(Instant::now());
        assert_eq!(
            socket.ask(ping()).await.map(|chunk| chunk.len()),
            Err(Failure::Expired)
        );
        assert_eq!(
            socket.recv().await.map(|chunk| chunk.len()),
            Err(Failure::Expired)
        );
    });
}

#[test]
fn a_deadline_may_move_closer_for_the_next_connection() {
    let (mute, _listeners) = silent(1);
    on_ring(1, 16, async move |ring| {
        let mut socket = Socket::new(&ring).unwrap();
        socket.connect(mute, after(LATE)).await.unwrap();
        let started = Instant::now();
        assert_eq!(
            talk(&mut socket, mute, started + SOON).await,
            Err(Failure::Expired)
        );
        assert!(started.elapsed() < SOON + SLACK, "{:?}", started.elapsed());
    });
}

#[test]
fn knocking_leaves_with_a_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    on_ring(1, 16, async move |ring| {
        Socket::new(&ring)
            .unwrap()
            .knock(at, after(LATE))
            .await
            .unwrap();
    });
    let (mut stream, _) = listener.accept().unwrap();
    assert_eq!(
        stream.read(&mut [0]).unwrap_err().kind(),
        std::io::ErrorKind::ConnectionReset
    );
}

#[test]
fn a_dropped_future_leaves_nothing_behind_at_any_step() {
    let (good, _) = Peer::Answers.start("127.0.0.1:0");
    let (half, _) = Peer::AnswersThenNothing.start("127.0.0.1:0");
    let (mute, _listeners) = silent(1);
    on_ring(2, 16, async move |ring| {
        let mut socket = Socket::new(&ring).unwrap();
        for round in 0..300u32 {
            poll_once(Box::pin(socket.connect(mute, after(LATE)))).await;
            poll_once(Box::pin(socket.knock(mute, after(LATE)))).await;
            socket.connect(mute, after(LATE)).await.unwrap();
            let asking = poll_once(Box::pin(async {
                socket.ask(ping()).await.map(|chunk| chunk.len())
            }))
            .await;
            assert_eq!(asking, None);
            if round % 50 == 0 {
                socket.connect(half, after(LATE)).await.unwrap();
                assert_eq!(&*socket.ask(ping()).await.unwrap(), b"pong");
                poll_once(Box::pin(async {
                    socket.recv().await.map(|chunk| chunk.len())
                }))
                .await;
            }
            // A socket given up with an orphan passes it to the next one in its slot.
            if round % 10 == 0 {
                socket = Socket::new(&ring).unwrap();
            }
            assert_eq!(
                talk(&mut socket, good, after(LATE)).await.as_deref(),
                Ok(&b"pong"[..]),
                "round {round}"
            );
        }
    });
}

#[test]
fn few_buffers_are_enough_for_many_answers() {
    let (at, _) = Peer::Answers.start("127.0.0.1:0");
    on_ring(100, 4, async move |ring| {
        let (mut sockets, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            let mut socket = Socket::new(&ring).unwrap();
            socket.connect(at, after(LATE)).await.unwrap();
            sockets.push(socket);
        }
        for mut socket in sockets {
            asked.push(glommio::spawn_local(async move {
                socket.ask(ping()).await.map(|chunk| chunk.to_vec())
            }));
        }
        for answer in asked {
            assert_eq!(answer.await.as_deref(), Ok(&b"pong"[..]));
        }
    });
}

#[test]
fn a_receive_without_a_buffer_waits_for_one() {
    let (at, _) = Peer::AnswersThenNothing.start("127.0.0.1:0");
    let (other, _) = Peer::AnswersThenNothing.start("127.0.0.1:0");
    on_ring(2, 1, async move |ring| {
        let (mut first, mut second) = (Socket::new(&ring).unwrap(), Socket::new(&ring).unwrap());
        first.connect(at, after(LATE)).await.unwrap();
        second.connect(other, after(LATE)).await.unwrap();
        let held = first.ask(ping()).await.unwrap();
        let waits =
            glommio::spawn_local(
                async move { second.ask(ping()).await.map(|chunk| chunk.to_vec()) },
            );
        while ring.dry() == 0 {
            glommio::timer::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(&*held, b"pong");
        drop(held);
        assert_eq!(waits.await.as_deref(), Ok(&b"pong"[..]));
    });
}

#[test]
fn a_deadline_that_passes_for_want_of_a_buffer_is_trouble_of_ours() {
    let (at, _) = Peer::AnswersThenNothing.start("127.0.0.1:0");
    let (other, _) = Peer::AnswersThenNothing.start("127.0.0.1:0");
    on_ring(2, 1, async move |ring| {
        let (mut first, mut second) = (Socket::new(&ring).unwrap(), Socket::new(&ring).unwrap());
        first.connect(at, after(LATE)).await.unwrap();
        second.connect(other, after(LATE)).await.unwrap();
        let held = first.ask(ping()).await.unwrap();
        second.set_deadline(after(SOON));
        let failure = second.ask(ping()).await.map(|chunk| chunk.to_vec());
        assert_eq!(failure, Err(Failure::Os(libc::ENOBUFS)));
        drop(held);
        second.set_deadline(after(LATE));
        assert_eq!(second.recv().await.as_deref(), Ok(&b"pong"[..]));
        // One that is silent while there is room is silent.
        second.set_deadline(after(SOON));
        assert_eq!(second.recv().await.map(|_| ()), Err(Failure::Expired));
    });
}

#[test]
fn more_chains_than_the_submission_queue_holds_are_all_submitted() {
    let (mute, _listeners) = silent(2);
    on_ring(4_000, 16, async move |ring| {
        let mut tasks = Vec::new();
        for _ in 0..4_000 {
            let mut socket = Socket::new(&ring).unwrap();
            tasks.push(glommio::spawn_local(async move {
                socket.connect(mute, after(LATE)).await.map(|()| socket)
            }));
        }
        let mut sockets = Vec::new();
        for task in tasks {
            sockets.push(task.await.unwrap());
        }
        assert!(
            Socket::new(&ring).is_none(),
            "there are no more slots than asked for"
        );
    });
}

#[test]
fn ten_thousand_deadlines_fall_together() {
    let (mute, _listeners) = silent(5);
    on_ring(10_000, 64, async move |ring| {
        let deadline = after(Duration::from_secs(4));
        let mut tasks = Vec::new();
        for _ in 0..10_000 {
            let mut socket = Socket::new(&ring).unwrap();
            tasks.push(glommio::spawn_local(async move {
                (talk(&mut socket, mute, deadline).await, Instant::now())
            }));
        }
        for task in tasks {
            let (result, at) = task.await;
            assert_eq!(result, Err(Failure::Expired));
            assert!(
                at >= deadline && at < deadline + 2 * SLACK,
                "late by {:?}",
                at - deadline
            );
        }
    });
}

#[test]
fn stopping_ends_what_is_under_way_and_what_comes() {
    let (mute, _listeners) = silent(1);
    on_ring(100, 16, async move |ring| {
        let mut tasks = Vec::new();
        for _ in 0..100 {
            let mut socket = Socket::new(&ring).unwrap();
            tasks.push(glommio::spawn_local(async move {
                let first = talk(&mut socket, mute, after(LATE)).await;
                (first, talk(&mut socket, mute, after(LATE)).await)
            }));
        }
        while ring.completions() < 100 {
            yield_now().await;
        }
        ring.cancel_all();
        for task in tasks {
            assert_eq!(
                task.await,
                (Err(Failure::Cancelled), Err(Failure::Cancelled))
            );
        }
    });
}

#[test]
fn a_hundred_thousand_probes_over_few_slots_are_all_accounted_for() {
    const PROBES: u64 = 100_000;
    let seed = fastrand::u64(..);
    let (good, served) = Peer::Answers.start("127.0.0.1:0");
    let refuses = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (mute, _listeners) = silent(1);
    on_ring(64, 16, async move |ring| {
        let begun = Rc::new(std::cell::Cell::new(0u64));
        let mut lanes = Vec::new();
        for lane in 0..64u64 {
            let (ring, begun) = (ring.clone(), begun.clone());
            lanes.push(glommio::spawn_local(async move {
                let mut random = fastrand::Rng::with_seed(seed ^ lane);
                let mut socket = Socket::new(&ring).unwrap();
                let (mut answered, mut dropped) = (0usize, 0usize);
                while begun.get() < PROBES {
                    begun.set(begun.get() + 1);
                    match random.u8(..) {
                        0..100 => {
                            assert_eq!(
                                talk(&mut socket, good, after(LATE)).await.as_deref(),
                                Ok(&b"pong"[..])
                            );
                            answered += 1;
                        }
                        100..200 => {
                            let refused = socket.connect(refuses, after(LATE)).await;
                            assert_eq!(refused, Err(Failure::Os(libc::ECONNREFUSED)));
                        }
                        200..255 => {
                            poll_once(Box::pin(talk(&mut socket, good, after(LATE)))).await;
                            dropped += 1;
                        }
                        255 => {
                            let end =
                                talk(&mut socket, mute, after(Duration::from_millis(2))).await;
                            // All 16 buffers may be taken for as long as that.
                            let wanted = [Failure::Expired, Failure::Os(libc::ENOBUFS)];
                            assert!(end.is_err_and(|failure| wanted.contains(&failure)));
                        }
                    }
                }
                (answered, dropped)
            }));
        }
        let (mut answered, mut dropped) = (0, 0);
        for lane in lanes {
            let (a, d) = lane.await;
            (answered, dropped) = (answered + a, dropped + d);
        }
        assert!(
            answered > 30_000 && dropped > 15_000,
            "seed {seed}: {answered} answered, {dropped} dropped"
        );
        assert!(
            served.load(Ordering::Relaxed) >= answered,
            "seed {seed}: an answer came from nowhere"
        );
    });
}

#[test]
fn more_slots_than_the_kernel_grants_is_an_error_and_not_a_panic() {
    on_ring(1, 16, async |_| {
        let options = RingOptions {
            slots: 3_000_000,
            expected: 1,
            tuning: Tuning {
                buffers: 16,
                ..Tuning::default()
            },
        };
        assert!(
            start(options)
                .is_err_and(|e| matches!(e.raw_os_error(), Some(libc::EMFILE | libc::EINVAL)))
        );
    });
}

#[test]
fn a_deadline_within_a_send_is_no_answer() {
    let (mute, _listeners) = silent(1);
    on_ring(1, 16, async move |ring| {
        let mut socket = Socket::new(&ring).unwrap();
        socket.connect(mute, after(SOON)).await.unwrap();
        let more_than_buffers_hold = Rc::from(vec![0; 32 << 20]);
        let asked = socket.ask(more_than_buffers_hold).await;
        assert_eq!(asked.map(|chunk| chunk.to_vec()), Err(Failure::Expired));
    });
}

#[test]
fn a_connection_lost_within_a_send_is_no_answer() {
    let (at, _) = Peer::ResetsAfterRequest.start("127.0.0.1:0");
    on_ring(1, 16, async move |ring| {
        let mut socket = Socket::new(&ring).unwrap();
        socket.connect(at, after(LATE)).await.unwrap();
        let asked = socket.ask(Rc::from(vec![0; 32 << 20])).await;
        assert_eq!(
            asked.map(|chunk| chunk.to_vec()),
            Err(Failure::Os(libc::ECONNRESET))
        );
    });
}
