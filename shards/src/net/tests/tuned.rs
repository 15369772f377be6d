//! The ring with other knobs than its own: none may lose a wake-up or an operation.

use super::*;
use crate::TaskRun;
use std::cell::Cell;

/// Probes of a lane alone, which sleeps in every one of them.
const ALONE: usize = 200;
/// Probes of many lanes together.
const TOGETHER: usize = 3_000;

/// Small enough that every knob has its say: queues that are full, buffers that run out, naps.
fn cramped(task_run: TaskRun) -> Tuning {
    Tuning {
        submissions: 8,
        completions_min: 8,
        completions_max: 16,
        buffers: 4,
        nap_crowd: 4,
        nap_few: 4,
        task_run,
        ..Tuning::default()
    }
}

#[test]
fn no_way_of_running_the_kernels_work_loses_a_wake_up() {
    for task_run in TaskRun::ALL {
        let (good, served) = Peer::Answers.start("127.0.0.1:0");
        on_tuned_ring(64, cramped(task_run), async move |ring| {
            let mut socket = Socket::new(&ring).unwrap();
            for _ in 0..ALONE {
                let answer = talk(&mut socket, good, after(LATE)).await;
                assert_eq!(answer.as_deref(), Ok(&b"pong"[..]), "{task_run:?}");
            }
            drop(socket);
            let begun = Rc::new(Cell::new(0));
            let lanes: Vec<_> = (0..64)
                .map(|_| {
                    let (ring, begun) = (ring.clone(), begun.clone());
                    glommio::spawn_local(async move {
                        let mut socket = Socket::new(&ring).unwrap();
                        while begun.get() < TOGETHER {
                            begun.set(begun.get() + 1);
                            let answer = talk(&mut socket, good, after(LATE)).await;
                            assert_eq!(answer.as_deref(), Ok(&b"pong"[..]), "{task_run:?}");
                        }
                    })
                })
                .collect();
            for lane in lanes {
                lane.await;
            }
        });
        assert_eq!(served.load(Ordering::Relaxed), ALONE + TOGETHER);
    }
}

#[test]
fn sizes_that_the_kernel_does_not_take_are_an_error_and_not_a_panic() {
    let wrong = |change: fn(&mut Tuning)| {
        let mut tuning = Tuning::default();
        change(&mut tuning);
        tuning
    };
    on_ring(1, 16, async move |_| {
        for tuning in [
            wrong(|tuning| tuning.buffers = 3),
            wrong(|tuning| tuning.buffers = 0),
            wrong(|tuning| tuning.submissions = 1 << 17),
            wrong(|tuning| (tuning.completions_min, tuning.completions_max) = (1 << 20, 1 << 20)),
        ] {
            let options = RingOptions::for_lanes(1, 1, tuning);
            let error = start(options).err().and_then(|e| e.raw_os_error());
            assert_eq!(error, Some(libc::EINVAL), "{tuning:?}");
        }
    });
}
