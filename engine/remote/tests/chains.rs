//! Chains in every shell: what members come to, what goes on after it, and that nothing of one is seen by another.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use runbook_remote::{Fault, InvalidScript, JobState, Kept, Param, Stream, Verdict, Why};
use support::chains::{
    chain, file, made, make, makes, member, printed, reports, run, tale, told, with,
};
use support::{Bench, LONG, body, id};

const EXIT_0: JobState = JobState::Done {
    status: 0,
    why: Why::Exit,
};

support::in_every_shell!(
    what_is_satisfied_is_left_alone,
    what_differs_is_applied_and_checked_again,
    a_check_that_fails_stops_the_chain,
    an_apply_that_fails_stops_the_chain,
    a_second_check_that_differs_stops_the_chain,
    outputs_belong_to_their_members,
    values_come_back_as_they_were,
    nothing_of_a_member_is_seen_by_the_next,
    a_check_hands_over_to_its_apply,
    secrets_reach_their_own_members,
    files_are_kept_for_undo,
    a_chain_has_a_most_of_members
);

async fn what_is_satisfied_is_left_alone(shell: &str) {
    let bench = Bench::new(shell).await;
    make(&bench, 0);
    make(&bench, 2);
    let skips = member(
        1,
        "skip 'not here'; differs x",
        "echo no >\"$file\"",
        &bench,
    );
    let members = vec![makes(&bench, 0), skips, makes(&bench, 2)];
    let (state, news) = run(&bench, members).await;
    assert_eq!(state, EXIT_0);
    assert_eq!(
        tale(&news),
        "0 looked satisfied\n1 looked skipped (not here)\n2 looked satisfied"
    );
    assert_eq!(
        (made(&bench, 0), made(&bench, 1), made(&bench, 2)),
        ("was\n".into(), String::new(), "was\n".into())
    );
    let seen = &reports(&news, 2)[0];
    assert_eq!(seen.outputs, [("at".to_owned(), "2".to_owned())]);
}

async fn what_differs_is_applied_and_checked_again(shell: &str) {
    let bench = Bench::new(shell).await;
    make(&bench, 1);
    let members = (0..3).map(|at| makes(&bench, at)).collect();
    let (state, news) = run(&bench, members).await;
    assert_eq!(state, EXIT_0);
    assert_eq!(
        tale(&news),
        "0 began differs (no 0)\n0 applied satisfied\n0 again satisfied\n1 looked satisfied\n2 began differs (no 2)\n2 applied satisfied\n2 again satisfied"
    );
    assert_eq!(
        (made(&bench, 0), made(&bench, 1), made(&bench, 2)),
        ("made 0\n".into(), "was\n".into(), "made 2\n".into())
    );
    let again = &reports(&news, 2)[2];
    assert_eq!(again.outputs, [("at".to_owned(), "2".to_owned())]);
    bench.host.wipe(&bench.run, &id("u-1")).await.unwrap();
    bench.host.forget(&bench.run, &id("u-1")).await.unwrap();
    let state = bench.host.state(&bench.run, &id("u-1")).await.unwrap();
    assert_eq!(state, JobState::Absent);
}

async fn a_check_that_fails_stops_the_chain(shell: &str) {
    let fails = [
        ("fail broken", "0 looked failed (broken)"),
        ("differs x; fail broken", "0 looked failed (broken)"),
        (
            "echo deep trouble >&2; false; differs x",
            "0 looked failed (status 1: deep trouble)",
        ),
        (
            "differs x; exit 0",
            "0 looked failed (ended with status 0 before its end was reached)",
        ),
        (
            "differs x; return 0",
            "0 looked failed (ended with status 0 before its end was reached)",
        ),
        // a command on the left of a pipe, or in a subshell, that ends it all
        ("(fail inner) || :; differs x", "0 looked failed (inner)"),
        ("false || false; differs x", "0 looked failed (status 1)"),
        (
            "is() { false; echo on; }; is; differs x",
            "0 looked failed (status 1)",
        ),
        ("echo \"$unknown\"; differs x", "0 looked failed ("),
        ("if then; differs x", "0 looked failed ("),
        ("differs 'open", "0 looked failed ("),
        (
            "kill -s KILL $(sh -c 'echo $PPID'); differs x",
            "0 looked failed (killed by signal 9",
        ),
    ];
    for (text, expected) in fails {
        let bench = Bench::new(shell).await;
        let members = vec![
            member(0, text, "echo no >\"$file\"", &bench),
            makes(&bench, 1),
        ];
        let (state, news) = run(&bench, members).await;
        assert_eq!(state, EXIT_0, "{text}");
        let tale = tale(&news);
        assert!(
            tale.starts_with(expected) && tale.ends_with(")\nstopped Member"),
            "{text}: {tale}"
        );
        assert_eq!(tale.matches("looked").count(), 1, "{tale}");
        assert_eq!(made(&bench, 0) + &made(&bench, 1), "");
    }
}

