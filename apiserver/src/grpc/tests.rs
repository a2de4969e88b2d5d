//! The door over a real loopback port.
