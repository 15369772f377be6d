//! Whatever is wrong with a configuration, it is refused by its name, and the one before goes on.

use super::corrupt::{self, Corrupt};
use super::{
    alive, farm, goes_by, more_reloads, reload, reloaded, reloads, sample, source, sources, stage,
};
use crate::stage::{Service, Stage};
use crate::support::PATIENCE;
use crate::{seed, times, turn};
use proxy_bench::farm::Behaviour;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// Longest time until a configuration is refused: what cannot be read in 4 s is, and a busy machine is
/// late by about as much.
const REFUSED_WITHIN: Duration = Duration::from_secs(10);
/// What reading all of them may add to the memory: a configuration of 4 MiB takes much more for a moment.
fn growth_max() -> usize {
    times(64, 8) << 20
}
/// Longest answer to who asks for a reload, in bytes.
const WORDS_MAX: usize = 64 << 10;
/// Services that each watch their own file, side by side: a watched file takes its time to settle.
const WATCHERS: usize = 13;

/// Refused with its place and its remedy, by POST and by SIGHUP.
fn is_refused_when_asked(corrupt: &Corrupt, stage: &Stage, service: &mut Service) {
    let name = corrupt.name;
    corrupt.put_in_place(stage);
    let before = reloads(service, "refused");
    let asked = Instant::now();
    let (status, answer) = reload(service);
    let took = asked.elapsed();
    assert!(took < REFUSED_WITHIN, "{name}: {took:?}");
    assert_eq!(status, 422, "{name}: {answer}");
    let words = answer["error"].as_str().unwrap();
    assert!(words.starts_with("config.json: "), "{name}: {words}");
    assert!(words.len() < WORDS_MAX, "{name}: {} bytes", words.len());
    for part in corrupt.says {
        assert!(words.contains(part), "{name}: no {part:?} in {words}");
    }
    more_reloads(service, "refused", before);
    is_said(corrupt, service);

    let before = reloads(service, "refused");
    service.running.signal("HUP");
    more_reloads(service, "refused", before);
    is_said(corrupt, service);
    assert_eq!(
        sample(service, "proxychecker_config_last_reload_successful"),
        0
    );
}

/// A line about a refusal has the same words. The one before may have been noticed once more meanwhile.
fn is_said(corrupt: &Corrupt, service: &mut Service) {
    let part = corrupt.says[0];
    let mut line = String::new();
    while !line.contains(part) {
        line = service.running.after("the configuration was refused; ");
    }
}

#[test]
fn a_configuration_that_is_wrong_is_refused_by_its_name_and_the_one_before_goes_on() {
    let _turn = turn();
    let farm = farm();
    let [mix, other] = [Behaviour::Forwards, Behaviour::Socks5].map(|b| farm.mix(5, &[b]));
    let mut stage = stage(&mix);
    let before = corrupt::without_privilege();
    before.unwrap_or_default().clone_into(&mut stage.before);
    if before.is_none() {
        eprintln!("root cannot be kept from reading here: one configuration less");
    }
    let mut service = stage.start();
    service.serves(&alive(&mix), PATIENCE);
    let (in_force, memory) = (sources(&service), service.memory());
    let all = corrupt::all(&stage.config, before.is_some(), seed("configurations"));
    assert!(all.len() >= 50, "{}", all.len());
    for corrupt in &all {
        is_refused_when_asked(corrupt, &stage, &mut service);
        assert_eq!(sources(&service), in_force, "{}", corrupt.name);
        assert_eq!(service.served(), alive(&mix), "{}", corrupt.name);
    }
    let grown = service.memory().saturating_sub(memory);
    eprintln!(
        "{} refused; memory has grown by {} KiB",
        all.len(),
        grown >> 10
    );
    assert!(grown < growth_max(), "grown by {grown} bytes");

    // A good one is taken, with the mark that some editors put before it.
    fs::write(stage.path("list.txt"), super::list(&other)).unwrap();
    stage.config["aggregator"]["sources"] = source(&stage, 1);
    let text = format!("\u{feff}{}", stage.config);
    corrupt::clear(&stage);
    fs::write(stage.path("config.json"), text).unwrap();
    reloaded(&service);
    goes_by(&service, &stage.config["aggregator"]["sources"]);
    assert_eq!(
        sample(&service, "proxychecker_config_last_reload_successful"),
        1
    );
    let mut both = mix.clone();
    both.extend(other);
    // Who lost their source stay while they are alive.
    service.serves(&alive(&both), PATIENCE);
    service.end();
}

/// Nobody asks: the file itself is noticed, refused, and so is its good successor.
fn is_refused_when_seen(mine: &[&Corrupt], stage: &Stage) {
    let mut service = stage.start();
    for corrupt in mine {
        let before = reloads(&service, "refused");
        corrupt.put_in_place(stage);
        more_reloads(&service, "refused", before);
        is_said(corrupt, &mut service);
    }
    let before = reloads(&service, "applied");
    corrupt::clear(stage);
    stage.write();
    more_reloads(&service, "applied", before);
    service.end();
}

#[test]
fn a_configuration_that_is_wrong_is_noticed_by_itself_and_so_is_its_good_successor() {
    let _turn = turn();
    let farm = farm();
    let mix = farm.mix(5, &[Behaviour::Forwards]);
    let stages: Vec<Stage> = (0..times(3, WATCHERS)).map(|_| stage(&mix)).collect();
    let all = corrupt::all(&stages[0].config, false, seed("watched configurations"));
    let step = times(7, 1);
    thread::scope(|scope| {
        for (nth, stage) in stages.iter().enumerate() {
            let some = all.iter().step_by(step).skip(nth);
            let mine: Vec<&Corrupt> = some.step_by(stages.len()).collect();
            assert!(!mine.is_empty());
            scope.spawn(move || is_refused_when_seen(&mine, stage));
        }
    });
}