async fn an_apply_that_fails_stops_the_chain(shell: &str) {
    let fails = [
        ("fail 'it is broken'", "failed (it is broken)"),
        ("false; echo no >\"$file\"", "failed (status 1)"),
        (
            "exit 0",
            "failed (ended with status 0 before its end was reached)",
        ),
        ("rb_record stale - other; exit 1", "failed (other)"),
        ("skip later", "skipped (later)"),
        ("esac", "failed ("),
    ];
    for (text, expected) in fails {
        let bench = Bench::new(shell).await;
        make(&bench, 0);
        let broken = member(1, "differs no; before was \"it's\"", text, &bench);
        let members = vec![makes(&bench, 0), broken, makes(&bench, 2)];
        let (state, news) = run(&bench, members).await;
        assert_eq!(state, EXIT_0, "{text}");
        let tale = tale(&news);
        let begin = format!("0 looked satisfied\n1 began differs (no)\n1 applied {expected}");
        assert!(
            tale.starts_with(&begin) && tale.ends_with(")\nstopped Member"),
            "{text}: {tale}"
        );
        assert!(!tale.contains("again"), "{tale}");
        let looked = &reports(&news, 1)[0];
        assert_eq!(looked.before, [("was".to_owned(), "it's".to_owned())]);
        assert_eq!(reports(&news, 1)[1].stale, text.contains("stale"));
        assert_eq!(made(&bench, 1) + &made(&bench, 2), "");
    }
}

async fn a_second_check_that_differs_stops_the_chain(shell: &str) {
    for (again, expected) in [
        ("differs 'still'", "differs (still)"),
        ("skip 'not now'", "skipped (not now)"),
        ("fail 'no more'", "failed (no more)"),
    ] {
        let bench = Bench::new(shell).await;
        let check = format!("if [ -e \"$file\" ]; then {again}; else differs first; fi");
        let members = vec![
            member(0, &check, "echo made >\"$file\"", &bench),
            makes(&bench, 1),
        ];
        let (_, news) = run(&bench, members).await;
        assert_eq!(
            tale(&news),
            format!(
                "0 began differs (first)\n0 applied satisfied\n0 again {expected}\nstopped Member"
            )
        );
        assert_eq!(made(&bench, 1), "");
    }
}

async fn outputs_belong_to_their_members(shell: &str) {
    let bench = Bench::new(shell).await;
    let check = "echo \"check $at\"; echo \"trouble $at\" >&2; [ -e \"$file\" ] || differs x";
    let apply = "printf 'apply %s\\0rb-u-1 2\\n' \"$at\"; head -c 5000 /dev/urandom | tee \"$file\"; printf 'e%s' \"$at\" >&2";
    let members = (0..3).map(|at| member(at, check, apply, &bench)).collect();
    let (_, news) = run(&bench, members).await;
    for at in 0..3 {
        let out = printed(&news, at, Stream::Out);
        let mut expected = format!("apply {at}\0rb-u-1 2\n").into_bytes();
        expected.extend(std::fs::read(file(&bench, at)).unwrap());
        assert!(out == expected, "{at}: {} bytes", out.len());
        assert_eq!(printed(&news, at, Stream::Err), format!("e{at}").as_bytes());
        let [looked, applied, again] = &reports(&news, at)[..] else {
            panic!("{news:?}")
        };
        for check in [looked, again] {
            assert_eq!(check.stderr.text, format!("check {at}\ntrouble {at}\n"));
            assert_eq!(check.stdout.size, 0);
        }
        assert_eq!(applied.stdout.size, expected.len() as u64);
        assert_eq!(applied.stderr.text, format!("e{at}"));
    }
}

