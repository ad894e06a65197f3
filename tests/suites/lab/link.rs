//! A link that is lost, for one controller alone, and comes back when somebody else has the run or its hosts: whose they
//! are is asked again before anything else is done.

use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use runbook_model::{Event, Record};
use runbook_tests::lab::{Lab, NODES};
use runbook_tests::operator::{Operator, Session, binary};
use runbook_tests::root;
use runbook_tests::terminal::{DEADLINE, MOMENT};

use super::assert_says;
use super::overlap::{self, counted, inventory_text, lock, said};

/// Where the run counts its effects.
const PATH: &str = "/var/tmp/survive-effects";
/// Whoever has this in the environment goes to the hosts directly.
const DIRECT: &str = "RUNBOOK_TEST_DIRECT";
/// Effects of the run before the link is lost, and all of them.
const BEFORE: [&str; 3] = ["long", "one", "two"];
const ALL: [&str; 5] = ["four", "long", "one", "three", "two"];

/// Ways to the hosts, which can be cut together.
struct Links {
    ports: Vec<u16>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    cut: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Links {
    /// To these hosts, over ports of this machine.
    fn to(hosts: &[&str], lab: &Lab) -> Self {
        let inventory = std::fs::read_to_string(&lab.inventory).expect("the lab has an inventory");
        let shared = Arc::<Shared>::default();
        let ports = hosts.iter().map(|host| {
            let begin = format!("{host}: {{ address: ");
            let at = inventory.find(&begin).expect("the host is in it") + begin.len();
            let (address, _) = inventory[at..].split_once(',').expect("more follows");
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
            let port = listener.local_addr().expect("it has one").port();
            let (shared, to) = (Arc::clone(&shared), format!("{address}:22"));
            // It ends with the test's process.
            std::thread::spawn(move || {
                for incoming in listener.incoming().flatten() {
                    shared.join(incoming, &to);
                }
            });
            port
        });
        Self {
            ports: ports.collect(),
            shared: Arc::clone(&shared),
        }
    }

    /// A configuration of ssh that goes these ways, but for whoever goes directly.
    fn config(&self, hosts: &[&str], lab: &Lab) -> String {
        let mut text = String::new();
        for (host, port) in hosts.iter().zip(&self.ports) {
            text.push_str(&format!(
                "Match originalhost {host} exec \"test -z ${DIRECT}\"\n  HostName 127.0.0.1\n  Port {port}\n  \
                 HostKeyAlias {host}\n"
            ));
        }
        let folder = lab.inventory.parent().expect("it lies in a directory");
        text.push_str(&format!(
            "Match all\n  Include {}/ssh_config\n",
            folder.display()
        ));
        text
    }

    fn cut(&self) {
        self.shared.cut.store(true, Ordering::SeqCst);
        let mut open = self
            .shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn heal(&self) {
        self.shared.cut.store(false, Ordering::SeqCst);
    }
}

impl Shared {
    /// Carries bytes both ways, until it is cut.
    fn join(&self, here: TcpStream, to: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(there) = (!self.cut.load(Ordering::SeqCst)).then(|| TcpStream::connect(to).ok())
        else {
            return;
        };
        let Some(there) = there else { return };
        for (from, to) in [(&here, &there), (&there, &here)] {
            let (Ok(mut from), Ok(mut to)) = (from.try_clone(), to.try_clone()) else {
                return;
            };
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
        open.extend([here, there]);
    }
}

/// Somebody at work without a terminal.
struct Other(Option<Child>);

impl Drop for Other {
    /// A test that fails leaves nobody at work on the hosts of the next one.
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Other {
    /// Begins directly, not over the links.
    fn direct(args: &[&str], operator: &Operator) -> Self {
        let state = operator.file("here", "").with_file_name("state");
        let child = Command::new(binary())
            .args(args)
            .arg("--state")
            .arg(state)
            .env(DIRECT, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self(Some(child.expect("the binary can be started")))
    }

    fn ends_well(mut self) {
        let child = self.0.take().expect("it ends once");
        let output = child.wait_with_output().expect("it can be waited for");
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
}

/// Three hosts over links, and a run on them whose long effects are launched.
fn begun(lab: &Lab, seconds: u32) -> (Links, Operator, Session) {
    for node in NODES {
        lab.on(node, "rm -f /var/tmp/survive-*");
    }
    let links = Links::to(&NODES, lab);
    let mut operator = Operator::new(&root().join("tests/survive/survive.yaml"), &lab.inventory);
    let config = operator.file("ssh_config", &links.config(&NODES, lab));
    let text = inventory_text(&config.to_string_lossy(), &NODES);
    operator.inventory = operator.file("inventory.yaml", &text);
    operator.inputs = Some(operator.file("inputs.yaml", &format!("long: {seconds}\n")));
    let mut night = operator.run();
    let mut launched = 0;
    night.until("all long effects run", |record, node| {
        launched += usize::from(node.starts_with("long") && is_launch(record));
        launched == NODES.len()
    });
    (links, operator, night)
}

fn is_launch(record: &Record) -> bool {
    matches!(record.event, Event::Launched { .. })
}

/// What a controller has begun after this many of its records.
fn begun_after(operator: &Operator, seq: u64) -> usize {
    let records = operator.seen().journal.records;
    let begins = |event: &Event| matches!(event, Event::Dispatched { .. } | Event::Launched { .. });
    let later = records.iter().filter(|record| record.seq > seq);
    later.filter(|record| begins(&record.event)).count()
}

/// Waits until this is so.
#[track_caller]
fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "it never came to this: {what}");
        std::thread::sleep(MOMENT);
    }
}

/// Each node has these lines once, and the first one these as well.
#[track_caller]
fn assert_counted(lab: &Lab, lines: &[&str], of_first: &[&str]) {
    for node in NODES {
        let mut wanted = lines.to_vec();
        if node == NODES[0] {
            wanted.extend(of_first);
        }
        wanted.sort_unstable();
        assert_eq!(counted(lab, node, PATH), wanted, "{node}");
    }
}

#[test]
fn a_run_that_was_taken_over_while_the_link_was_out_is_refused_when_it_is_back() {
    let lab = Lab::fresh();
    let (links, operator, mut night) = begun(&lab, 45);
    links.cut();
    let (id, last) = (operator.runs()[0].clone(), operator.seen().state.seq);
    let file = operator.file("here", "").with_file_name("run.tar");
    let words = ["runs", "export", id.as_str(), "--out"];
    let mut words: Vec<std::ffi::OsString> = words.map(Into::into).into();
    words.push(file.clone().into());
    let exported = operator.alone(&words);
    assert!(exported.status.success(), "{}", said(&exported));

    let colleague = Operator::new(&operator.runbook, &operator.inventory);
    let file = file.to_string_lossy();
    let words = [
        "takeover",
        id.as_str(),
        "--from",
        &file,
        "--reason",
        "a link is out",
    ];
    let theirs = Other::direct(&words, &colleague);
    wait_for("all hosts are theirs", || {
        let seen = colleague.begun();
        let records = seen.map(|seen| seen.journal.records).unwrap_or_default();
        let theirs = records.iter().filter(|record| record.epoch.0 > 1);
        let ready = theirs.filter(|record| matches!(record.event, Event::HostReady { .. }));
        ready.count() == NODES.len()
    });
    assert!(night.terminal.runs(), "it still waits for its link");
    links.heal();
    let text = night.ends_with(6);
    assert_says(&text, &["another controller"]);
    // The long effects still run, or have just ended: nothing has followed on them here.
    assert_eq!(begun_after(&operator, last), 0);
    theirs.ends_well();
    assert_counted(&lab, &ALL, &["blind"]);
    for node in NODES {
        assert_eq!(lock(&lab, node), "", "{node}");
    }
}

#[test]
fn a_run_whose_hosts_another_one_has_when_the_link_is_back_does_nothing_there() {
    let lab = Lab::fresh();
    let (links, operator, mut night) = begun(&lab, 15);
    links.cut();
    let last = operator.seen().state.seq;
    // Somebody is sure that the run is gone for good, and frees its hosts by hand.
    let id = operator.runs()[0].to_string();
    for node in NODES {
        assert!(lock(&lab, node).starts_with(&format!("{id} ")), "{node}");
        lab.on(node, "rm /var/lib/runbook/lock");
    }
    let other = overlap::operator(&lab, &NODES, "other", 40);
    let args: Vec<_> = other.run_args();
    let args: Vec<_> = args
        .iter()
        .map(|arg| arg.to_str().expect("it is UTF-8"))
        .collect();
    let theirs = Other::direct(&args, &other);
    wait_for("the other run does something", || {
        let seen = other.begun();
        seen.is_some_and(|seen| seen.journal.records.iter().any(is_launch))
    });
    links.heal();
    let text = night.ends_with(6);
    let text: Vec<_> = text.split_whitespace().collect();
    assert_says(&text.join(" "), &["has the lock", other.runs()[0].as_str()]);
    assert_eq!(begun_after(&operator, last), 0);
    theirs.ends_well();
    // What ran without its controller has ended meanwhile, and nothing has followed on it. The hosts are free again.
    assert_counted(&lab, &BEFORE, &[]);
    operator.resume().ends_with(0);
    assert_counted(&lab, &ALL, &["blind"]);
    for node in NODES {
        assert_eq!(
            counted(&lab, node, "/var/tmp/survive-overlap"),
            ["other"],
            "{node}"
        );
        assert_eq!(lock(&lab, node), "", "{node}");
    }
}
