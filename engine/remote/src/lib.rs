//! Hosts: OpenSSH and local; control shell, workers, attempts.
