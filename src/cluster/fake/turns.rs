//! What happens as time passes: leases end, jobs are taken, the log is read.

use super::{LANES, LEASE_MS, Member, Probe, STEP_MS, World};
use crate::cluster::{Logged, News, NodeStat};
use crate::coordinator::Event;
use crate::coordinator::simulation::{EPOCH_MS, list, number};
use crate::sources::fetch::Fetched;
use proxy_shards::{Protocol, Record, Report, Tally, Targets, Timing, Verdict, Works};

impl World {
    /// Gives a node the checkpoint, if there is one, from which it goes on with the log.
    pub(super) fn catch_up(&mut self, place: usize) {
        let checkpoint = self.checkpoint.clone();
        let position = checkpoint.as_ref().map(|(_, position)| *position);
        self.members[place].position = position;
        if let Some((image, _)) = checkpoint {
            self.tell(place, News::Checkpoint(Box::new(image)));
            self.pass_log_on(place);
        }
    }

    /// What the node has not read of the log yet; from the checkpoint, if some of that is gone.
    fn pass_log_on(&mut self, place: usize) {
        let position = self.members[place].position;
        let Some(position) = position.filter(|&position| position >= self.trimmed) else {
            if self.checkpoint.is_some() {
                self.catch_up(place);
            }
            return;
        };
        let lines: Vec<Logged> = self.log[position - self.trimmed..].to_vec();
        self.members[place].position = Some(position + lines.len());
        if !lines.is_empty() {
            self.tell(place, News::Log(lines));
        }
    }

    pub(super) fn depose(&mut self, place: usize) {
        self.members[place].leads = false;
        self.members[place].waiting.clear();
        self.tell(place, News::Follows { leader: None });
        if !self.members[place].is_cut {
            self.catch_up(place);
        }
    }

    /// The lease ends by time, and the first that is heard has it next.
    fn elect(&mut self) {
        for place in 0..self.members.len() {
            let member = &mut self.members[place];
            // Who gave up leading does not renew what it holds.
            let renews = member.leads || self.leader != Some(place);
            if renews && !member.is_cut && !member.is_dead {
                member.heard_ms = self.now_ms;
            }
            // A little before the lease ends, by its own clock.
            let is_late = self.now_ms - member.heard_ms + 2 * STEP_MS >= LEASE_MS;
            if member.leads && is_late && !member.is_dead {
                self.depose(place);
            }
        }
        if let Some(place) = self.leader
            && self.now_ms - self.members[place].heard_ms >= LEASE_MS
        {
            self.leader = None;
            self.say_nodes();
        }
        let heard = |member: &Member| !member.is_cut && !member.is_dead;
        let Some(place) = self.members.iter().position(heard) else {
            return;
        };
        if self.leader.is_some() {
            return;
        }
        self.pass_log_on(place);
        self.jobs.clear();
        self.reports.clear();
        self.leader = Some(place);
        self.token = (self.token + 1).max(EPOCH_MS + self.now_ms);
        self.members[place].leads = true;
        let token = self.token;
        self.tell(place, News::Leads { token });
        for other in 0..self.members.len() {
            if other != place && heard(&self.members[other]) {
                let leader = Some(self.members[place].name.clone());
                self.tell(other, News::Follows { leader });
            }
        }
        self.say_nodes();
    }

    pub(super) fn say_nodes(&mut self) {
        let heard: Vec<usize> = (0..self.members.len())
            .filter(|&place| !self.members[place].is_dead && !self.members[place].is_cut)
            .collect();
        let stat = |&place: &usize| NodeStat {
            name: self.members[place].name.clone(),
            leads: self.leader == Some(place),
            lanes: LANES as u64,
            idle_because: self.members[place].idle_because.clone(),
            ..NodeStat::default()
        };
        let nodes: Vec<NodeStat> = heard.iter().map(stat).collect();
        for place in heard {
            self.tell(place, News::Nodes(nodes.clone()));
        }
    }

