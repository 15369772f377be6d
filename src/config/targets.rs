//! Checks `checker.targets` and their short form, `checker.test_url` with `checker.expect`: what is
//! fetched through every proxy, and what proves that it answered.

use super::expect::{expecting, no_field};
use super::problem::{Report, quoted};
use super::raw::{RawChecker, RawExpect, RawTarget};
use super::secret::{JUDGE_SECRET_ENV, judge_secret};
use super::serving::Env;
use proxy_shards::target::{Secret, Target, TargetError, TargetOptions};
use proxy_shards::{ProbePolicy, works::TARGETS_MAX};
use std::time::Duration;
use url::Url;

/// Where the parts of one target stand in the file.
struct Place {
    name: String,
    url: String,
    judge: String,
    secret_env: String,
    expect: String,
}

impl Place {
    /// The target `index` of the list, or the short form.
    fn of(index: Option<usize>) -> Place {
        let (block, url) = match index {
            Some(index) => (format!("checker.targets[{index}]"), "url"),
            None => ("checker".to_owned(), "test_url"),
        };
        Place {
            name: format!("{block}.name"),
            url: format!("{block}.{url}"),
            judge: format!("{block}.judge"),
            secret_env: format!("{block}.secret_env"),
            expect: format!("{block}.expect"),
        }
    }

    fn expect(&self, key: &str) -> String {
        format!("{}.{key}", self.expect)
    }

    /// Where the fault is, and what it is in the words of the file.
    fn fault(&self, error: TargetError) -> (String, String) {
        match error {
            TargetError::Url(_) => (
                self.url.clone(),
                format!("is no http:// or https:// URL with a host; {URL_FORM}"),
            ),
            TargetError::UrlCredentials => (
                self.url.clone(),
                "carries a user name or password, which every proxy would see; use a URL without"
                    .to_owned(),
            ),
            TargetError::Name(name) => (
                self.name.clone(),
                format!(
                    "{} is no name; use 1 to 64 letters, digits, dots, dashes or underscores",
                    quoted(&name)
                ),
            ),
            TargetError::ExpectStatus(status) => (
                self.expect("status"),
                format!(
                    "{status} proves nothing; expect a final status other than 407, which is the proxy's own"
                ),
            ),
            TargetError::ExpectBodyOfNone(status) => (
                self.expect("status"),
                format!(
                    "an answer {status} never has a body; remove body_contains and body_equals_sha256, or expect another status"
                ),
            ),
            TargetError::ExpectBody {
                length,
                body_bytes_max,
            } => (
                self.expect("body_contains"),
                format!(
                    "is {length} bytes long, and only {body_bytes_max} are read; raise max_bytes or shorten it"
                ),
            ),
            TargetError::ExpectHeader(text) => (self.expect("header"), no_field(&text)),
            TargetError::JudgeExpects => (self.judge.clone(), JUDGE_EXPECTS.to_owned()),
        }
    }
}

const URL_FORM: &str = "give http://HOST/PATH or https://HOST/PATH";
const JUDGE_EXPECTS: &str =
    "is given beside judge, whose answer proves itself; remove the expectations";

/// What is fetched, checked; the reasons why a part of it is missing are in the report.
pub(super) fn targets(raw: &RawChecker, env: Env<'_>, report: &mut Report) -> Vec<TargetOptions> {
    if raw.targets.is_empty() {
        let short = RawTarget {
            url: match raw.test_url.as_str() {
                "" => RawChecker::default().test_url,
                url => url.to_owned(),
            },
            expect: raw.expect.clone(),
            ..RawTarget::default()
        };
        return Vec::from_iter(target(&short, &Place::of(None), env, report));
    }
    short_form_is_unused(raw, report);
    if raw.targets.len() > TARGETS_MAX {
        let text = format!(
            "there are {}; give at most {TARGETS_MAX}",
            raw.targets.len()
        );
        report.problem("checker.targets", text);
    }
    let mut targets: Vec<(usize, TargetOptions)> = Vec::new();
    for (index, raw) in raw.targets.iter().enumerate() {
        if report.is_misfit(&format!("checker.targets[{index}]")) {
            continue;
        }
        let place = Place::of(Some(index));
        let Some(target) = target(raw, &place, env, report) else {
            continue;
        };
        if let Some((first, _)) = targets.iter().find(|(_, t)| t.name == target.name) {
            let text = format!(
                "{} is the name of checker.targets[{first}] too; give each a name of its own",
                quoted(&target.name)
            );
            report.problem(&place.name, text);
        }
        targets.push((index, target));
    }
    targets.into_iter().map(|(_, target)| target).collect()
}

