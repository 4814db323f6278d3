//! Servers on a runtime that only waits for time and mail.

use super::*;
use crate::Listen;
use crate::worker::tests::Silent;
use headwater_core::Time;
use std::future::{self, Future};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};
use std::{pin::pin, thread};

/// Only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

fn bind() -> Server {
    let config = Config {
        listen: vec![Listen::rtmp((Ipv4Addr::LOCALHOST, 0))],
        workers: 2.try_into().ok(),
        ..Config::default()
    };
    Server::bind(config).unwrap()
}

fn start(server: Server) -> Running {
    server.start(|worker, listeners| Ok((worker, listeners)), serve)
}

/// Serves with its listeners open, so that connections wait in the kernel.
fn serve((mut worker, _listeners): (Worker<Silent>, Listeners)) -> io::Result<()> {
    let this = thread::current();
    worker.wake_by(move || this.unpark());
    while let Some(due) = worker.due()? {
        if due > Time::ZERO {
            thread::park_timeout(DEADLINE);
        }
        worker.proceed();
    }
    Ok(())
}

/// Waits until nobody listens at `server` any more.
fn wait_until_gone(server: std::net::SocketAddr) {
    let deadline = Instant::now() + DEADLINE;
    while TcpStream::connect(server).is_ok() {
        assert!(Instant::now() < deadline, "it goes on");
        thread::yield_now();
    }
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park_timeout(DEADLINE),
        }
    }
}

#[test]
fn stopped_from_another_thread_it_ends() {
    let server = bind();
    let (address, handle) = (server.addresses().rtmp().unwrap(), server.handle());
    let running = start(server);
    TcpStream::connect(address).unwrap();
    let stopper = thread::spawn(move || {
        handle.stop();
        handle.stop();
    });
    running.wait().unwrap();
    stopper.join().unwrap();
    wait_until_gone(address);
}

#[test]
fn stopped_before_it_starts_it_ends_at_once() {
    let server = bind();
    server.handle().stop();
    block_on(start(server)).unwrap();
}

#[test]
fn stopping_after_the_end_does_nothing() {
    let server = bind();
    let handle = server.handle();
    handle.stop();
    start(server).wait().unwrap();
    handle.stop();
}

#[test]
fn dropped_it_stops() {
    let server = bind();
    let address = server.addresses().rtmp().unwrap();
    drop(start(server));
    wait_until_gone(address);
}

#[test]
fn it_ends_once_its_shutdown_completes() {
    block_on(start(bind()).until(future::ready(()))).unwrap();
}

#[test]
fn a_dropped_wait_for_its_shutdown_stops_it() {
    let server = bind();
    let address = server.addresses().rtmp().unwrap();
    {
        let mut wait = pin!(start(server).until(future::pending()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(wait.as_mut().poll(&mut context).is_pending());
    }
    wait_until_gone(address);
}

#[test]
fn a_worker_that_fails_ends_all() {
    let running = bind().start(
        |worker, listeners| Ok((worker, listeners)),
        |(worker, listeners)| match worker.is_first() {
            true => Err(io::Error::other("out of luck")),
            false => serve((worker, listeners)),
        },
    );
    assert_eq!(running.wait().unwrap_err().to_string(), "out of luck");
}

#[test]
fn a_worker_that_cannot_prepare_ends_all() {
    let running = bind().start(
        |worker: Worker<Silent>, listeners| match worker.is_first() {
            true => Err(io::Error::other("no more files")),
            false => Ok((worker, listeners)),
        },
        serve,
    );
    let error = block_on(running.until(future::pending())).unwrap_err();
    assert_eq!(error.to_string(), "no more files");
}
