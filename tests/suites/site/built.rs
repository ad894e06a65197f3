//! What is there when the site was built: asked past the runbooks, of each part itself.

use runbook_tests::pusher::Pusher;
use runbook_tests::site::Site;

use crate::{PASSWORD, SUPERUSER, site};

#[test]
fn nine_empty_hosts_become_a_registry() {
    let site = site();
    balanced(&site);
    below(&site);
    generated_files(&site);
    let through = |host: &str| Pusher::of(&site, host, SUPERUSER, PASSWORD);
    for path in ["/health/instance", "/health/endtoend"] {
        for _ in 0..6 {
            assert_eq!(
                through("db01").status(path),
                200,
                "{path} through the load balancer"
            );
        }
    }
    let pushed = through("quay01").push("quayadmin/proof", "one", b"pushed through one node");
    let pushed = pushed.expect("a push through quay01");
    for host in ["quay02", "quay03", "db01"] {
        through(host)
            .pull(&pushed)
            .unwrap_or_else(|e| panic!("a pull through {host}: {e}"));
    }
}

/// HAProxy sees every node, and one server of Redis at a time.
fn balanced(site: &Site) {
    let stats = site.on(
        "db01",
        "echo 'show stat' | socat - UNIX-CONNECT:/var/lib/haproxy/stats | cut -d, -f1,2,18",
    );
    for backend in ["be_http", "be_https"] {
        for node in ["quay01", "quay02", "quay03"] {
            let line = format!("{backend},{node},UP");
            assert!(stats.lines().any(|l| l == line), "no `{line}`:\n{stats}");
        }
    }
    assert!(stats.contains("be_rgw,ceph04,UP"), "{stats}");
    assert!(stats.contains("be_redis,quay01,UP"), "{stats}");
}

/// PostgreSQL, Redis and Ceph.
fn below(site: &Site) {
    let extensions = site.on("db01", "podman exec postgresql_database psql -U postgres -XAt -d quaydb -c 'select extname from pg_extension'");
    assert!(extensions.lines().any(|l| l == "pg_trgm"), "{extensions}");
    for host in ["quay01", "quay02", "quay03"] {
        let pong = site.on(host, ". /etc/quay/redis.env; podman exec -e REDISCLI_AUTH=\"$REDIS_PASSWORD\" redis redis-cli ping; podman exec redis redis-cli ping || true");
        assert!(
            pong.contains("PONG") && pong.contains("NOAUTH"),
            "{host}: {pong}"
        );
    }
    let health = site.on("ceph01", "ceph health");
    assert!(health.starts_with("HEALTH_OK"), "{health}");
    let status = site.on("ceph01", "ceph -s");
    assert!(
        status.contains("3 osds: 3 up") && status.contains("3 daemons, quorum"),
        "{status}"
    );
    let user = site.on(
        "ceph01",
        "radosgw-admin user info --uid=quay --format=json | grep -c access_key",
    );
    assert_eq!(user.trim(), "1", "keys of the user");
    let buckets = site.on("ceph01", "radosgw-admin bucket list --uid=quay");
    assert!(buckets.contains("quay"), "{buckets}");
}

/// The tools themselves take what was written for them.
fn generated_files(site: &Site) {
    site.on("db01", "haproxy -c -q -f /etc/haproxy/haproxy.cfg");
    for host in ["ceph01", "ceph05"] {
        site.on(host, "visudo -cqf /etc/sudoers.d/ansibleadmin");
    }
    let inventory = site.on("ceph05", "ansible-inventory -i /etc/ansible/hosts --list");
    for group in ["mons", "osds", "mgrs", "rgws"] {
        assert!(inventory.contains(&format!("\"{group}\"")), "{inventory}");
    }
    for host in ["db01", "quay01", "ceph05"] {
        site.on(host, "sshd -t");
    }
}
