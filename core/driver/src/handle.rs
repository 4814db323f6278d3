//! What a server is told from outside its threads.

use crate::mail::{Mail, Mailbox};
use headwater_core::server::ShardId;
use std::sync::Arc;

/// Tells a [`Server`](crate::Server) what to do, from any thread: before it runs, while it does, and in vain afterwards.
#[derive(Debug, Clone)]
pub struct Handle {
    /// Of all workers, by shard.
    mailboxes: Arc<[Mailbox]>,
}

impl Handle {
    pub(crate) fn new(mailboxes: impl Into<Arc<[Mailbox]>>) -> Self {
        Handle {
            mailboxes: mailboxes.into(),
        }
    }

    /// Asks the server to stop: it ends every stream cleanly, waits for the connections to close, up to
    /// [`DRAIN_TIMEOUT`](crate::DRAIN_TIMEOUT), and ends. Returns at once; to ask again changes nothing.
    pub fn stop(&self) {
        for mailbox in &*self.mailboxes {
            mailbox.send(Mail::Stop);
        }
    }

    /// How many workers there are.
    pub(crate) fn shards(&self) -> u16 {
        u16::try_from(self.mailboxes.len()).unwrap_or(u16::MAX)
    }

    pub(crate) fn send(&self, to: ShardId, mail: Mail) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(to.0)) {
            mailbox.send(mail);
        }
    }
}
