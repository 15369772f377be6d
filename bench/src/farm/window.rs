//! Which of all its proxies a farm lists: a window that can be moved on, so that old ones go and
//! new ones come.

use super::PROXIES_PER_BEHAVIOUR;
use super::behaviour::Behaviour;

/// So many proxies in a row, of all that some behaviours have. They take turns; a behaviour that is
/// given several times has as many turns in each round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Each behaviour of a round, how often it came before in it, and how often it comes in all.
    round: Vec<(Behaviour, u32, u32)>,
    first: usize,
    count: usize,
}

impl Window {
    /// The first `count` proxies of `behaviours`; `None` if there are not so many.
    pub fn first(count: usize, behaviours: &[Behaviour]) -> Option<Window> {
        let times = |some: &[Behaviour], behaviour: Behaviour| {
            let equal = some.iter().filter(|&&other| other == behaviour).count();
            u32::try_from(equal).unwrap_or(u32::MAX)
        };
        let place = |(at, &behaviour): (usize, &Behaviour)| {
            let rank = times(&behaviours[..at], behaviour);
            (behaviour, rank, times(behaviours, behaviour))
        };
        let window = Window {
            round: behaviours.iter().enumerate().map(place).collect(),
            first: 0,
            count,
        };
        (count <= window.most()).then_some(window)
    }

    /// How many proxies these behaviours have in all.
    pub fn most(&self) -> usize {
        let times = self.round.iter().map(|&(_, _, times)| times).max();
        let rounds = PROXIES_PER_BEHAVIOUR / times.unwrap_or(1);
        self.round.len() * rounds as usize
    }

    /// Moves on: the first `by` go, and as many come behind the last. Behind the last of all comes
    /// the first again.
    pub fn slide(&mut self, by: usize) {
        self.first = (self.first + by) % self.most().max(1);
    }

    /// Where it begins.
    pub fn begins(&self) -> usize {
        self.first
    }

    /// Its proxies by behaviour and number.
    pub fn proxies(&self) -> impl Iterator<Item = (Behaviour, u32)> {
        let most = self.most().max(1);
        (self.first..self.first + self.count).map(move |index| {
            let index = index % most;
            let (behaviour, rank, times) = self.round[index % self.round.len()];
            let rounds = u32::try_from(index / self.round.len()).unwrap_or(u32::MAX);
            (behaviour, rounds * times + rank)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const A: Behaviour = Behaviour::Forwards;
    const B: Behaviour = Behaviour::Refuses;

    fn proxies(window: &Window) -> Vec<(Behaviour, u32)> {
        window.proxies().collect()
    }

    #[test]
    fn behaviours_take_turns() {
        let window = Window::first(5, &[A, B]).expect("there are more");
        assert_eq!(proxies(&window), [(A, 0), (B, 0), (A, 1), (B, 1), (A, 2)]);
    }

    #[test]
    fn one_that_is_given_twice_has_twice_the_turns_and_no_proxy_twice() {
        let window = Window::first(7, &[B, A, B]).expect("there are more");
        assert_eq!(
            proxies(&window),
            [(B, 0), (A, 0), (B, 1), (B, 2), (A, 1), (B, 3), (B, 4)]
        );
        let all = Window::first(window.most(), &[B, A, B]).expect("all");
        let unique: HashSet<_> = all.proxies().collect();
        assert_eq!(unique.len(), all.most());
        assert!(
            unique
                .iter()
                .all(|&(_, number)| number < PROXIES_PER_BEHAVIOUR)
        );
        assert_eq!(Window::first(all.most() + 1, &[B, A, B]), None);
    }

    #[test]
    fn a_window_that_moves_on_keeps_what_is_still_in_it() {
        let mut window = Window::first(4, &[A, B]).expect("there are more");
        window.slide(3);
        assert_eq!(proxies(&window), [(B, 1), (A, 2), (B, 2), (A, 3)]);
        assert_eq!(window.begins(), 3);
    }

    #[test]
    fn behind_the_last_comes_the_first_again() {
        let mut window = Window::first(3, &[A]).expect("there are more");
        window.slide(PROXIES_PER_BEHAVIOUR as usize - 1);
        assert_eq!(proxies(&window), [(A, 65_535), (A, 0), (A, 1)]);
    }
}
