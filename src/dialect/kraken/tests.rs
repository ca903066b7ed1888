//! Payloads are typed from the venue's public documentation.
