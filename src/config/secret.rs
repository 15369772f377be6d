//! The secret that a judge and its checkers share: read from an environment variable, in one way by
//! both.

use proxy_shards::target::Secret;
use std::sync::Arc;

/// The variable that holds the secret, unless another one is named.
pub const JUDGE_SECRET_ENV: &str = "PROXY_CHECKER_JUDGE_SECRET";

/// The secret in the variable `name`, which `env` looks up. White space around it does not count,
/// so that a file's last line break makes no other secret of it.
///
/// # Errors
/// There is none, or it is too short. The text names the variable and a command that makes a secret;
/// it never repeats the value.
pub fn judge_secret(name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, String> {
    const MAKE_ONE: &str =
        "make one with `openssl rand -hex 32` and give the judge and its checkers the same";
    // Someone may have put the secret where its variable's name belongs: then it is not repeated.
    if !is_variable_name(name) {
        return Err(
            "is not the name of an environment variable; put the secret into a variable and its name here"
                .to_owned(),
        );
    }
    let value = env(name).unwrap_or_default();
    match value.trim() {
        "" => Err(format!(
            "the environment variable {name} is empty or not set, and it must hold the judge's secret; {MAKE_ONE}"
        )),
        secret => Secret::new(secret.as_bytes()).ok_or_else(|| {
            let (length, least) = (secret.len(), Secret::BYTES_MIN);
            format!("the secret in the environment variable {name} has {length} bytes, fewer than {least}; {MAKE_ONE}")
        }),
    }
}

/// What stands in for each secret that `env` does not have, so that the rest of a configuration can be
/// looked at where the secrets are not.
pub fn with_stand_ins(env: &dyn Fn(&str) -> Option<String>) -> impl Fn(&str) -> Option<String> {
    const STAND_IN: &str = "no secret: it stands in for one";
    move |name| {
        let value = env(name).filter(|value| !value.trim().is_empty());
        Some(value.unwrap_or_else(|| STAND_IN.to_owned()))
    }
}

/// What notices to a webhook are signed with, at least 16 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Arc<str>);

impl WebhookSecret {
    /// A secret, if it is long enough.
    pub fn new(text: &str) -> Option<WebhookSecret> {
        (text.len() >= Secret::BYTES_MIN).then(|| WebhookSecret(text.into()))
    }

    /// The bytes, for the signature only.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(***)")
    }
}

/// The secret of a webhook in the variable `name`, which `env` looks up. White space around it does
/// not count.
///
/// # Errors
/// There is none, or it is too short. The text never repeats the value.
pub(super) fn webhook_secret(
    name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<WebhookSecret, String> {
    const MAKE_ONE: &str = "make one with `openssl rand -hex 32` and give the receiver the same";
    // Someone may have put the secret where its variable's name belongs: then it is not repeated.
    if !is_variable_name(name) {
        return Err(
            "is not the name of an environment variable; put the secret into a variable and its name here"
                .to_owned(),
        );
    }
    let value = env(name).unwrap_or_default();
    let value = value.trim();
    WebhookSecret::new(value).ok_or_else(|| match value.len() {
        0 => format!("the environment variable {name} is empty or not set; {MAKE_ONE}"),
        length => {
            let least = Secret::BYTES_MIN;
            format!("the secret in the environment variable {name} has {length} bytes, fewer than {least}; {MAKE_ONE}")
        }
    })
}

/// The form of a name that a shell can set.
pub(super) fn is_variable_name(name: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let digit_first = name.as_bytes().first().is_none_or(u8::is_ascii_digit);
    !digit_first && name.bytes().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: Option<&str>) -> Result<Secret, String> {
        judge_secret(name, &|asked| {
            assert_eq!(asked, name);
            value.map(str::to_owned)
        })
    }

    #[test]
    fn a_line_break_at_its_end_makes_no_other_secret() {
        let secret = Secret::new(b"0123456789abcdef");
        assert_eq!(read("S", Some("0123456789abcdef")).ok(), secret);
        assert_eq!(read("S", Some("0123456789abcdef\r\n")).ok(), secret);
    }

    #[test]
    fn none_and_too_short_ones_name_the_variable_and_a_command() {
        for value in [None, Some(""), Some(" \n"), Some("fifteen bytes!!")] {
            let error = read("JUDGE_KEY", value).unwrap_err();
            assert!(error.contains(" JUDGE_KEY "), "{error}");
            assert!(error.contains("`openssl rand -hex 32`"), "{error}");
            assert!(!error.contains("fifteen"), "{error}");
        }
    }

    #[test]
    fn a_stand_in_is_as_good_as_a_secret_and_takes_the_place_of_none() {
        let env = |name: &str| (name == "SET").then(|| "its own value".to_owned());
        let env = with_stand_ins(&env);
        assert_eq!(env("SET").as_deref(), Some("its own value"));
        assert!(judge_secret("UNSET", &env).is_ok());
    }

    #[test]
    fn a_secret_in_place_of_the_name_is_not_repeated() {
        for name in ["", "a secret, not a name", "1f00d"] {
            let error = judge_secret(name, &|_| None).unwrap_err();
            assert!(name.is_empty() || !error.contains(name), "{error}");
        }
    }
}
