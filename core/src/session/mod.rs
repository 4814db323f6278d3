//! The RTMP conversation, both sides. RTMP 1.0 §7.
