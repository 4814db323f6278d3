//! The RTMP handshake, simple and digest, both sides. RTMP 1.0 §5.2.
