//! The shipped step types, embedded as data: what a `uses:` can name without a file beside the runbook.
//!
//! A type is one YAML file under `types/`, with the scripts that run on the hosts. Nothing is
//! parsed here; the language does that, with the same checks as for a type that a user writes.

/// The shipped types, sorted by name: the name (`podman.image`) and the text of its file.
pub const TYPES: &[(&str, &str)] = &[
    ("acl", include_str!("../types/acl.yaml")),
    ("alert.silence", include_str!("../types/alert.silence.yaml")),
    ("ansible.ping", include_str!("../types/ansible.ping.yaml")),
    (
        "ansible.playbook",
        include_str!("../types/ansible.playbook.yaml"),
    ),
    ("archive.fetch", include_str!("../types/archive.fetch.yaml")),
    (
        "archive.unpack",
        include_str!("../types/archive.unpack.yaml"),
    ),
    ("block", include_str!("../types/block.yaml")),
    ("block.blank", include_str!("../types/block.blank.yaml")),
    ("ceph.flag", include_str!("../types/ceph.flag.yaml")),
    ("ceph.health", include_str!("../types/ceph.health.yaml")),
    (
        "ceph.orch_apply",
        include_str!("../types/ceph.orch_apply.yaml"),
    ),
    (
        "ceph.orch_host",
        include_str!("../types/ceph.orch_host.yaml"),
    ),
    (
        "ceph.osd_ready",
        include_str!("../types/ceph.osd_ready.yaml"),
    ),
    ("ceph.pool", include_str!("../types/ceph.pool.yaml")),
    (
        "cephadm.bootstrap",
        include_str!("../types/cephadm.bootstrap.yaml"),
    ),
    ("clair.config", include_str!("../types/clair.config.yaml")),
    ("clair.ready", include_str!("../types/clair.ready.yaml")),
    ("command", include_str!("../types/command.yaml")),
    (
        "command.always",
        include_str!("../types/command.always.yaml"),
    ),
    ("directory", include_str!("../types/directory.yaml")),
    ("fact", include_str!("../types/fact.yaml")),
    ("file", include_str!("../types/file.yaml")),
    (
        "firewalld.port",
        include_str!("../types/firewalld.port.yaml"),
    ),
    (
        "firewalld.rich_rule",
        include_str!("../types/firewalld.rich_rule.yaml"),
    ),
    (
        "firewalld.service",
        include_str!("../types/firewalld.service.yaml"),
    ),
    ("group", include_str!("../types/group.yaml")),
    (
        "haproxy.config",
        include_str!("../types/haproxy.config.yaml"),
    ),
    (
        "haproxy.server",
        include_str!("../types/haproxy.server.yaml"),
    ),
    (
        "host.disk_free",
        include_str!("../types/host.disk_free.yaml"),
    ),
    ("host.reboot", include_str!("../types/host.reboot.yaml")),
    (
        "host.resources",
        include_str!("../types/host.resources.yaml"),
    ),
    ("http.ok", include_str!("../types/http.ok.yaml")),
    ("ini", include_str!("../types/ini.yaml")),
    ("json.merge", include_str!("../types/json.merge.yaml")),
    ("line", include_str!("../types/line.yaml")),
    ("link", include_str!("../types/link.yaml")),
    ("name.resolves", include_str!("../types/name.resolves.yaml")),
    ("package", include_str!("../types/package.yaml")),
    (
        "podman.container",
        include_str!("../types/podman.container.yaml"),
    ),
    ("podman.exec", include_str!("../types/podman.exec.yaml")),
    ("podman.image", include_str!("../types/podman.image.yaml")),
    ("podman.login", include_str!("../types/podman.login.yaml")),
    ("podman.logs", include_str!("../types/podman.logs.yaml")),
    (
        "podman.network_reload",
        include_str!("../types/podman.network_reload.yaml"),
    ),
    (
        "podman.oneshot",
        include_str!("../types/podman.oneshot.yaml"),
    ),
    (
        "postgres.database",
        include_str!("../types/postgres.database.yaml"),
    ),
    ("postgres.dump", include_str!("../types/postgres.dump.yaml")),
    (
        "postgres.dump_valid",
        include_str!("../types/postgres.dump_valid.yaml"),
    ),
    (
        "postgres.extension",
        include_str!("../types/postgres.extension.yaml"),
    ),
    (
        "postgres.query",
        include_str!("../types/postgres.query.yaml"),
    ),
    (
        "postgres.restore",
        include_str!("../types/postgres.restore.yaml"),
    ),
    ("postgres.role", include_str!("../types/postgres.role.yaml")),
    (
        "postgres.server_ready",
        include_str!("../types/postgres.server_ready.yaml"),
    ),
    ("quay.config", include_str!("../types/quay.config.yaml")),
    (
        "quay.config_valid",
        include_str!("../types/quay.config_valid.yaml"),
    ),
    ("quay.health", include_str!("../types/quay.health.yaml")),
    (
        "quay.image_schema",
        include_str!("../types/quay.image_schema.yaml"),
    ),
    ("quay.instance", include_str!("../types/quay.instance.yaml")),
    (
        "quay.none_running",
        include_str!("../types/quay.none_running.yaml"),
    ),
    ("quay.queue", include_str!("../types/quay.queue.yaml")),
    ("quay.schema", include_str!("../types/quay.schema.yaml")),
    (
        "quay.superuser",
        include_str!("../types/quay.superuser.yaml"),
    ),
    ("rados.object", include_str!("../types/rados.object.yaml")),
    ("redis.ping", include_str!("../types/redis.ping.yaml")),
    (
        "registry.push_pull",
        include_str!("../types/registry.push_pull.yaml"),
    ),
    ("rgw.user", include_str!("../types/rgw.user.yaml")),
    ("s3.bucket", include_str!("../types/s3.bucket.yaml")),
    ("s3.object", include_str!("../types/s3.object.yaml")),
    ("script", include_str!("../types/script.yaml")),
    ("script.always", include_str!("../types/script.always.yaml")),
    (
        "selinux.boolean",
        include_str!("../types/selinux.boolean.yaml"),
    ),
    (
        "selinux.context",
        include_str!("../types/selinux.context.yaml"),
    ),
    ("service", include_str!("../types/service.yaml")),
    (
        "ssh.authorized_key",
        include_str!("../types/ssh.authorized_key.yaml"),
    ),
    ("ssh.key", include_str!("../types/ssh.key.yaml")),
    (
        "ssh.known_host",
        include_str!("../types/ssh.known_host.yaml"),
    ),
    (
        "subscription.registered",
        include_str!("../types/subscription.registered.yaml"),
    ),
    (
        "subscription.repos",
        include_str!("../types/subscription.repos.yaml"),
    ),
    ("sudoers", include_str!("../types/sudoers.yaml")),
    ("sysctl", include_str!("../types/sysctl.yaml")),
    ("systemd.unit", include_str!("../types/systemd.unit.yaml")),
    ("tcp.open", include_str!("../types/tcp.open.yaml")),
    ("template", include_str!("../types/template.yaml")),
    ("time.synced", include_str!("../types/time.synced.yaml")),
    (
        "tls.certificate",
        include_str!("../types/tls.certificate.yaml"),
    ),
    ("user", include_str!("../types/user.yaml")),
    ("yaml.merge", include_str!("../types/yaml.merge.yaml")),
];

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::TYPES;

    #[test]
    fn the_list_and_the_folder_agree() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("types");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| {
                name.strip_suffix(".yaml")
                    .expect("only YAML lives there")
                    .to_owned()
            })
            .collect();
        files.sort();
        let listed: Vec<&str> = TYPES.iter().map(|(name, _)| *name).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn a_file_says_its_own_name_first() {
        for (name, text) in TYPES {
            assert!(text.starts_with(&format!("type: {name}\n")), "{name}");
        }
    }
}