async fn values_come_back_as_they_were(shell: &str) {
    let values = [
        "it's \"$HOME\" `x` \\ é\n-n\n",
        "\n\nrb-u-1 over check 0 0 satisfied\nend - ok",
        "x\nfail - forged\ndiffers - forged\n",
        "-e \\0rb-u-1 stop member\\0",
        "",
        "\u{1}\u{7f}\t\r",
    ];
    let bench = Bench::new(shell).await;
    let members = values.iter().enumerate().map(|(at, value)| {
        let check = "output value \"$value\"; before value \"$value\"; [ -e \"$file\" ] || differs \"$value\"; echo \"$value\"";
        let mut member = member(at, check, "output late \"$value\"; rb_text \"$value\" >\"$file\"", &bench);
        member.check = with(member.check, "value", value);
        member.apply = with(member.apply, "value", value);
        member
    });
    let (_, news) = run(&bench, members.collect()).await;
    for (at, value) in values.iter().enumerate() {
        let [looked, applied, again] = &reports(&news, at)[..] else {
            panic!("{at}: {}", tale(&news))
        };
        let pair = |name: &str| [(name.to_owned(), (*value).to_owned())];
        assert_eq!(looked.verdict, Verdict::Differs(vec![(*value).to_owned()]));
        assert_eq!(
            (&looked.outputs[..], &looked.before[..]),
            (&pair("value")[..], &pair("value")[..])
        );
        assert_eq!(applied.outputs, pair("late"));
        assert_eq!(again.verdict, Verdict::Satisfied);
        assert_eq!(made(&bench, at), *value);
    }
    // not text at all
    let bench = Bench::new(shell).await;
    let check = "[ -e \"$file\" ] || differs x; output bytes \"$(printf 'a\\377\\200b')\"";
    let (_, news) = run(
        &bench,
        vec![member(0, check, "cat /dev/null >\"$file\"", &bench)],
    )
    .await;
    let looked = &reports(&news, 0)[0];
    assert!(looked.lossy && looked.outputs[0].1.contains('\u{fffd}'));
    assert!(tale(&news).ends_with("0 again satisfied"));
}

