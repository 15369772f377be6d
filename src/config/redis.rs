//! Where a Redis is, and how one gets in: for the store and for the cluster.

use super::problem::quoted;
use super::secret::is_variable_name;
use super::serving::Env;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// Longest prefix of keys, in bytes.
const PREFIX_BYTES_MAX: usize = 100;

/// A Redis server. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisPlace {
    /// `redis://` or `rediss://` (TLS), host, port and number of the database; without user and
    /// password, so fit to be shown.
    pub url: Url,
    /// The user of Redis' access lists; empty: its default one.
    pub user: Box<str>,
    /// The password, if it asks for one.
    pub password: Option<Box<str>>,
    /// PEM of the authorities that are trusted with `rediss://`; absent: those of the host.
    pub ca: Option<Arc<[u8]>>,
}

impl RedisPlace {
    /// Reads `host:port` or a `redis://` or `rediss://` URL; a password given apart wins over one in
    /// the URL.
    ///
    /// # Errors
    /// It is neither; the text says so and never repeats a password.
    pub fn new(
        text: &str,
        password: Option<Box<str>>,
        ca: Option<Arc<[u8]>>,
    ) -> Result<RedisPlace, String> {
        const FORM: &str = "write host:port, redis://host:port/0 or rediss://host:port/0";
        let text = text.trim();
        let whole = match text.contains("://") {
            true => text.to_owned(),
            false => format!("redis://{text}"),
        };
        let mut url = Url::parse(&whole).map_err(|error| format!("is no URL ({error}); {FORM}"))?;
        if !matches!(url.scheme(), "redis" | "rediss") || url.host_str().is_none_or(str::is_empty) {
            return Err(format!("names no Redis; {FORM}"));
        }
        let number = url.path().trim_matches('/');
        if !number.is_empty() && number.parse::<u16>().is_err() {
            return Err(format!("names a database that is no number; {FORM}"));
        }
        let decoded = |text: &str| {
            let text = percent_encoding::percent_decode_str(text).decode_utf8();
            text.map(|text| Box::<str>::from(&*text))
                .map_err(|_| "has credentials that are no UTF-8".to_owned())
        };
        let user = decoded(url.username())?;
        let written = url.password().map(decoded).transpose()?;
        // Of these two schemes both can have no credentials.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        if url.port().is_none() {
            let _ = url.set_port(Some(6379));
        }
        Ok(RedisPlace {
            url,
            user,
            password: password.or(written).filter(|password| !password.is_empty()),
            ca,
        })
    }
}

impl fmt::Debug for RedisPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisPlace")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

/// The password in the variable, if one is named. White space around it does not count, as a file's
/// last line break.
pub(super) fn password(name: &str, env: Env<'_>) -> Result<Option<Box<str>>, String> {
    if name.is_empty() {
        return Ok(None);
    }
    // Someone may have put the password where its variable's name belongs: it is not repeated.
    if !is_variable_name(name) {
        return Err(
            "is not the name of an environment variable; put the password into a variable and its name here"
                .to_owned(),
        );
    }
    match env(name).unwrap_or_default().trim() {
        "" => Err(format!(
            "the environment variable {name} is empty or not set, and it must hold the password of Redis; set it, or remove the key"
        )),
        password => Ok(Some(password.into())),
    }
}

/// The beginning of every key; `default` if none is given. Braces make all keys stay together where a Redis is many servers.
pub(super) fn prefix(text: &str, default: &str) -> Result<Box<str>, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-:{}".contains(&b);
    match text {
        "" => Ok(default.into()),
        text if text.len() <= PREFIX_BYTES_MAX && text.bytes().all(good) => Ok(text.into()),
        text => Err(format!(
            "{} does not begin a key; use up to {PREFIX_BYTES_MAX} letters, digits and . _ - : {{ }}",
            quoted(text)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> RedisPlace {
        RedisPlace::new(text, None, None).unwrap_or_else(|why| panic!("{text} {why}"))
    }

    #[test]
    fn a_place_is_read_from_host_and_port_or_a_url() {
        for text in ["10.0.0.1:6379", "redis://10.0.0.1", "redis://10.0.0.1:6379"] {
            assert_eq!(
                place(text).url.as_str().trim_end_matches('/'),
                "redis://10.0.0.1:6379"
            );
        }
        let whole = place("rediss://ann:p%40ss@cache.example.com:7000/3");
        assert_eq!(whole.url.as_str(), "rediss://cache.example.com:7000/3");
        assert_eq!(
            (&*whole.user, whole.password.as_deref()),
            ("ann", Some("p@ss"))
        );
    }

    #[test]
    fn a_password_apart_wins_and_none_is_ever_shown() {
        let apart = RedisPlace::new("redis://:old@h:1", Some("new".into()), None).unwrap();
        assert_eq!(apart.password.as_deref(), Some("new"));
        let shown = format!("{apart:?}");
        assert!(!shown.contains("new") && !shown.contains("old"), "{shown}");
    }

    #[test]
    fn what_names_no_redis_is_refused_without_repeating_it() {
        for text in [
            "",
            "http://h:1",
            "redis://",
            "redis://:secret@h:1/zero",
            ":secret@:x",
        ] {
            let why = RedisPlace::new(text, None, None).unwrap_err();
            assert!(
                !why.contains("secret") && why.contains("redis://host"),
                "{why}"
            );
        }
    }
}
