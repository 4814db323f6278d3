//! HTTP/1.1 for FLV: pull, push, WebSocket.