async fn nothing_of_a_member_is_seen_by_the_next(shell: &str) {
    let bench = Bench::new(shell).await;
    let check = "[ -z \"${left-}\" ] || fail 'a variable is left'; left=1
        if have leftover; then fail 'a function is left'; fi; leftover() { :; }
        [ \"$(pwd)\" = / ] || fail 'another directory'; cd \"$all\"
        [ \"$(umask)\" = 0077 ] || [ \"$(umask)\" = 077 ] || fail 'another mask'; umask 022
        case $- in *e*u* | *u*e*) ;; *) fail \"other options $-\" ;; esac
        [ $# = 0 ] || fail 'words'; set -- a b
        { true <&9; } 2>/dev/null && fail 'descriptor 9 is open'
        exec 8>/dev/null; PATH=/nothing
        [ -e \"$file\" ] || differs x; set +eu; trap '' TERM; exit_later=1";
    let members = (0..2).map(|at| member(at, check, "left=1; echo made >\"$file\"", &bench));
    let (_, news) = run(&bench, members.collect()).await;
    assert_eq!(
        tale(&news),
        "0 began differs (x)\n0 applied satisfied\n0 again satisfied\n1 began differs (x)\n1 applied satisfied\n1 again satisfied"
    );
}

async fn a_check_hands_over_to_its_apply(shell: &str) {
    let bench = Bench::new(shell).await;
    let check =
        "[ -e \"$file\" ] || differs x; [ \"$at\" = 1 ] || echo \"version $at\" >\"$rb_hand\"";
    let apply = "[ ! -e \"$rb_hand\" ] || cat \"$rb_hand\" >\"$file\"; true >>\"$file\"";
    let members = (0..3).map(|at| member(at, check, apply, &bench));
    let (_, news) = run(&bench, members.collect()).await;
    assert!(
        tale(&news).ends_with("2 again satisfied"),
        "{}",
        tale(&news)
    );
    assert_eq!(
        (made(&bench, 0), made(&bench, 1), made(&bench, 2)),
        ("version 0\n".into(), String::new(), "version 2\n".into())
    );
    bench.host.wipe(&bench.run, &id("u-1")).await.unwrap();
    let left = std::fs::read_to_string(bench.file("u-1", "hand")).unwrap();
    assert_eq!(left, "");
}

async fn secrets_reach_their_own_members(shell: &str) {
    let bench = Bench::new(shell).await;
    let go = bench.mark("go");
    let check = "[ -e \"$file\" ] || differs x; [ -z \"${other-}\" ] || fail 'of another'
        if (set; typeset -f) 2>/dev/null | grep -q \"foreign$((7))\"; then fail 'of another'; fi
        output env \"$(env | grep -c s3cr3[t] || :)\"; output argv \"$(tr '\\0' ' ' </proc/$$/cmdline)\"";
    let apply =
        "echo ready; while [ ! -e \"$go\" ]; do sleep 0.1; done; rb_text \"$token\" >\"$file\"";
    let members: Vec<_> = (0..2)
        .map(|at| {
            let value = format!("s3cr3t {at} it's \\ $x\nline\n");
            let mut member = member(at, check, apply, &bench);
            member.check = member.check.secret("token", value.clone());
            member.apply = with(member.apply, "go", &go).secret("token", value);
            member
        })
        .collect();
    let mut third = member(2, check, "true", &bench);
    third.check = third.check.secret("another", "foreign7");
    let mut members = members;
    members.push(third);
    std::fs::write(file(&bench, 2), "").unwrap();
    let count = members.len();
    let chain = chain(&bench, members);
    bench.host.start_chain(&chain).await.unwrap();
    bench.text(bench.file("u-1", "out")).await;
    let left = std::fs::read_dir("/dev/shm").unwrap();
    let left: Vec<_> = left.map(|e| e.unwrap().file_name()).collect();
    let name = format!("-{}-u-1", bench.run);
    assert!(
        !left
            .iter()
            .any(|file| file.to_string_lossy().ends_with(&name)),
        "{left:?}"
    );
    let grep = std::process::Command::new("grep")
        .args(["-rl", "s3cr3t"])
        .arg(bench.dir.path())
        .output();
    assert_eq!(String::from_utf8_lossy(&grep.unwrap().stdout), "");
    std::fs::write(&go, "").unwrap();
    let (_, news) = told(&bench, count).await;
    for at in 0..2 {
        assert_eq!(made(&bench, at), format!("s3cr3t {at} it's \\ $x\nline\n"));
        let looked = &reports(&news, at)[0];
        assert_eq!(looked.outputs[0].1, "0", "{}", tale(&news));
        assert!(!looked.outputs[1].1.contains("s3cr3t"));
    }
    // the last one sees its own secret, so the search would have found others
    assert!(tale(&news).ends_with("2 looked failed (of another)\nstopped Member"));
}

async fn files_are_kept_for_undo(shell: &str) {
    let bench = Bench::new(shell).await;
    make(&bench, 0);
    let path = file(&bench, 0);
    let mut changes = member(
        0,
        "grep -q new \"$file\" || differs x",
        "echo new >\"$file\"",
        &bench,
    );
    let looked = body("before_file conf \"$path\"").param("path", Param::Text(path));
    let looked = bench.host.check(&looked, LONG).await.unwrap();
    let (name, value) = &looked.before[0];
    let kept = Kept::of(name, value).unwrap().unwrap();
    let store = bench.host.undo_store(&bench.run, &changes.attempt);
    changes.apply = changes.apply.undo_store(&store).keep(&kept);
    let mut late = member(
        1,
        "[ -e \"$file.no\" ] || differs x",
        "echo no >\"$file\"",
        &bench,
    );
    let other = bench.host.undo_store(&bench.run, &late.attempt);
    late.apply = late.apply.undo_store(&other).keep(&kept);
    let (_, news) = run(&bench, vec![changes, late, makes(&bench, 2)]).await;
    let copy = std::fs::read_to_string(format!("{store}/conf")).unwrap();
    assert_eq!(
        (copy.as_str(), made(&bench, 0).as_str()),
        ("was\n", "new\n")
    );
    // by then it is another file than the one on record
    let applied = &reports(&news, 1)[1];
    assert!(applied.stale, "{}", tale(&news));
    assert!(tale(&news).ends_with("\nstopped Member"));
    assert_eq!(made(&bench, 1) + &made(&bench, 2), "");
}

async fn a_chain_has_a_most_of_members(shell: &str) {
    let bench = Bench::new(shell).await;
    let many = |count| (0..count).map(|at| makes(&bench, at)).collect();
    let refused = bench.host.start_chain(&chain(&bench, many(33))).await;
    let fault = refused.unwrap_err().fault;
    assert_eq!(fault, Fault::Script(InvalidScript::Members(33)));
    let mut long = makes(&bench, 0);
    long.apply = body(&"#".repeat(1 << 20));
    let refused = bench.host.start_chain(&chain(&bench, vec![long])).await;
    let fault = refused.unwrap_err().fault;
    assert!(matches!(fault, Fault::Script(InvalidScript::TooLong(_))));
    let state = bench.host.state(&bench.run, &id("u-1")).await.unwrap();
    assert_eq!(state, JobState::Absent);
    for at in (0..32).step_by(2) {
        make(&bench, at);
    }
    let (state, news) = run(&bench, many(32)).await;
    assert_eq!(state, EXIT_0);
    assert_eq!(tale(&news).matches("looked satisfied").count(), 16);
    assert_eq!(tale(&news).matches("again satisfied").count(), 16);
    assert_eq!(made(&bench, 31), "made 31\n");
}
