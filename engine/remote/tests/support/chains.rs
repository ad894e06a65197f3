//! Chains of tests: members that make files, and what is told of them, in few words.

use std::time::Duration;

use runbook_model::Epoch;
use runbook_remote::{
    Chain, ChainOffsets, ChainReader, JobState, Member, News, Param, Report, Script, Stream,
    Verdict,
};

use super::{Bench, body, id};

/// A member that is satisfied when its file is there, and makes it.
pub fn makes(bench: &Bench, at: usize) -> Member {
    member(
        at,
        "[ -e \"$file\" ] || differs \"no $at\"; output at \"$at\"",
        "echo \"made $at\" >>\"$file\"; echo \"made $at\"",
        bench,
    )
}

/// A member with these scripts; `$file` is a file of its own, `$at` its number, `$all` the directory of all.
pub fn member(at: usize, check: &str, apply: &str, bench: &Bench) -> Member {
    let script = |text: &str| {
        body(text)
            .param("file", Param::Text(file(bench, at)))
            .param("all", Param::Text(bench.mark("")))
            .param("at", Param::Text(at.to_string()))
    };
    Member {
        attempt: id(&format!("a-{at}")),
        check: script(check),
        apply: script(apply),
        check_limit: Duration::from_secs(60),
        apply_limit: Some(Duration::from_secs(60)),
    }
}

pub fn file(bench: &Bench, at: usize) -> String {
    bench.mark(&format!("file {at}"))
}

/// What there is of a member's file.
pub fn made(bench: &Bench, at: usize) -> String {
    std::fs::read_to_string(file(bench, at)).unwrap_or_default()
}

pub fn make(bench: &Bench, at: usize) {
    std::fs::write(file(bench, at), "was\n").unwrap();
}

pub fn chain(bench: &Bench, members: Vec<Member>) -> Chain {
    Chain {
        run: bench.run.clone(),
        unit: id("u-1"),
        epoch: Epoch(1),
        boot_id: bench.host.hello().boot_id.clone(),
        members,
    }
}

/// Reads a chain to its end.
pub async fn told(bench: &Bench, members: usize) -> (JobState, Vec<News>) {
    let unit = id("u-1");
    let mut reader = ChainReader::new(&unit, members);
    let mut at = ChainOffsets::default();
    let mut news = Vec::new();
    let begun = std::time::Instant::now();
    loop {
        assert!(begun.elapsed() < super::LONG * 3, "it does not end");
        let poll = bench.host.poll_chain(&bench.run, &unit, at, 1009);
        let poll = poll.await.unwrap();
        at = at.after(&poll);
        reader.take(&poll);
        news.extend(reader.news());
        if poll.state.is_over() && poll.is_empty() {
            news.extend(reader.finish(poll.state));
            return (poll.state, news);
        }
    }
}

/// Starts a chain and reads it to its end.
pub async fn run(bench: &Bench, members: Vec<Member>) -> (JobState, Vec<News>) {
    let count = members.len();
    let chain = chain(bench, members);
    bench.host.start_chain(&chain).await.unwrap();
    told(bench, count).await
}

/// The news without outputs, a line each.
pub fn tale(news: &[News]) -> String {
    let word = |report: &Report| match &report.verdict {
        Verdict::Satisfied => "satisfied".to_owned(),
        Verdict::Differs(why) => format!("differs ({})", why.join(", ")),
        Verdict::Skipped(why) => format!("skipped ({why})"),
        Verdict::Failed(why) => format!("failed ({why})"),
    };
    let lines = news.iter().filter_map(|news| {
        Some(match news {
            News::Looked { member, report } => format!("{member} looked {}", word(report)),
            News::Began { member, looked } => format!("{member} began {}", word(looked)),
            News::Unbegun { member } => format!("{member} unbegun"),
            News::Applied { member, report } => format!("{member} applied {}", word(report)),
            News::Again { member, report } => format!("{member} again {}", word(report)),
            News::Stopped { reason } => format!("stopped {reason:?}"),
            News::Unreadable { detail } => format!("unreadable {detail}"),
            News::Output { .. } => return None,
        })
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What the apply of a member printed.
pub fn printed(news: &[News], of: usize, to: Stream) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in news {
        if let News::Output {
            member,
            stream,
            bytes,
        } = piece
            && (*member, *stream) == (of, to)
        {
            all.extend_from_slice(bytes);
        }
    }
    all
}

/// The reports of a member, in their order.
pub fn reports(news: &[News], of: usize) -> Vec<Report> {
    let reports = news.iter().filter_map(|news| match news {
        News::Looked { member, report }
        | News::Applied { member, report }
        | News::Again { member, report } => Some((member, report)),
        News::Began { member, looked } => Some((member, looked)),
        _ => None,
    });
    let reports = reports.filter(|(member, _)| **member == of);
    reports.map(|(_, report)| report.clone()).collect()
}

/// A script with text of its own as parameter.
pub fn with(script: Script, name: &str, value: &str) -> Script {
    script.param(name, Param::Text(value.to_owned()))
}
