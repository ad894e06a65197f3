//! What people do by hand is found by the plan, mended by the run, and nothing else is touched.

use runbook_tests::site::Site;

use crate::{changed, difference, operator, run, site};

/// Something that was changed by hand: on which host, how, the instances that mend it, and what says that it is well.
struct Drift {
    host: &'static str,
    spoil: &'static str,
    mended_by: &'static str,
    well: &'static str,
    /// What of the identities of its host may be another afterwards.
    touches: &'static [&'static str],
}

const DRIFTS: &[Drift] = &[
    Drift {
        host: "db01",
        spoil: "firewall-cmd -q --zone=public --remove-port=443/tcp; firewall-cmd -q --permanent --zone=public --remove-port=443/tcp",
        mended_by: "lb_open:443/tcp@db01",
        well: "firewall-cmd --zone=public --query-port=443/tcp && firewall-cmd --permanent --zone=public --query-port=443/tcp",
        touches: &[],
    },
    Drift {
        host: "quay02",
        spoil: "podman stop -t 5 redis",
        mended_by: "redis@quay02",
        well: "podman ps --format '{{.Names}}' | grep -x redis",
        touches: &["redis"],
    },
    Drift {
        host: "quay03",
        spoil: "podman rm -f -t 5 redis && podman run -d --name redis --restart=always --env-file /etc/quay/redis.env -v /var/lib/redis:/var/lib/redis/data:Z -p 6379:6379 --sysctl net.core.somaxconn=511 registry.redhat.io/rhel8/redis-6",
        mended_by: "redis@quay03",
        well: "! podman inspect redis --format '{{json .Config.CreateCommand}}' | grep somaxconn",
        touches: &["redis"],
    },
    Drift {
        host: "quay03",
        spoil: "podman exec postgresql-clairv4 psql -U postgres -X -q -d clair -c 'drop extension \"uuid-ossp\"'",
        mended_by: "uuid@quay03",
        well: "podman exec postgresql-clairv4 psql -U postgres -XAt -d clair -c 'select extname from pg_extension' | grep -x uuid-ossp",
        touches: &[],
    },
    Drift {
        host: "ceph05",
        spoil: "sed -i 's/^devices/# by hand\\n&/; s/^ceph0/#&/' /etc/ansible/hosts",
        mended_by: "inventory@ceph05",
        well: "ansible-inventory -i /etc/ansible/hosts --list | grep -q ceph04",
        touches: &[],
    },
];

#[test]
fn drift_is_found_and_mended_and_nothing_else_is_touched() {
    let site = site();
    let before = site.identities();
    for drift in DRIFTS {
        site.on(drift.host, drift.spoil);
    }
    let operator = operator(&site, "site");
    let mut args = operator.run_args();
    args[0] = "plan".into();
    let plan = String::from_utf8_lossy(&operator.alone(&args).stdout).into_owned();
    for drift in DRIFTS {
        let (step, host) = drift.mended_by.split_once('@').unwrap_or_default();
        assert!(
            plan.contains(step) && plan.contains(host),
            "the plan does not find `{}`:\n{plan}",
            drift.mended_by
        );
    }
    run(&operator);
    let mut wanted: Vec<&str> = DRIFTS.iter().map(|drift| drift.mended_by).collect();
    wanted.sort_unstable();
    let mut mended = changed(&operator);
    mended.sort();
    let short: Vec<&str> = mended
        .iter()
        .map(|id| id.split_once('_').map_or(&**id, |(_, rest)| rest))
        .collect();
    assert_eq!(short, wanted, "what the run changed");
    all_well(&site);
    let unexpected: Vec<String> = difference(&before, &site.identities())
        .into_iter()
        .filter(|line| {
            !DRIFTS.iter().any(|drift| {
                line.starts_with(drift.host) && drift.touches.iter().any(|word| line.contains(word))
            })
        })
        .collect();
    assert_eq!(unexpected, Vec::<String>::new(), "what was touched beside");
}

fn all_well(site: &Site) {
    for drift in DRIFTS {
        site.on(drift.host, drift.well);
    }
}