    /// Workers take jobs and end probes; what they report goes to the leader.
    fn work(&mut self, place: usize) {
        let (now_ms, token, token_holder) = (self.now_ms, self.token, self.leader);
        let member = &mut self.members[place];
        let works = member.idle_because.is_none() && !member.is_cut;
        while works
            && member.probes.len() < LANES
            && let Some(job) = self.jobs.pop_front()
        {
            let (verdict, after_ms) = (self.behaviour)(number(job.address.ip()), now_ms);
            let end_ms = now_ms + after_ms;
            member.probes.push(Probe {
                job,
                end_ms,
                verdict,
                token,
            });
        }
        if member.is_cut {
            return;
        }
        let ended: Vec<Probe> = member
            .probes
            .extract_if(.., |p| p.end_ms <= now_ms)
            .collect();
        let own = token_holder == Some(place);
        let controls = match own {
            true => std::mem::take(&mut member.controls),
            false => Vec::new(),
        };
        if ended.is_empty() && controls.is_empty() {
            return;
        }
        let mut tally = Tally::default();
        for probe in &ended {
            tally.record(probe.verdict, 50_000);
            *self
                .probed
                .entry(number(probe.job.address.ip()))
                .or_default() += 1;
        }
        let report = Report {
            shard: 0,
            records: ended.iter().map(record).collect(),
            controls,
            tally,
            in_flight: 0,
            queued: 0,
            lag_us: 0,
            restarts: 0,
        };
        self.reports.push_back(report);
    }

    /// The leader reads what was reported.
    fn pass_reports_on(&mut self) {
        let leader = self.leader.filter(|&leader| {
            let member = &self.members[leader];
            member.leads && !member.is_cut && !member.is_dead
        });
        let Some(leader) = leader else { return };
        while let Some(report) = self.reports.pop_front() {
            self.tell(leader, News::Report(Box::new(report)));
        }
    }

    /// Sources deliver to who fetches them, once for each reload.
    fn fetch(&mut self, place: usize) {
        let Some(reload) = self.members[place].fetches.take() else {
            return;
        };
        for source in 0..self.config.aggregator.sources.len() {
            let list = list((self.list)());
            let event = Event::Source {
                reload,
                source,
                outcome: Ok(Fetched::List(list)),
            };
            let now = self.now();
            let deeds = self.members[place].node.handle(event, now);
            self.perform(place, deeds);
        }
    }

    /// Lets time pass until then, or until `over` says so; whether it did.
    pub(in crate::cluster) fn run_until(
        &mut self,
        until_ms: u64,
        over: impl Fn(&World) -> bool,
    ) -> bool {
        while self.now_ms < until_ms {
            self.now_ms += STEP_MS;
            self.elect();
            for place in 0..self.members.len() {
                if self.members[place].is_dead {
                    continue;
                }
                self.fetch(place);
                self.work(place);
                self.pass_reports_on();
                if !self.members[place].leads && !self.members[place].is_cut {
                    self.pass_log_on(place);
                }
                self.tick(place);
            }
            if over(self) {
                return true;
            }
        }
        false
    }

    fn tick(&mut self, place: usize) {
        let now = self.now();
        for _ in 0..50 {
            if self.members[place].node.wake_at(now) > self.now_ms {
                return;
            }
            let deeds = self.members[place].node.handle(Event::Tick, now);
            self.perform(place, deeds);
        }
        panic!("{} spins at {} ms", self.members[place].name, self.now_ms);
    }

    /// The same, without anything to wait for.
    pub(in crate::cluster) fn pass(&mut self, ms: u64) {
        self.run_until(self.now_ms + ms, |_| false);
    }
}

fn record(probe: &Probe) -> Record {
    let mut works = Works::default();
    if probe.verdict == Verdict::Alive {
        works.set(Protocol::Http, Targets::first(1));
    }
    Record {
        attempts: 1,
        works,
        first: (probe.verdict == Verdict::Alive).then_some(Protocol::Http),
        timing: Timing {
            total_us: 50_000,
            connect_us: 1,
            ..Timing::default()
        },
        ..Record::unprobed(probe.job.id, probe.verdict)
    }
}
