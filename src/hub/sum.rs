//! A sum of bytes that is the same in every build: by FNV-1a. It finds gateways that have drifted apart, not those that lie.

/// The sum of what was added so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum(u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(self.uint(bytes.len() as u64).0, step))
    }

    pub(super) fn uint(self, value: u64) -> Self {
        let step = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(value.to_le_bytes().into_iter().fold(self.0, step))
    }

    pub(super) const fn value(self) -> u64 {
        self.0
    }
}
