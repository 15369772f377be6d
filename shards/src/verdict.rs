//! How a probe ended: the closed vocabulary, each word defined once.

/// The part of a probe that was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// TCP connect to the proxy.
    Connect,
    /// The proxy's own protocol, and TLS to the proxy itself before it.
    Handshake,
    /// TLS to the target.
    Tls,
    /// The target's answer.
    Response,
}

/// How a probe ended. Closed set: each variant is also a metric label and the word in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// The target's answer came back through the proxy, as expected. In `connect-only` mode: the
    /// proxy accepted the connection.
    Alive,
    /// The peer answered our SYN with RST.
    Refused,
    /// A router or the peer's host said that it cannot be reached.
    Unreachable,
    /// The peer reset the connection after it stood.
    Reset,
    /// The deadline passed before the connection stood.
    ConnectTimeout,
    /// The deadline passed during the proxy's handshake or TLS.
    HandshakeTimeout,
    /// The deadline passed before the answer was whole.
    ResponseTimeout,
    /// The peer closed the connection before the answer was whole.
    Closed,
    /// The peer does not speak the protocol that it is listed under.
    BadProtocol,
    /// The proxy asks for credentials, or refuses those that it was given.
    AuthRequired,
    /// The proxy speaks its protocol and declines the request.
    Denied,
    /// An answer with a status that is neither expected, nor success, nor a redirection.
    WrongStatus,
    /// A success answer that is not the target's: the proxy's own page, or a captive one.
    OwnPage,
    /// A redirection that is not expected.
    Redirected,
    /// The certificate that came through the proxy is not valid for the target's name.
    TlsIntercepted,
    /// The target's answer was changed on its way.
    Tampered,
    /// The answer's head or body exceeds its cap.
    TooLarge,
    /// Local: this process or host has no descriptor or ring slot left.
    LocalDescriptors,
    /// Local: no free port towards the proxy.
    LocalPorts,
    /// Local: the kernel has no memory for the connection.
    LocalMemory,
    /// Local: the deadline passed while the shard itself came late to its work.
    LocalLate,
    /// Local: this host has no route or forbids the connection.
    LocalNetwork,
    /// Local: the proxy's host name could not be resolved.
    LocalNames,
    /// Local: the target cannot be reached without a proxy either.
    LocalTarget,
    /// Local: cancelled before its end, as at shutdown.
    LocalCancelled,
    /// Local: a fault in the engine itself, which is a bug.
    LocalFault,
}

impl Verdict {
    /// Every verdict, in declaration order: `ALL[v as usize] == v`.
    pub const ALL: [Verdict; 26] = [
        Verdict::Alive,
        Verdict::Refused,
        Verdict::Unreachable,
        Verdict::Reset,
        Verdict::ConnectTimeout,
        Verdict::HandshakeTimeout,
        Verdict::ResponseTimeout,
        Verdict::Closed,
        Verdict::BadProtocol,
        Verdict::AuthRequired,
        Verdict::Denied,
        Verdict::WrongStatus,
        Verdict::OwnPage,
        Verdict::Redirected,
        Verdict::TlsIntercepted,
        Verdict::Tampered,
        Verdict::TooLarge,
        Verdict::LocalDescriptors,
        Verdict::LocalPorts,
        Verdict::LocalMemory,
        Verdict::LocalLate,
        Verdict::LocalNetwork,
        Verdict::LocalNames,
        Verdict::LocalTarget,
        Verdict::LocalCancelled,
        Verdict::LocalFault,
    ];

    /// The number of verdicts, for arrays indexed by `verdict as usize`.
    pub const COUNT: usize = Self::ALL.len();

