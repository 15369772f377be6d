//! Another configuration is in force.

use super::asked;
use super::event::{Action, Now};
use super::rounds::{doors_after, every};
use super::state::{State, quota, rules};
use super::sweeps::begun;
use crate::config::Config;
use crate::lanes::Wish;
use crate::ledger::moved;
use proxy_shards::{Candidate, ProbePolicy, Verdict};
use std::sync::Arc;

/// When a candidate has its turn in a sweep: the dead that let the time pass when they were last
/// checked go before the other dead. Begun at the end, they would hold their lanes long after all
/// others have ended.
pub(super) fn turn_ms(verdict: Option<Verdict>) -> u64 {
    match verdict {
        None | Some(Verdict::Alive) => 0,
        Some(Verdict::ResponseTimeout | Verdict::HandshakeTimeout) => 0,
        Some(Verdict::ConnectTimeout) => 1,
        Some(_) => 2,
    }
}

impl State {
    /// A reload begins: everything is due, and nothing is handed out before the targets answer.
    pub(super) fn configure(
        &mut self,
        reload: u64,
        config: Arc<Config>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let kept = self.origins.replace(&config.aggregator.sources);
        let addresses = &config.aggregator.addresses;
        let allows = |it: &Candidate| addresses.allows_proxy(&it.host, it.port);
        self.ledger.reorder_sources(&kept, allows);
        let forbidden = self.forbid(addresses);
        if self.ledger.total_alive() == 0 {
            let places = moved(
                &names_of(&self.config.checker.policy),
                &names_of(&config.checker.policy),
            );
            let stays = |it: &Candidate| allows(it) && !forbidden.contains(it);
            self.publisher.follow(&places, stays);
        }
        self.schedule.set_rules(rules(&config));
        self.ledger.set_quorum(config.api.report_quorum);
        self.change_policy(&config, now, actions);
        let wish = Wish::from(&config.checker);
        actions.push(Action::Lanes(self.lanes.set_wish(wish, now.clock_ms)));
        actions.push(Action::Pace(config.checker.connects_per_second));
        self.quota = quota(&config, self.dispatch.shards(), now);
        self.config = config;
        self.forget_over();
        let ledger = &self.ledger;
        (self.schedule).sweep(now.clock_ms, |index| turn_ms(ledger.verdict(index)));
        self.tell_of_end_before_time();
        self.sweep = begun(reload, now);
        self.without_way = 0;
        self.asked = asked::now(&self.config, now);
        self.saves.unsaved = true;
        self.tell_of_begin();
        self.publisher.note_pool();
    }

    /// The targets are tried anew before anything is probed. What is out under other targets says
    /// nothing about these.
    fn change_policy(&mut self, config: &Config, now: Now, actions: &mut Vec<Action>) {
        let (old, new) = (&self.config.checker.policy, &config.checker.policy);
        let same = old.targets == new.targets && old.require == new.require && old.mode == new.mode;
        if !same {
            self.schedule.outdate();
        }
        self.doors = doors_after(&self.doors, old, new);
        self.ledger.aim(new);
        for held in self.control.replace(new.clone(), every(config)) {
            self.give_held_back(&held, now);
        }
        actions.push(Action::Policy(self.control.policy().clone()));
    }
}

fn names_of(policy: &ProbePolicy) -> Vec<Box<str>> {
    policy.targets.iter().map(|t| t.name.clone()).collect()
}
