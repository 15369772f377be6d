use super::*;

fn shell(script: &str) -> Program {
    Program::new("sh", ["-c", script])
}

#[test]
fn cpu_time_is_the_childs_own() {
    let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let (busy, idle) = (
        shell(busy).run().expect("run"),
        shell("read x").run().expect_err("no input"),
    );
    assert!(
        busy.cpu_s() > 0.01 && busy.cpu_s() <= busy.wall_s * 1.1 + 0.02,
        "{busy:?}"
    );
    assert!(
        busy.rss_peak_kib > 100 && busy.threads_peak == 1,
        "{busy:?}"
    );
    assert!(matches!(idle, Error::Failed { .. }), "{idle}");
}

#[test]
fn a_program_sees_its_limits_and_its_cpus_from_the_first_instruction() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    let first = crate::harness::cpus::Cpus::of_this_host(None).map_or(0, |cpus| cpus.farm);
    let script = "ulimit -n; ulimit -Hn; grep Cpus_allowed_list /proc/self/status";
    let program = shell(script).on(&[first]).nofile(123).to(&out);
    program.run().expect("run");
    let text = std::fs::read_to_string(&out).expect("output");
    let words: Vec<_> = text.split_whitespace().collect();
    assert_eq!(
        words,
        ["123", "123", "Cpus_allowed_list:", &first.to_string()]
    );
    let command = program.command();
    assert!(
        command.starts_with("(ulimit -n 123; taskset -c "),
        "{command}"
    );
}

#[test]
fn what_a_failed_program_said_is_in_the_error() {
    let error = shell("echo why >&2; exit 3").run().expect_err("status 3");
    let text = error.to_string();
    assert!(
        text.contains("exit status: 3") && text.ends_with("why\n"),
        "{text}"
    );
}

#[test]
fn a_program_that_takes_too_long_is_killed() {
    let error = shell("exec sleep 600")
        .within(Duration::from_millis(1))
        .run();
    let text = error.expect_err("killed").to_string();
    assert!(text.contains("signal: 9"), "{text}");
}

#[test]
fn a_program_that_runs_on_can_be_looked_at_and_told_to_end() {
    let (told, tell) = std::sync::mpsc::channel();
    let gauge = Gauge::new("seen", Duration::ZERO, move |pid| {
        // After the first time nobody listens any more.
        told.send(pid).ok();
        Some(7.0)
    });
    let running = shell("exec sleep 600").start(vec![gauge]).expect("started");
    assert_eq!(tell.recv(), Ok(running.pid()));
    let now = running.now().expect("it runs");
    assert!(
        now.rss_kib > 0 && now.descriptors >= 3 && now.threads == 1,
        "{now:?}"
    );
    running.signal(Signal::TERM).expect("sent");
    let ended = running.wait().expect("ended");
    assert!(!ended.status.success());
    assert_eq!(ended.usage.gauges["seen"], 7.0);
}

#[test]
fn the_usage_of_children_that_end_together_is_not_mixed_up() {
    let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let (one, two) = (
        shell(busy).start(Vec::new()),
        shell("true").start(Vec::new()),
    );
    let (one, two) = (one.expect("started"), two.expect("started"));
    let ending = std::thread::spawn(|| two.finish().expect("ended"));
    let (one, two) = (one.finish().expect("ended"), ending.join().expect("joined"));
    assert!(two.cpu_s() < one.cpu_s(), "{one:?}, {two:?}");
}

#[test]
fn a_program_that_is_dropped_is_gone() {
    let running = shell("exec sleep 600").start(Vec::new()).expect("started");
    let pid = running.pid();
    drop(running);
    assert_eq!(proc::holds(pid), None);
}

#[test]
fn a_program_that_is_not_built_is_named() {
    let error = built(Path::new("/nowhere"), "proxy-checker").expect_err("nothing there");
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/proxy-checker: not there"),
        "{error}"
    );
}
