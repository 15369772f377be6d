//! What a checker aims at: which answer it fetches through the proxies, and how.

/// What is fetched through the proxies; the truth about a behaviour depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aim {
    /// `http`: status 204 and an empty body.
    NoContent,
    /// `http`: status 200 and [`super::TARGET_BODY`].
    KnownBody,
    /// The same as [`Aim::NoContent`], where HTTP proxies are asked for a tunnel.
    Tunnel,
    /// `https`: status 204 and an empty body.
    Https,
    /// `http`: the sealed page of a judge.
    Judge,
    /// `https`: the sealed page of a judge.
    JudgeTls,
    /// Nothing: the proxy only has to accept a connection.
    ConnectOnly,
}

impl Aim {
    /// Every aim.
    pub const ALL: [Aim; 7] = [
        Aim::NoContent,
        Aim::KnownBody,
        Aim::Tunnel,
        Aim::Https,
        Aim::Judge,
        Aim::JudgeTls,
        Aim::ConnectOnly,
    ];

    /// The one word for this aim on the command line.
    pub const fn label(self) -> &'static str {
        match self {
            Aim::NoContent => "204",
            Aim::KnownBody => "page",
            Aim::Tunnel => "tunnel",
            Aim::Https => "https",
            Aim::Judge => "judge",
            Aim::JudgeTls => "judge_tls",
            Aim::ConnectOnly => "connect",
        }
    }

    /// The aim that `label` names.
    pub fn from_label(label: &str) -> Option<Aim> {
        Aim::ALL.into_iter().find(|aim| aim.label() == label)
    }

    /// Whether the target is spoken to in TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Aim::Https | Aim::JudgeTls)
    }

    /// Whether a judge answers.
    pub const fn is_judge(self) -> bool {
        matches!(self, Aim::Judge | Aim::JudgeTls)
    }

    /// Scheme of the target's URL.
    pub(super) const fn scheme(self) -> &'static str {
        match self.is_tls() {
            true => "https",
            false => "http",
        }
    }

    /// Path of the target's URL.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Aim::NoContent | Aim::Tunnel | Aim::Https | Aim::ConnectOnly => "/generate_204",
            Aim::KnownBody => "/page",
            Aim::Judge | Aim::JudgeTls => "/judge",
        }
    }
}

/// How the proxies stand in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// With a scheme, right or wrong.
    Schemed,
    /// Without one: the checker has to find out.
    Auto,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_aim_is_found_by_its_label() {
        for aim in Aim::ALL {
            assert_eq!(Aim::from_label(aim.label()), Some(aim));
        }
    }
}
