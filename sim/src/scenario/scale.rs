//! The same question in less time: every time of a scenario, and every protocol constant, divided
//! by one number.
//!
//! What has no length is left as it is: counts, shares, sizes, the drift of a clock. A rate in
//! bytes per second grows by as much as the seconds shrink.

use distro_core::time::Period;

use super::model::{Action, ClientSpec, Scenario, What};

/// A period in the scaled scenario. Whatever took time still takes some, and never stays never.
pub(super) const fn divided(period: Period, scale: u32) -> Period {
    if period.0 == 0 || period.0 == Period::MAX.0 {
        return period;
    }
    let micros = period.0 / scale as u64;
    Period(if micros == 0 { 1 } else { micros })
}

/// The scenario with every time divided by `scale`.
#[must_use]
pub fn scaled(scenario: &Scenario, scale: u32) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.setting.time_scale = scale;
    if scale <= 1 {
        return scenario;
    }
    let shrink = |period: &mut Period| *period = divided(*period, scale);
    shrink(&mut scenario.duration);
    shrink(&mut scenario.link.latency_min);
    shrink(&mut scenario.link.latency_max);
    for node in &mut scenario.nodes {
        shrink(&mut node.start);
    }
    for client in &mut scenario.clients {
        shrink_client(client, shrink);
    }
    for action in &mut scenario.timeline {
        shrink_action(action, scale);
    }
    for list in &mut scenario.expect.lists {
        shrink(&mut list.at);
    }
    scenario
}

fn shrink_client(client: &mut ClientSpec, shrink: impl Fn(&mut Period)) {
    shrink(&mut client.start);
    if let Some(churn) = &mut client.churn {
        shrink(&mut churn.every);
        shrink(&mut churn.from);
        shrink(&mut churn.until);
    }
}

fn shrink_action(action: &mut Action, scale: u32) {
    let shrink = |period: &mut Period| *period = divided(*period, scale);
    shrink(&mut action.at);
    let What::Fault { fault, lasts } = &mut action.what else {
        return;
    };
    shrink(lasts);
    fault.scale(scale);
}

#[cfg(test)]
mod tests {
    use distro_core::profile::Profile;

    use super::*;
    use crate::scenario::parse;

    const FILE: &str = "about = \"x\"\nduration = \"60s\"\nnodes = 2\n\
        [timing]\nverify-interval = \"4s\"\n\
        [[timeline]]\nat = \"10s\"\nfor = \"20s\"\nfault = \"pause\"\nhosts = \"n1\"\n\
        [[timeline]]\nat = \"40s\"\nfault = \"partition\"\nfrom = \"n1\"\nto = \"n2\"\n\
        [[expect]]\nat = \"60s\"\nservice = \"orders\"\ninstances = 0\n";

    #[test]
    fn every_time_and_every_constant_shrinks_alike() {
        let scenario = scaled(&parse("x", FILE).unwrap(), 4);
        assert_eq!(scenario.duration, Period::from_secs(15));
        assert_eq!(scenario.timeline[0].at, Period::from_millis(2_500));
        let What::Fault { lasts, .. } = &scenario.timeline[0].what else {
            panic!("a fault");
        };
        assert_eq!(*lasts, Period::from_secs(5));
        let What::Fault { lasts, .. } = &scenario.timeline[1].what else {
            panic!("a fault");
        };
        assert_eq!(*lasts, Period::MAX);
        assert_eq!(scenario.expect.lists[0].at, Period::from_secs(15));
        let timing = scenario.timing(Profile::DISTRO);
        assert_eq!(timing.verify_interval, Period::from_secs(1));
        assert_eq!(timing.client_expired_time, Period::from_secs(45));
    }

    #[test]
    fn a_scale_of_one_changes_nothing() {
        let scenario = parse("x", FILE).unwrap();
        assert_eq!(scaled(&scenario, 1), scenario);
    }
}
