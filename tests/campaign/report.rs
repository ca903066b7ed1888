//! What a campaign came to.

use std::{collections::BTreeMap, process::ExitCode};

use crate::world::World;

/// Prints counts and findings. The campaign has failed when there is a finding.
pub(crate) fn print(world: &World, seed: u64) -> ExitCode {
    println!("\nseed {seed}, {} s", world.journal.elapsed().as_secs());
    for (what, count) in world.journal.counts() {
        println!("{count:>12} {what}");
    }
    println!("{:>12} different events", world.journal.distinct_events());
    let findings = world.journal.findings();
    if findings.is_empty() {
        println!("\n0 unexplained holes, repeats, evictions");
        return ExitCode::SUCCESS;
    }
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (kind, _) in &findings {
        *kinds.entry(kind).or_default() += 1;
    }
    println!("\n{} findings: {kinds:?}", findings.len());
    if let Ok(log) = std::fs::read_to_string(world.path("gateway.log")) {
        let kept = std::env::temp_dir().join(format!("campaign-{seed}.log"));
        if std::fs::write(&kept, log).is_ok() {
            println!("the gateway's log: {}", kept.display());
        }
    }
    ExitCode::FAILURE
}
