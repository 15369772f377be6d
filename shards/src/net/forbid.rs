//! For tests: what a seccomp profile does, to one thread.

use std::thread;

/// Runs `test` on a thread that may not make the system call `number`, nor may those that it
/// starts: it fails with EPERM.
pub(crate) fn without_syscall<T: Send + 'static>(
    number: libc::c_long,
    test: impl FnOnce() -> T + Send + 'static,
) -> T {
    let filtered = move || {
        forbid(number as u32);
        test()
    };
    thread::spawn(filtered).join().unwrap()
}

/// Only this thread is filtered, for the rest of its life (`seccomp(2)`).
fn forbid(number: u32) {
    let load_number = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let skip_unless_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let give = (libc::BPF_RET | libc::BPF_K) as u16;
    let op = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut filter = [
        op(load_number, 0, 0),
        op(skip_unless_equal, 1, number),
        op(give, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        op(give, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: the program points to its filter, and both live until the calls have returned.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) != 0
    };
    assert!(!refused, "{}", std::io::Error::last_os_error());
}
