//! One worker, with sockets that are silent.

use super::*;
use crate::sockets::Capacity;
use crate::terms::Terms;
use crate::{Interest, mail};
use std::io::{ErrorKind, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A socket whose peer says nothing.
#[derive(Debug)]
pub(crate) struct Silent;

impl Socket for Silent {
    fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn shutdown_write(&self) {}

    fn set_interest(&self, _: Interest) {}

    fn set_low_water(&self, _: usize) {}

    fn close(self) {}
}

fn new_worker() -> (Worker<Silent>, Handle) {
    let (mailbox, inbox) = mail::new();
    let handle = Handle::new(vec![mailbox], Terms::new(&Hooks::default(), Capacity::UNKNOWN));
    let config = Arc::new(server::Config::default());
    (
        Worker::new(
            ShardId(0),
            config,
            Clock::start(),
            inbox,
            handle.clone(),
            Hooks::default(),
        ),
        handle,
    )
}

/// Lets the worker proceed until it waits, and returns until when.
fn settle(worker: &mut Worker<Silent>) -> Option<Time> {
    for _ in 0..100 {
        match worker.due().unwrap() {
            Some(Time::ZERO) => worker.proceed(),
            due => return due,
        }
    }
    panic!("it never comes to rest");
}

fn connect(worker: &mut Worker<Silent>) {
    let peer = ([192, 0, 2, 1], 5).into();
    worker.accept(Protocol::Rtmp, peer, Silent).unwrap();
}

#[test]
fn a_step_needs_attention_if_its_deadline_is_earlier() {
    let (mut worker, _) = new_worker();
    settle(&mut worker);
    assert!(!worker.needs_attention());
    connect(&mut worker);
    assert!(worker.needs_attention(), "it has some time for its handshake");
    let due = settle(&mut worker).unwrap();
    assert!(worker.now() < due && due < Time::NEVER);
    assert!(!worker.needs_attention());
}

#[test]
fn a_stopped_worker_is_done_at_once_if_nobody_is_there() {
    let (mut worker, handle) = new_worker();
    settle(&mut worker);
    handle.stop();
    assert!(worker.has_mail() && !worker.is_stopping());
    assert_eq!(settle(&mut worker), None);
    assert!(worker.is_stopping() && worker.needs_attention());
}

#[test]
fn a_stopped_worker_waits_for_its_connections() {
    let (mut worker, handle) = new_worker();
    connect(&mut worker);
    handle.stop();
    let due = settle(&mut worker).unwrap();
    assert!(worker.is_stopping() && due < Time::NEVER);
    connect_is_refused(&mut worker);
}

fn connect_is_refused(worker: &mut Worker<Silent>) {
    assert_eq!(worker.accept(Protocol::Rtmp, ([192, 0, 2, 1], 5).into(), Silent), None);
}

#[test]
fn a_panic_in_a_step_ends_the_worker() {
    let (mut worker, _) = new_worker();
    settle(&mut worker);
    let step = AssertUnwindSafe(|| worker.step(|_, _| panic!("as this test wants it")));
    catch_unwind(step).unwrap_err();
    assert!(worker.needs_attention());
    assert_eq!(worker.due().unwrap_err().to_string(), "a task has panicked");
}