/// The short form and the list are two ways to say one thing: which one counts is not guessed.
fn short_form_is_unused(raw: &RawChecker, report: &mut Report) {
    let default = RawChecker::default();
    if !raw.test_url.is_empty() && raw.test_url != default.test_url {
        report.problem(
            "checker.test_url",
            "is given beside checker.targets; make it one of the targets, or remove checker.targets",
        );
    }
    if raw.expect != default.expect {
        report.problem(
            "checker.expect",
            "is for test_url and is given beside checker.targets; move it into the target that it is for, or remove checker.targets",
        );
    }
}

fn target(
    raw: &RawTarget,
    place: &Place,
    env: Env<'_>,
    report: &mut Report,
) -> Option<TargetOptions> {
    let problems_before = report.count();
    let default = TargetOptions::default();
    let options = TargetOptions {
        name: match raw.name.as_str() {
            "" => default.name,
            name => name.to_owned(),
        },
        url: report.take(&place.url, url(&raw.url), default.url),
        tunnel: raw.tunnel,
        judge: secret(raw, place, env, report),
        ..default
    };
    let options = match raw.judge {
        true => options,
        false => expecting(options, &raw.expect, &place.expect, report),
    };
    if report.count() == problems_before
        && let Err(error) = Target::new(options.clone())
    {
        let (place, text) = place.fault(error);
        report.problem(&place, text);
    }
    (report.count() == problems_before).then_some(options)
}

fn url(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err(format!("is missing; {URL_FORM}"));
    }
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error}); {URL_FORM}"))?;
    match url.scheme() {
        "http" | "https" => Ok(text.to_owned()),
        scheme => Err(format!("{scheme}:// cannot be probed; {URL_FORM}")),
    }
}

/// The secret of the judge, if the target is one.
fn secret(raw: &RawTarget, place: &Place, env: Env<'_>, report: &mut Report) -> Option<Secret> {
    let name = match raw.secret_env.as_str() {
        "" => JUDGE_SECRET_ENV,
        name => name,
    };
    if !raw.judge {
        if name != JUDGE_SECRET_ENV {
            let text = "is not used, for judge is false; set judge to true, or remove it";
            report.warning(&place.secret_env, text);
        }
        return None;
    }
    if raw.expect != RawExpect::default() {
        report.problem(&place.expect, JUDGE_EXPECTS);
    }
    if Url::parse(&raw.url).is_ok_and(|url| url.query_pairs().any(|(key, _)| key == "nonce")) {
        let text = "has a nonce, and every request to a judge gets one of its own; remove it";
        report.problem(&place.url, text);
    }
    report.take(&place.secret_env, judge_secret(name, env).map(Some), None)
}

/// Warns, once, of targets that others can pass for by accident.
pub(super) fn warn_of_weak(
    policy: &ProbePolicy,
    control: Option<Duration>,
    in_list: bool,
    report: &mut Report,
) {
    // Without a probe of its own nothing is ever learnt of a target that nothing is expected of.
    let is_weak = |target: &Target| target.is_weak() || control.is_none() && target.learns();
    let weak: Vec<usize> = (0..policy.targets.len())
        .filter(|&place| is_weak(&policy.targets[place]))
        .collect();
    let Some(&first) = weak.first() else {
        return;
    };
    let place = Place::of(in_list.then_some(first)).expect;
    let others = match weak.len() {
        1 => String::new(),
        count => format!(" here and of {} more", count - 1),
    };
    let learning = match control {
        Some(_) => "",
        None => ", turn control_probe on",
    };
    let text = format!(
        "so little is expected{others} that a login page or a parking page can pass for the target; \
         use a URL that answers 204, expect body_contains{learning}, or set a judge up (docs/judge.md)"
    );
    report.warning(&place, text);
}
