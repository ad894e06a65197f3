#![allow(clippy::unwrap_used)]
mod support;
use support::*;
use runbook_model::{Account, Connection, HostName, RunId, Epoch}; use runbook_remote::{Host, HostSpec, Options, Job}; use std::time::Instant;
#[test] #[ignore] fn measure() { block(async {
  let lab = HostSpec{name: HostName::new("quay03").unwrap(), connection: Connection{address:"quay03".into(), ssh_config: std::env::var("SSH_CONFIG").ok(), ..Connection::default()}};
  std::fs::write("/tmp/rb-big", vec![7u8; 200<<20]).unwrap();
  for (what, spec, account) in [("local", spec(), Account::Login), ("ssh+sudo", lab, Account::Sudo("root".into()))] {
    let t=Instant::now(); let host=Host::connect(&spec,&account,&Options::default()).await.unwrap(); eprintln!("{what} connect {:?}", t.elapsed());
    let run=RunId::new(format!("m{}",std::process::id())).unwrap();
    let t=Instant::now(); host.ready(&run,Epoch(1)).await.unwrap(); eprintln!("{what} ready {:?}", t.elapsed());
    let t=Instant::now(); for _ in 0..200 { host.state(&run,&id("a-1")).await.unwrap(); } eprintln!("{what} state {:?}", t.elapsed()/200);
    host.check(&body("true"),LONG).await.unwrap();
    let t=Instant::now(); for _ in 0..100 { host.check(&body("true"),LONG).await.unwrap(); } eprintln!("{what} check {:?}", t.elapsed()/100);
    let mut s=std::time::Duration::ZERO; let t=Instant::now();
    for i in 0..30 { let a=id(&format!("b-{i}")); let t=Instant::now(); host.start(&Job{run:run.clone(),attempt:a.clone(),epoch:Epoch(1),boot_id:host.hello().boot_id.clone(),script:body("true"),timeout:None}).await.unwrap(); s+=t.elapsed(); host.wait(&run,&a,LONG).await.unwrap(); host.collect(&run,&a).await.unwrap(); }
    eprintln!("{what} start {:?}, start+wait+collect {:?}", s/30, t.elapsed()/30);
    for i in 0..30 { host.forget(&run,&id(&format!("b-{i}"))).await.unwrap(); }
    let mut sink=tokio::io::sink();
    let t=Instant::now(); let mut f=tokio::fs::File::open("/tmp/rb-big").await.unwrap(); host.write_file("/var/tmp/rb-big2",0o600,&mut f).await.unwrap(); eprintln!("{what} put 200M {:?}", t.elapsed());
    let t=Instant::now(); host.read_file("/var/tmp/rb-big2",&mut sink).await.unwrap(); eprintln!("{what} get 200M {:?}", t.elapsed());
    host.check(&body("rm -rf /var/tmp/rb-big2 /var/lib/runbook/runs/t* /var/lib/runbook/runs/m*"),LONG).await.unwrap();
    host.close().await;
  }
})}
