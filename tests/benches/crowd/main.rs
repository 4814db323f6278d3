//! Good players beside a crowd that wants nothing good. Linux only: it reads `/proc`.
//!
//! ```text
//! cargo bench --all-features --bench crowd
//! cargo bench --all-features --bench crowd -- --help
//! ```
//!
//! With each release binary and its default flags, one after the other: fifty players from as many addresses watch a
//! stream, by RTMP or HTTP-FLV, and another one joins each 200 ms. After a while 2,000 connections from one address come
//! and say nothing, or half of something, or a byte a second; 500 senders of garbage come from ten other addresses; and
//! all of them come back when they are thrown out. None of the fifty may lose a frame, all must join, and when the crowd
//! has left nothing of it may be left. How fast players join, and what the server costs, is measured before the crowd
//! comes and with it.
//!
//! The crowd is a process of its own that gives way to the good players, whose joins are measured.

mod options;
mod peers;
mod scene;
#[path = "../shared/mod.rs"]
mod shared;

use clap::Parser;
use options::{Cli, CrowdRole, Options, Role};
use peers::Deeds;
use scene::{Bring, Scene};
use shared::process::{self, Process};
use shared::server::Server;
use std::io::{Error, Result};
use std::process::{Command, ExitCode, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long the crowd may take to come.
const COMES_WITHIN: Duration = Duration::from_secs(60);
/// Between two lines of the crowd.
const INTERVAL: Duration = Duration::from_millis(500);
/// By how much the crowd gives way.
const NICENESS: i32 = 5;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.role {
        Some(Role::Launch(launch)) => Err(process::launch(&launch)),
        Some(Role::Crowd(role)) => be_crowd(&role).map(|()| true),
        None => run(&cli.options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all servers were up to it.
fn run(options: &Options) -> Result<bool> {
    process::raise_file_limit()?;
    let mut is_good = true;
    for (name, binary) in options.runtime.binaries() {
        let mut server = Server::start(name, &mut Command::new(binary), "127.0.0.1", Process::spawn_server)?;
        println!("{name}: {binary} on {} and {}", server.rtmp, server.http);
        let mut crowd = Separate::new(options, &server)?;
        let scene = Scene::new(&server, options.plan());
        let verdict = shared::block_on(scene.run(&mut server, &mut crowd))??;
        println!(
            "{name}: {}\n{verdict}",
            if verdict.is_good() { "good" } else { "NOT GOOD" }
        );
        is_good &= verdict.is_good();
    }
    println!("{}", if is_good { "all good" } else { "NOT GOOD" });
    Ok(is_good)
}

/// The crowd as a process.
struct Separate {
    command: Command,
}

impl Separate {
    fn new(options: &Options, server: &Server) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            "crowd",
            "--rtmp",
            &server.rtmp.to_string(),
            "--http",
            &server.http.to_string(),
        ]);
        command.args([
            "--silent",
            &options.silent.to_string(),
            "--garbage",
            &options.garbage.to_string(),
        ]);
        Ok(Separate { command })
    }
}

impl Bring for Separate {
    type Crowd = (Process, Arc<Mutex<String>>);

    async fn bring(&mut self) -> Result<Self::Crowd> {
        let cpus = process::allowed_cpus()?;
        let mut process = Process::spawn(&self.command, &cpus, Stdio::piped(), Stdio::inherit())?;
        let lines = process.output_lines();
        let newest = Arc::new(Mutex::new(String::new()));
        let (all, mut has_come) = watch::channel(false);
        thread::spawn({
            let newest = newest.clone();
            move || {
                for line in lines {
                    all.send_replace(true);
                    if let Ok(mut newest) = newest.lock() {
                        *newest = line;
                    }
                }
            }
        });
        let come = timeout(COMES_WITHIN, has_come.wait_for(|has_come| *has_come)).await;
        come.map_err(|_| scene::absent("time is over"))?.map_err(Error::other)?;
        Ok((process, newest))
    }

    fn summary((_, newest): &mut Self::Crowd) -> String {
        newest.lock().map(|newest| newest.clone()).unwrap_or_default()
    }
}

/// The role of the crowd. It says nothing until all have come, and then now and again what they do.
fn be_crowd(role: &CrowdRole) -> Result<()> {
    process::give_way(NICENESS)?;
    shared::block_on(async {
        let crowd = role.crowd();
        let deeds = Rc::new(Deeds::default());
        let _tasks = crowd.clone().spawn(&deeds);
        loop {
            sleep(INTERVAL).await;
            if deeds.tried.get() == crowd.silent {
                println!("{}", deeds.summary());
            }
        }
    })
}
