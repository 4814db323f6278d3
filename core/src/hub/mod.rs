//! Channels: one ring of frames per stream, one cursor per player.
