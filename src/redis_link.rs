//! A connection to a Redis: with its password, over TLS if asked, and never waiting for ever.

use crate::config::RedisPlace;
use redis::{Client, Connection, ErrorKind, IntoConnectionInfo, RedisError, TlsCertificates};
use std::time::Duration;

/// Connects, and logs in.
///
/// # Errors
/// Nobody answers within `timeout`, or the login is refused. The same time bounds each answer on the
/// connection; who blocks on purpose sets a longer one.
pub fn connect(place: &RedisPlace, timeout: Duration) -> Result<Connection, RedisError> {
    let client = client(place)?;
    let connection = client.get_connection_with_timeout(timeout)?;
    connection.set_read_timeout(Some(timeout))?;
    connection.set_write_timeout(Some(timeout))?;
    Ok(connection)
}

/// What stands between us and a Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurdle {
    /// It does not answer in time.
    Silence,
    /// The user or the password.
    Login,
    /// TLS: its certificate is not that of an authority that is trusted, or names another host.
    Certificate,
    /// It has no memory left.
    Full,
    /// What the error says.
    Other,
}

/// What kind of trouble an error of the library is, so that a remedy can be named.
pub fn hurdle(error: &RedisError) -> Hurdle {
    // Of several commands at once each error has its code, and the text has them all.
    let text = error.to_string();
    let coded = |codes: &[&str]| codes.iter().any(|code| text.contains(code));
    match error.kind() {
        _ if error.is_timeout() => Hurdle::Silence,
        ErrorKind::AuthenticationFailed => Hurdle::Login,
        _ if coded(&["NOAUTH", "WRONGPASS", "NOPERM"]) => Hurdle::Login,
        _ if coded(&["OOM"]) => Hurdle::Full,
        _ if text.to_ascii_lowercase().contains("certificate") => Hurdle::Certificate,
        _ => Hurdle::Other,
    }
}

fn client(place: &RedisPlace) -> Result<Client, RedisError> {
    let info = place.url.as_str().into_connection_info()?;
    let mut login = info.redis_settings().clone();
    if !place.user.is_empty() {
        login = login.set_username(&place.user);
    }
    if let Some(password) = &place.password {
        login = login.set_password(password);
    }
    let info = info.set_redis_settings(login);
    match place.url.scheme() {
        "rediss" => {
            // The library's own TLS asks for the provider of the process.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: place.ca.as_deref().map(<[u8]>::to_vec),
            };
            Client::build_with_tls(info, certificates)
        }
        _ => Client::open(info),
    }
}