    /// The one word for this verdict in JSON, CSV, metrics and documents.
    pub const fn label(self) -> &'static str {
        match self {
            Verdict::Alive => "alive",
            Verdict::Refused => "refused",
            Verdict::Unreachable => "unreachable",
            Verdict::Reset => "reset",
            Verdict::ConnectTimeout => "connect_timeout",
            Verdict::HandshakeTimeout => "handshake_timeout",
            Verdict::ResponseTimeout => "response_timeout",
            Verdict::Closed => "closed",
            Verdict::BadProtocol => "bad_protocol",
            Verdict::AuthRequired => "auth_required",
            Verdict::Denied => "denied",
            Verdict::WrongStatus => "wrong_status",
            Verdict::OwnPage => "own_page",
            Verdict::Redirected => "redirected",
            Verdict::TlsIntercepted => "tls_intercepted",
            Verdict::Tampered => "tampered",
            Verdict::TooLarge => "too_large",
            Verdict::LocalDescriptors => "local_descriptors",
            Verdict::LocalPorts => "local_ports",
            Verdict::LocalMemory => "local_memory",
            Verdict::LocalLate => "local_late",
            Verdict::LocalNetwork => "local_network",
            Verdict::LocalNames => "local_names",
            Verdict::LocalTarget => "local_target",
            Verdict::LocalCancelled => "local_cancelled",
            Verdict::LocalFault => "local_fault",
        }
    }

    /// What it means, in one line: the same words in documents, `explain` and the API.
    pub const fn meaning(self) -> &'static str {
        match self {
            Verdict::Alive => "the target's answer came back through the proxy, as expected",
            Verdict::Refused => "the peer answered our SYN with RST",
            Verdict::Unreachable => "a router or the peer's host said that it cannot be reached",
            Verdict::Reset => "the peer reset the connection after it stood",
            Verdict::ConnectTimeout => "the deadline passed before the connection stood",
            Verdict::HandshakeTimeout => "the deadline passed during the proxy's handshake or TLS",
            Verdict::ResponseTimeout => "the deadline passed before the answer was whole",
            Verdict::Closed => "the peer closed the connection before the answer was whole",
            Verdict::BadProtocol => "the peer does not speak the protocol that it is listed under",
            Verdict::AuthRequired => {
                "the proxy asks for credentials, or refuses those that it was given"
            }
            Verdict::Denied => "the proxy speaks its protocol and declines the request",
            Verdict::WrongStatus => {
                "a status that is neither expected, nor success, nor a redirection"
            }
            Verdict::OwnPage => {
                "a success answer that is not the target's: the proxy's own page, or a captive one"
            }
            Verdict::Redirected => "a redirection that is not expected",
            Verdict::TlsIntercepted => {
                "the certificate that came through the proxy is not valid for the target's name"
            }
            Verdict::Tampered => "the target's answer was changed on its way",
            Verdict::TooLarge => "the answer's head or body exceeds its cap",
            Verdict::LocalDescriptors => {
                "local: this process or host has no descriptor or ring slot left"
            }
            Verdict::LocalPorts => "local: no free port towards the proxy",
            Verdict::LocalMemory => "local: the kernel has no memory for the connection",
            Verdict::LocalLate => "local: the time passed while this host's CPUs were late",
            Verdict::LocalNetwork => "local: this host has no route or forbids the connection",
            Verdict::LocalNames => "local: the proxy's host name could not be resolved",
            Verdict::LocalTarget => "local: the target cannot be reached without a proxy either",
            Verdict::LocalCancelled => "local: cancelled before its end, as at shutdown",
            Verdict::LocalFault => "local: a fault in the engine itself, which is a bug",
        }
    }

    /// How much it says of a proxy beside the other verdicts on it; higher says more. Where several
    /// protocols were tried and none worked, the verdict of the highest rank is the one to report:
    ///
    /// 0. another protocol is spoken there, which is what trying all of them must find;
    /// 1. there was no connection, or silence, or an end before the answer;
    /// 2. the probe failed for a reason of ours: the proxy may well be fine, so this hides the
    ///    ranks below it;
    /// 3. the proxy spoke the protocol, and did with the request what the verdict says;
    /// 4. alive.
    pub const fn informative_rank(self) -> u8 {
        use Verdict::{
            Alive, AuthRequired, BadProtocol, Closed, ConnectTimeout, Denied, HandshakeTimeout,
            OwnPage, Redirected, Refused, Reset, ResponseTimeout, Tampered, TlsIntercepted,
            TooLarge, Unreachable, WrongStatus,
        };
        match self {
            BadProtocol => 0,
            Refused | Unreachable | Reset | Closed => 1,
            ConnectTimeout | HandshakeTimeout | ResponseTimeout => 1,
            AuthRequired | Denied | WrongStatus | OwnPage | Redirected => 3,
            TlsIntercepted | Tampered | TooLarge => 3,
            Alive => 4,
            _ => 2,
        }
    }

    /// The verdict that `label` names.
    pub fn from_label(label: &str) -> Option<Verdict> {
        Self::ALL.into_iter().find(|v| v.label() == label)
    }

    /// The verdict for a deadline that passed in `stage`.
    pub const fn timed_out(stage: Stage) -> Verdict {
        match stage {
            Stage::Connect => Verdict::ConnectTimeout,
            Stage::Handshake | Stage::Tls => Verdict::HandshakeTimeout,
            Stage::Response => Verdict::ResponseTimeout,
        }
    }

    /// Whether it was the deadline that ended the probe, whatever the stage.
    pub const fn is_timeout(self) -> bool {
        matches!(
            self,
            Verdict::ConnectTimeout | Verdict::HandshakeTimeout | Verdict::ResponseTimeout
        )
    }

    /// Whether the failure is this host's and says nothing about the proxy.
    pub const fn is_local(self) -> bool {
        self as u8 >= Verdict::LocalDescriptors as u8
    }

    /// Whether another attempt within the same sweep may end otherwise. A refusal, a wrong
    /// protocol or a foreign answer is final; silence, a lost connection and local trouble are not.
    pub const fn is_worth_retrying(self) -> bool {
        use Verdict::{
            Closed, ConnectTimeout, HandshakeTimeout, LocalCancelled, LocalTarget, Reset,
            ResponseTimeout, Unreachable,
        };
        match self {
            Unreachable | Reset | Closed | ConnectTimeout | HandshakeTimeout | ResponseTimeout => {
                true
            }
            LocalCancelled | LocalTarget => false,
            other => other.is_local(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_is_found_by_its_index_and_by_its_label() {
        for (index, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, index);
            assert_eq!(Verdict::from_label(verdict.label()), Some(verdict));
        }
    }

    #[test]
    fn exactly_the_local_verdicts_have_local_labels() {
        for verdict in Verdict::ALL {
            assert_eq!(
                verdict.is_local(),
                verdict.label().starts_with("local_"),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn every_meaning_is_one_printable_line_of_its_own() {
        let mut meanings: Vec<&str> = Verdict::ALL.map(Verdict::meaning).into();
        for meaning in &meanings {
            assert!(meaning.bytes().all(|b| (b' '..=b'~').contains(&b)));
            assert!((10..100).contains(&meaning.len()), "{meaning}");
        }
        for verdict in Verdict::ALL {
            assert_eq!(verdict.is_local(), verdict.meaning().starts_with("local: "));
        }
        meanings.sort_unstable();
        meanings.dedup();
        assert_eq!(meanings.len(), Verdict::COUNT);
    }

    #[test]
    fn what_a_proxy_did_says_more_than_that_it_was_silent_or_spoke_otherwise() {
        let rank = Verdict::informative_rank;
        for verdict in Verdict::ALL {
            let expected = match verdict {
                Verdict::Alive => 4,
                Verdict::BadProtocol => 0,
                _ if verdict.is_local() => 2,
                _ if (verdict as u8) < Verdict::BadProtocol as u8 => 1,
                _ => 3,
            };
            assert_eq!(rank(verdict), expected, "{verdict:?}");
        }
    }

    #[test]
    fn a_refusal_is_final_and_silence_is_not() {
        assert!(!Verdict::Refused.is_worth_retrying());
        assert!(!Verdict::Alive.is_worth_retrying());
        assert!(Verdict::ConnectTimeout.is_worth_retrying());
    }
}
