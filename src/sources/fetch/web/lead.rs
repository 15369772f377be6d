//! Where redirects lead, who led there, and where that one may lead.

use super::{QUOTE_MAX, REDIRECTS_MAX};
use crate::config::masked;
use crate::sources::address::AddressPolicy;
use crate::sources::fetch::error::{FetchError, escaped};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Who says where the next request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sources::fetch) enum Guide {
    /// The operator, who may mean any address.
    Operator,
    /// A server that stands in the operator's own network, or anybody where private addresses are
    /// allowed: it may lead everywhere but to metadata and to what is denied.
    Insider,
    /// A public server: it may lead to public addresses.
    Stranger,
}

impl Guide {
    pub(in crate::sources::fetch) const ALL: [Guide; 3] =
        [Guide::Operator, Guide::Insider, Guide::Stranger];

    /// Where it may lead; nothing bounds the operator.
    pub(in crate::sources::fetch) fn bounds(
        self,
        addresses: &AddressPolicy,
    ) -> Option<AddressPolicy> {
        let addresses = addresses.clone();
        match self {
            Guide::Operator => None,
            Guide::Insider => Some(AddressPolicy {
                allow_private: true,
                ..addresses
            }),
            Guide::Stranger => Some(AddressPolicy {
                allow_private: false,
                allow: Arc::new([]),
                ..addresses
            }),
        }
    }

    /// Why what it leads to, which is shown so, is not asked.
    pub(super) fn refusal(self, shown: String) -> FetchError {
        match self {
            Guide::Operator | Guide::Insider => FetchError::RedirectDenied(shown),
            Guide::Stranger => FetchError::RedirectNotPublic(shown),
        }
    }
}

/// Where a fetch has come to.
#[derive(Debug)]
pub(in crate::sources::fetch) struct Trail {
    pub(super) url: Url,
    /// Redirects that were followed to get there.
    hops: usize,
    pub(super) guide: Guide,
}

impl Trail {
    /// At the address that is configured.
    pub(in crate::sources::fetch) fn begin(url: &Url) -> Trail {
        Trail {
            url: url.clone(),
            hops: 0,
            guide: Guide::Operator,
        }
    }

    /// Follows a redirect.
    pub(super) fn follow(
        &mut self,
        location: &[u8],
        addresses: &AddressPolicy,
    ) -> Result<(), FetchError> {
        if self.hops == REDIRECTS_MAX {
            return Err(FetchError::TooManyRedirects);
        }
        self.url = next_hop(&self.url, location, self.guide, addresses)?;
        self.hops += 1;
        Ok(())
    }

    /// Says of an error that it did not happen where the operator would look.
    pub(in crate::sources::fetch) fn name(&self, error: FetchError) -> FetchError {
        match (self.hops, error) {
            (0, error) | (_, error @ FetchError::TooManyRedirects) => error,
            (hops, error) => FetchError::Led {
                hops,
                at: shown(&self.url),
                error: Box::new(error),
            },
        }
    }
}

/// Where `location` leads from `url`, if `guide` may lead there. A name is judged when it is resolved,
/// by [`Bounded`].
pub(in crate::sources::fetch) fn next_hop(
    url: &Url,
    location: &[u8],
    guide: Guide,
    addresses: &AddressPolicy,
) -> Result<Url, FetchError> {
    let next = str::from_utf8(location).ok();
    let Some(next) = next.and_then(|text| url.join(text).ok()) else {
        // Nobody can tell what of it is secret.
        let shown = format!("{} bytes that are no address", location.len());
        return Err(FetchError::RedirectNotWeb(shown));
    };
    if !matches!(next.scheme(), "http" | "https") {
        return Err(FetchError::RedirectNotWeb(shown(&next)));
    }
    let ip = match next.host() {
        Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
        Some(Host::Domain(_)) | None => None,
    };
    match (ip, guide.bounds(addresses)) {
        (Some(ip), Some(bounds)) if !bounds.allows(ip) => Err(guide.refusal(shown(&next))),
        _ => Ok(next),
    }
}

/// An address that a server has named, without what may be secret in it.
pub(super) fn shown(url: &Url) -> String {
    match url.cannot_be_a_base() {
        // What follows the scheme has no parts that could be told from a secret.
        true => escaped(format!("{}:***", url.scheme()).as_bytes(), QUOTE_MAX),
        false => escaped(masked(url).as_str().as_bytes(), QUOTE_MAX),
    }
}

/// Resolves names to addresses within bounds, so that none can stand for another one later.
#[derive(Debug)]
pub(super) struct Bounded(pub(super) AddressPolicy);

/// A name whose addresses all lie out of bounds.
#[derive(Debug, thiserror::Error)]
#[error("none of its addresses is one that may be asked")]
pub(super) struct OutOfBounds;

impl Resolve for Bounded {
    fn resolve(&self, name: Name) -> Resolving {
        let bounds = self.0.clone();
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let within: Vec<SocketAddr> = all.filter(|a| bounds.allows(a.ip())).collect();
            if within.is_empty() {
                return Err(OutOfBounds.into());
            }
            Ok(Box::new(within.into_iter()) as Addrs)
        })
    }
}
