//! Who plays in the scenarios over a service: lists as they are in the wild.

/// What lists hold most of: no TLS, so that the figures are of the checker and not of the
/// cryptography.
pub const MIX: &str = "forwards,forwards_auth,forwards_auth_bare,forwards_auth_wrong,refuses,\
silent,mute,closes_at_once,resets,garbage,own_page,bad_gateway,forbidden,asks_auth,redirects,late,\
drips,endless_headers,endless_body,black_hole,socks5,socks5_auth,socks5_auth_bare,socks5_denies,\
socks4,socks5_as_http,socks4_as_http,http_as_socks5";

/// A list of which one in twenty works, and of the others one in four keeps its lane until the
/// deadline.
pub const FEW_ALIVE: &str = "forwards,refuses,silent,closes_at_once,black_hole,garbage,refuses,mute,\
own_page,refuses,resets,bad_gateway,silent,refuses,redirects,closes_at_once,black_hole,asks_auth,\
refuses,refuses";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::farm::{Aim, Behaviour};

    fn works(cast: &str) -> Vec<bool> {
        let behaviour = |label| Behaviour::from_label(label).expect("a label");
        let verdict = |label| behaviour(label).verdict(Aim::NoContent);
        cast.split(',')
            .map(|label| verdict(label) == "alive")
            .collect()
    }

    #[test]
    fn every_label_is_a_behaviour_and_one_in_twenty_of_the_few_works() {
        assert_eq!(works(MIX).len(), 28);
        let few = works(FEW_ALIVE);
        assert_eq!(
            (few.len(), few.iter().filter(|works| **works).count()),
            (20, 1)
        );
    }
}
