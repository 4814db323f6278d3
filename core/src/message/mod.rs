//! What messages say. RTMP 1.0 §5.4, §6 and §7.
