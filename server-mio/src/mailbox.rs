//! What reaches a worker from other threads.

use headwater_driver::Mail;
use mio::{Poll, Token, Waker};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};

/// The side of those who send.
#[derive(Debug)]
pub(crate) struct Mailbox {
    sender: Sender<Mail>,
    waker: Waker,
    is_woken: Arc<AtomicBool>,
}

/// The side of the worker.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: Receiver<Mail>,
    is_woken: Arc<AtomicBool>,
    may_have_mail: bool,
}

/// A mailbox whose mail is announced to `poll` as `token`.
pub(crate) fn new(poll: &Poll, token: Token) -> io::Result<(Mailbox, Inbox)> {
    let (sender, receiver) = mpsc::channel();
    let is_woken = Arc::new(AtomicBool::new(false));
    let mailbox = Mailbox {
        sender,
        waker: Waker::new(poll.registry(), token)?,
        is_woken: is_woken.clone(),
    };
    let inbox = Inbox {
        receiver,
        is_woken,
        may_have_mail: false,
    };
    Ok((mailbox, inbox))
}

impl Mailbox {
    /// Only the first mail after the worker has looked costs a system call.
    pub(crate) fn send(&self, mail: Mail) {
        // Fails once that worker has drained and ended: nobody there is left to miss it.
        if self.sender.send(mail).is_ok() && !self.is_woken.swap(true, Ordering::AcqRel) {
            // Fails only if the worker's poll is gone.
            let _ = self.waker.wake();
        }
    }
}

impl Inbox {
    /// The poll has announced mail. What is sent from here on is announced again.
    pub(crate) fn announced(&mut self) {
        self.is_woken.swap(false, Ordering::AcqRel);
        self.may_have_mail = true;
    }

    /// Whether to [`take`](Self::take) before the next announcement.
    pub(crate) fn may_have_mail(&self) -> bool {
        self.may_have_mail
    }

    pub(crate) fn take(&mut self) -> Option<Mail> {
        let mail = self.may_have_mail.then(|| self.receiver.try_recv().ok()).flatten();
        self.may_have_mail = mail.is_some();
        mail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Events;
    use std::thread;
    use std::time::Duration;

    const TOKEN: Token = Token(7);
    /// Beyond any doubt that nothing comes; only a failing test waits so long.
    const LONG: Duration = Duration::from_secs(20);

    fn announcements(poll: &mut Poll, timeout: Duration) -> usize {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(timeout)).unwrap();
        events.iter().filter(|event| event.token() == TOKEN).count()
    }

    #[test]
    fn mail_is_announced_once_until_the_worker_looks() {
        let mut poll = Poll::new().unwrap();
        let (mailbox, mut inbox) = new(&poll, TOKEN).unwrap();
        for _ in 0..2 {
            mailbox.send(Mail::Shutdown);
            mailbox.send(Mail::Shutdown);
            assert_eq!(announcements(&mut poll, LONG), 1);
            mailbox.send(Mail::Shutdown);
            assert_eq!(announcements(&mut poll, Duration::ZERO), 0, "announced already");
            inbox.announced();
            assert_eq!(std::iter::from_fn(|| inbox.take()).count(), 3);
            assert!(!inbox.may_have_mail());
        }
    }

    #[test]
    fn no_mail_stays_unannounced_whenever_it_is_sent() {
        const MAILS: usize = 20_000;
        let mut poll = Poll::new().unwrap();
        let (mailbox, mut inbox) = new(&poll, TOKEN).unwrap();
        let sender = thread::spawn(move || {
            for _ in 0..MAILS {
                mailbox.send(Mail::Shutdown);
            }
            // A waker is heard only while it lives.
            mailbox
        });
        let mut received = 0;
        while received < MAILS {
            assert_eq!(announcements(&mut poll, LONG), 1, "after {received} of {MAILS}");
            inbox.announced();
            received += std::iter::from_fn(|| inbox.take()).count();
        }
        drop(sender.join().unwrap());
    }
}
