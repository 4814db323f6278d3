//! What reaches a worker from other threads.

use crate::local::{Link, LocalMail};
use headwater_core::Time;
use headwater_core::server::{Answer, Server, ShardId, ShardMessage, Ticket};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};

/// What a worker is told from outside its thread.
#[derive(Debug)]
pub(crate) enum Mail {
    /// From another worker's shard.
    Shard(ShardId, ShardMessage),
    /// To a question of this worker's shard.
    Answer(Ticket, Answer),
    /// What a program wants of this worker's server.
    Call(Call),
    /// About a stream that the program publishes or plays.
    Local(Arc<Link>, LocalMail),
    /// Stop accepting, end what there is, return.
    Stop,
}

/// What a program wants of a server.
pub(crate) struct Call(Box<CallFn>);

type CallFn = dyn FnOnce(&mut Server, Time) + Send;

impl Call {
    pub(crate) fn new(call: impl FnOnce(&mut Server, Time) + Send + 'static) -> Self {
        Call(Box::new(call))
    }

    pub(crate) fn make(self, server: &mut Server, now: Time) {
        (self.0)(server, now);
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

/// Mails that a worker handles before it looks at its sockets. 64: together about a millisecond, unless each brings a
/// burst for many players.
pub(crate) const MAIL_PER_TURN: usize = 64;

/// The side of those who send.
#[derive(Debug)]
pub(crate) struct Mailbox {
    sender: Sender<Mail>,
    bell: Arc<Bell>,
}

/// The side of the worker.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: Receiver<Mail>,
    bell: Arc<Bell>,
    /// Whether mail may be left behind the bell: the worker took as much as it may at a time, or has never looked.
    may_have_more: bool,
}

/// How the worker hears of mail.
struct Bell {
    /// Whether it was rung since the worker has looked.
    is_rung: AtomicBool,
    /// Wakes the worker, once it has said how.
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

/// A mailbox whose mail nobody is woken for yet.
pub(crate) fn new() -> (Mailbox, Inbox) {
    let (sender, receiver) = mpsc::channel();
    let bell = Arc::new(Bell {
        is_rung: AtomicBool::new(false),
        wake: OnceLock::new(),
    });
    let mailbox = Mailbox {
        sender,
        bell: bell.clone(),
    };
    let inbox = Inbox {
        receiver,
        bell,
        may_have_more: true,
    };
    (mailbox, inbox)
}

impl Mailbox {
    /// Only the first mail after the worker has looked wakes it, which usually costs a system call.
    pub(crate) fn send(&self, mail: Mail) {
        // Fails once that worker has drained and ended: nobody there is left to miss it.
        if self.sender.send(mail).is_ok()
            && !self.bell.is_rung.swap(true, Ordering::AcqRel)
            && let Some(wake) = self.bell.wake.get()
        {
            wake();
        }
    }
}

impl Inbox {
    /// Lets `wake` be called, by those who send, when there is mail and none was before. To be said once, before the first
    /// [`take`](Self::take), which finds what has come until then.
    pub(crate) fn wake_by(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        let is_first = self.bell.wake.set(Box::new(wake)).is_ok();
        debug_assert!(is_first, "a worker is woken in one way");
    }

    /// Whether there is something to [`take`](Self::take), or may be.
    pub(crate) fn has_mail(&self) -> bool {
        self.may_have_more || self.bell.is_rung.load(Ordering::Acquire)
    }

    /// The mail that there is, up to [`MAIL_PER_TURN`]. What is sent from here on is announced again.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Mail> {
        // Also if it was not rung: a sender may have found no way to wake yet. One that rings after this does.
        if self.has_mail() {
            self.bell.is_rung.swap(false, Ordering::AcqRel);
            self.may_have_more = true;
        }
        Batch {
            inbox: self,
            left: MAIL_PER_TURN,
        }
    }
}

struct Batch<'a> {
    inbox: &'a mut Inbox,
    left: usize,
}

impl Iterator for Batch<'_> {
    type Item = Mail;

    fn next(&mut self) -> Option<Mail> {
        if !self.inbox.may_have_more || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let mail = self.inbox.receiver.try_recv().ok();
        self.inbox.may_have_more = mail.is_some();
        mail
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell")
            .field("is_rung", &self.is_rung)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::thread;
    use std::time::Duration;

    /// Only a failing test waits so long.
    const LONG: Duration = Duration::from_secs(20);

    /// A mailbox with the calls of its wake function.
    fn with_wakes() -> (Mailbox, Inbox, Receiver<()>) {
        let (mailbox, mut inbox) = new();
        let (woken, wakes) = mpsc::channel();
        inbox.wake_by(move || woken.send(()).unwrap());
        assert_eq!(inbox.take().count(), 0);
        (mailbox, inbox, wakes)
    }

    #[test]
    fn mail_wakes_once_until_the_worker_looks() {
        let (mailbox, mut inbox, wakes) = with_wakes();
        for _ in 0..2 {
            assert!(!inbox.has_mail());
            for _ in 0..3 {
                mailbox.send(Mail::Stop);
            }
            assert_eq!(wakes.try_iter().count(), 1);
            assert!(inbox.has_mail());
            assert_eq!(inbox.take().count(), 3);
        }
    }

    #[test]
    fn mail_beyond_a_turn_is_left_for_the_next() {
        let (mailbox, mut inbox, wakes) = with_wakes();
        for _ in 0..MAIL_PER_TURN + 1 {
            mailbox.send(Mail::Stop);
        }
        assert_eq!(inbox.take().count(), MAIL_PER_TURN);
        assert!(inbox.has_mail());
        assert_eq!(inbox.take().count(), 1);
        assert!(!inbox.has_mail());
        assert_eq!(wakes.try_iter().count(), 1);
    }

    #[test]
    fn mail_sent_before_the_worker_can_be_woken_is_found() {
        for _ in 0..1_000 {
            let (mailbox, mut inbox) = new();
            let start = Arc::new(Barrier::new(2));
            let sender = thread::spawn({
                let start = start.clone();
                move || {
                    start.wait();
                    mailbox.send(Mail::Stop);
                }
            });
            let (woken, wakes) = mpsc::channel();
            start.wait();
            inbox.wake_by(move || woken.send(()).unwrap());
            if inbox.take().next().is_none() {
                wakes.recv_timeout(LONG).unwrap();
                assert_eq!(inbox.take().count(), 1);
            }
            sender.join().unwrap();
        }
    }

    #[test]
    fn no_mail_stays_unannounced_whenever_it_is_sent() {
        const MAILS: usize = 20_000;
        let (mailbox, mut inbox, wakes) = with_wakes();
        let sender = thread::spawn(move || (0..MAILS).for_each(|_| mailbox.send(Mail::Stop)));
        let mut received = 0;
        while received < MAILS {
            if !inbox.has_mail() {
                wakes.recv_timeout(LONG).unwrap();
            }
            received += inbox.take().count();
        }
        sender.join().unwrap();
    }

    #[test]
    fn mail_to_a_worker_that_has_ended_is_dropped() {
        let (mailbox, inbox, wakes) = with_wakes();
        drop(inbox);
        mailbox.send(Mail::Stop);
        assert_eq!(wakes.try_iter().count(), 0);
    }
}
