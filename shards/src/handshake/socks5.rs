//! SOCKS 5 (RFC 1928) with user name and password (RFC 1929).

use super::Progress;
use crate::rule::Rule;
use crate::target::Target;
use crate::{Credentials, Verdict};
use std::net::IpAddr;
use std::rc::Rc;

/// What is said to every SOCKS 5 proxy, compiled for one target.
pub(crate) struct Questions {
    /// Offers "no authentication".
    greeting: Rc<[u8]>,
    /// Offers "no authentication" and "user name and password".
    greeting_with_login: Rc<[u8]>,
    /// Asks for a connection to the target; names are resolved by the proxy.
    connect: Rc<[u8]>,
}

impl Questions {
    /// The questions for `target`, whose name has at most 255 bytes.
    pub(crate) fn new(target: &Target) -> Questions {
        let mut connect = vec![5, 1, 0];
        match target.host.parse() {
            Ok(IpAddr::V4(ip)) => {
                connect.push(1);
                connect.extend(ip.octets());
            }
            Ok(IpAddr::V6(ip)) => {
                connect.push(4);
                connect.extend(ip.octets());
            }
            Err(_) => {
                connect.push(3);
                push_counted(&mut connect, &target.host);
            }
        }
        connect.extend(target.port.to_be_bytes());
        Questions {
            greeting: [5, 1, 0].into(),
            greeting_with_login: [5, 2, 0, 2].into(),
            connect: connect.into(),
        }
    }
}

/// A length byte and the text, which callers have checked to fit.
fn push_counted(to: &mut Vec<u8>, text: &str) {
    debug_assert!(text.len() <= 255, "checked by the caller");
    let text = &text.as_bytes()[..text.len().min(255)];
    to.push(text.len() as u8);
    to.extend(text);
}

/// What the next byte of the proxy is.
#[derive(Clone, Copy)]
enum Next {
    MethodVersion,
    Method,
    LoginVersion,
    LoginStatus,
    ReplyVersion,
    Reply,
    Reserved,
    AddressType,
    NameLength,
    /// One of this many bytes that mean nothing to us: bound address and port.
    Bound(u16),
}

/// What one byte led to.
enum Turn {
    Read(Next),
    Login,
    Connect,
    Open,
    Ended(Rule),
}

/// Greeting, login and connection request, and how the proxy takes them.
pub(crate) struct Socks5 {
    next: Next,
    /// The login message (RFC 1929, section 2), if there are credentials.
    login: Option<Rc<[u8]>>,
}

impl Socks5 {
    /// The greeting. Login is offered only when there are credentials.
    ///
    /// # Errors
    /// Credentials that RFC 1929 cannot carry, over 255 bytes, are `auth_required` at once.
    pub(crate) fn begin(
        questions: &Questions,
        credentials: Option<&Credentials>,
    ) -> Result<(Socks5, Rc<[u8]>), Rule> {
        let (login, greeting) = match credentials {
            None => (None, &questions.greeting),
            Some(credentials) => (Some(login(credentials)?), &questions.greeting_with_login),
        };
        let next = Next::MethodVersion;
        Ok((Socks5 { next, login }, Rc::clone(greeting)))
    }

    /// Takes bytes of the proxy, at least one.
    pub(crate) fn received(&mut self, questions: &Questions, bytes: &[u8]) -> Progress {
        for (index, &byte) in bytes.iter().enumerate() {
            let rest = &bytes[index + 1..];
            match self.turn(byte) {
                Turn::Read(next) => self.next = next,
                Turn::Login => {
                    self.next = Next::LoginVersion;
                    let login = self.login.take().unwrap_or_default();
                    return Progress::ask(&login, rest);
                }
                Turn::Connect => {
                    self.next = Next::ReplyVersion;
                    return Progress::ask(&questions.connect, rest);
                }
                Turn::Open => return Progress::open(rest),
                Turn::Ended(rule) => return Progress::Ended(rule),
            }
        }
        Progress::Recv
    }

    fn turn(&self, byte: u8) -> Turn {
        match (self.next, byte) {
            (Next::MethodVersion, 5) => Turn::Read(Next::Method),
            (Next::Method, 0) => Turn::Connect,
            (Next::Method, 2) if self.login.is_some() => Turn::Login,
            (Next::Method, method) => Turn::Ended(Rule::Socks5Method(method)),
            (Next::LoginVersion, 1) => Turn::Read(Next::LoginStatus),
            (Next::LoginStatus, 0) => Turn::Connect,
            (Next::LoginStatus, status) => Turn::Ended(Rule::Socks5Login(status)),
            (Next::ReplyVersion, 5) => Turn::Read(Next::Reply),
            (Next::Reply, 0) => Turn::Read(Next::Reserved),
            // 1..=8 are the refusals of RFC 1928, section 6; some proxies have more of their own.
            (Next::Reply, code) => Turn::Ended(Rule::Socks5Reply(code)),
            (Next::Reserved, _) => Turn::Read(Next::AddressType),
            (Next::AddressType, 1) => Turn::Read(Next::Bound(4 + 2)),
            (Next::AddressType, 3) => Turn::Read(Next::NameLength),
            (Next::AddressType, 4) => Turn::Read(Next::Bound(16 + 2)),
            (Next::NameLength, length) => Turn::Read(Next::Bound(u16::from(length) + 2)),
            (Next::Bound(left @ 2..), _) => Turn::Read(Next::Bound(left - 1)),
            (Next::Bound(_), _) => Turn::Open,
            (Next::MethodVersion | Next::ReplyVersion, _) => {
                Turn::Ended(Rule::garbled("a SOCKS 5 reply begins with 5"))
            }
            (Next::LoginVersion, _) => {
                Turn::Ended(Rule::garbled("a SOCKS 5 login reply begins with 1"))
            }
            (Next::AddressType, _) => {
                Turn::Ended(Rule::garbled("a SOCKS 5 reply has an unknown address type"))
            }
        }
    }
}

fn login(Credentials { user, password }: &Credentials) -> Result<Rc<[u8]>, Rule> {
    if user.len() > 255 || password.len() > 255 {
        let rule = "SOCKS 5 cannot carry a user name or password over 255 bytes";
        return Err(Rule::Told(Verdict::AuthRequired, rule));
    }
    let mut login = vec![1];
    push_counted(&mut login, user);
    push_counted(&mut login, password);
    Ok(login.into())
}

#[cfg(test)]
mod tests;
