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
    pub const ALL: [Verdict; 25] = [
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
            Verdict::LocalNetwork => "local_network",
            Verdict::LocalNames => "local_names",
            Verdict::LocalTarget => "local_target",
            Verdict::LocalCancelled => "local_cancelled",
            Verdict::LocalFault => "local_fault",
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
    fn a_refusal_is_final_and_silence_is_not() {
        assert!(!Verdict::Refused.is_worth_retrying());
        assert!(!Verdict::Alive.is_worth_retrying());
        assert!(Verdict::ConnectTimeout.is_worth_retrying());
    }
}
