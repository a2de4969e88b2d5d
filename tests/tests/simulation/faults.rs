//! What goes wrong in a simulation, and when: all of it drawn from the seed.

use std::{collections::BTreeMap, time::Duration};

use coracle_service::Random;
use turmoil::Sim;

use crate::cluster::Member;

/// The longest time between two faults.
const PAUSE_MAX_MS: u64 = 6_000;
/// Shortest and longest fault. The longest outlives leases, grace periods and keepalives.
const LENGTH_MS: (u64, u64) = (50, 25_000);

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed, and started again later.
    Crash,
    /// Nothing passes between it and the apiserver; what was sent is lost.
    Partition,
    /// Nothing passes between it and the apiserver until later.
    Hold,
}

/// The faults of one simulation.
pub struct Faults {
    random: Random,
    next: Duration,
    /// What is wrong with whom, and until when.
    current: BTreeMap<Member, (Fault, Duration)>,
    /// What was done, for the report of a failure.
    pub log: Vec<String>,
}

impl Faults {
    /// Begins at `start`.
    pub fn new(random: Random, start: Duration) -> Self {
        Self {
            random,
            next: start,
            current: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// Whether the member is down on purpose.
    pub fn is_down(&self, member: Member) -> bool {
        matches!(self.current.get(&member), Some((Fault::Crash, _)))
    }

    /// Ends what is due at `now`, and begins something new when it is time.
    pub fn act(&mut self, now: Duration, sim: &mut Sim<'_>) {
        let due: Vec<Member> = self
            .current
            .iter()
            .filter(|(_, (_, until))| *until <= now)
            .map(|(member, _)| *member)
            .collect();
        for member in due {
            self.end(now, member, sim);
        }
        if now < self.next {
            return;
        }
        self.next = now + Duration::from_millis(self.random.below(PAUSE_MAX_MS));
        let members = Member::processes();
        let member = members[self.random.below(members.len() as u64) as usize];
        let fault = [Fault::Crash, Fault::Partition, Fault::Hold][self.random.below(3) as usize];
        // Mostly short ones, some long.
        let spread = self.random.below(LENGTH_MS.1 - LENGTH_MS.0) >> self.random.below(5);
        let until = now + Duration::from_millis(LENGTH_MS.0 + spread);
        if self.current.contains_key(&member) || (member == Member::Apiserver && fault != Fault::Crash) {
            return;
        }
        self.log
            .push(format!("{now:?}: {fault:?} {member:?} until {until:?}"));
        let (own, apiserver) = (member.ip(), Member::Apiserver.ip());
        match fault {
            Fault::Crash => sim.crash(own),
            Fault::Partition => sim.partition(own, apiserver),
            Fault::Hold => sim.hold(own, apiserver),
        }
        self.current.insert(member, (fault, until));
    }

    /// Ends everything.
    pub fn heal(&mut self, now: Duration, sim: &mut Sim<'_>) {
        while let Some((&member, _)) = self.current.first_key_value() {
            self.end(now, member, sim);
        }
    }

    fn end(&mut self, now: Duration, member: Member, sim: &mut Sim<'_>) {
        let (own, apiserver) = (member.ip(), Member::Apiserver.ip());
        match self.current.remove(&member) {
            Some((Fault::Crash, _)) => sim.bounce(own),
            Some((Fault::Partition, _)) => sim.repair(own, apiserver),
            Some((Fault::Hold, _)) => sim.release(own, apiserver),
            None => return,
        }
        self.log.push(format!("{now:?}: {member:?} is well"));
    }
}
