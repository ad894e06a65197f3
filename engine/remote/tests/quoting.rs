//! No value breaks out of its place, whatever it holds, in every shell.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use runbook_remote::{Param, Verdict};
use support::{Bench, LONG, body};

/// Texts that shells find hard, and any others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[^\0]{0,60}",
        r#"[-'"\\$`!*?(){};&|<>~#%= \n\r\t\x01-\x08\x7f\u{80}-\u{ff}]{0,40}"#,
        "(-[a-z]|\\$\\(id\\)|`id`|\\$\\{x\\}|'; id; '|\\\\'|\\\\n|\\\\0|\\n|EOF\\n|é|\u{1f600}){0,8}",
    ]
}

fn any_value_arrives(shell: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(Bench::new(shell));
    let script = "output text \"$text\"; output secret \"$secret\"; output string \"$(json_string \"$text\")\"
        eval \"set -- $list\"; output list \"$(json_list \"$@\")\"; differs \"$text\"";
    let values = (text(), text(), prop::collection::vec(text(), 0..5));
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&values, |(value, secret, list)| {
        let script = body(script)
            .param("text", Param::Text(value.clone()))
            .param("list", Param::List(list.clone()))
            .secret("secret", secret.clone());
        let report = runtime.block_on(bench.host.check(&script, LONG)).unwrap();
        prop_assert_eq!(
            &report.verdict,
            &Verdict::Differs(vec![value.clone()]),
            "{}",
            report.stderr.text
        );
        prop_assert_eq!(&report.outputs[0].1, &value);
        prop_assert_eq!(&report.outputs[1].1, &secret);
        prop_assert_eq!(
            serde_json::from_str::<String>(&report.outputs[2].1).unwrap(),
            value
        );
        prop_assert_eq!(
            serde_json::from_str::<Vec<String>>(&report.outputs[3].1).unwrap(),
            list
        );
        Ok(())
    });
    result.unwrap();
}

/// The same through the file of an attempt, with fewer cases: each is a detached process.
fn any_value_reaches_an_attempt(shell: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let bench = runtime.block_on(Bench::new(shell));
    let config = Config {
        cases: 6,
        failure_persistence: None,
        ..Config::default()
    };
    let mut number = 0;
    let attempt = std::cell::RefCell::new(&mut number);
    let result = TestRunner::new(config).run(&(text(), text()), |(value, secret)| {
        **attempt.borrow_mut() += 1;
        let name = format!("a-{}", attempt.borrow());
        let script = body("output text \"$text\"; output secret \"$secret\"; printf %s \"$text\"; printf %s \"$secret\" >&2")
            .param("text", Param::Text(value.clone()))
            .secret("secret", secret.clone());
        let ended = runtime.block_on(async {
            bench.host.start(&bench.job(&name, script)).await.unwrap();
            bench.host.wait(&bench.run, &support::id(&name), LONG).await.unwrap();
            bench.host.collect(&bench.run, &support::id(&name)).await.unwrap()
        });
        prop_assert_eq!(&ended.report.verdict, &Verdict::Satisfied);
        prop_assert_eq!(&ended.report.outputs[0].1, &value);
        prop_assert_eq!(&ended.report.outputs[1].1, &secret);
        prop_assert_eq!(&ended.report.stdout.text, &value);
        prop_assert_eq!(&ended.report.stderr.text, &secret);
        Ok(())
    });
    result.unwrap();
}

macro_rules! in_every_shell {
    ($($module:ident = $shell:literal,)*) => { $(mod $module {
        #[test] fn any_value_arrives() { super::any_value_arrives($shell); }
        #[test] fn any_value_reaches_an_attempt() { super::any_value_reaches_an_attempt($shell); }
    })* };
}

in_every_shell!(
    dash = "dash",
    bash = "bash --posix",
    busybox = "busybox sh",
    applets = "applets",
    mksh = "mksh",
);

#[test]
fn the_shell_sources_are_clean() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sh");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    let library: String = ["common.sh", "job.sh", "wrap.sh", "lock.sh", "shell.sh"]
        .iter()
        .map(|name| read(name))
        .collect();
    // what the controller sets before the library, and the two ways to start it
    let whole = format!(
        "#!/bin/sh\nrb_token=x RB='' RB_SH=sh rb_hash=h rb_lib=''\n{library}\nrb_file \"$@\"; rb_main\n"
    );
    for (what, text) in [
        ("library", whole),
        ("prelude", format!("#!/bin/sh\n{}", read("prelude.sh"))),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        // SC2317: shellcheck takes what comes after a function that ends in `exit` for unreachable
        let output = std::process::Command::new("shellcheck")
            .args(["-s", "sh", "-e", "SC2317"])
            .arg(file.path())
            .output();
        let output = output.expect("shellcheck is installed");
        assert!(
            output.status.success(),
            "{what}:\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
