//! The whole server as one state machine.
