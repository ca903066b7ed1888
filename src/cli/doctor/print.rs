//! What is printed: lines for people, or JSON lines for scripts.

use std::io;

use serde_json::{Map, Value, json};

use super::{
    super::{output::print, signals::EXIT_INTERRUPTED},
    code, is_failure,
};
use crate::feed::upstream::{Finding, Outcome, Step};

/// Prints findings as they come, and the verdict.
pub(super) struct Printer {
    is_json: bool,
    /// The feed's name, once it is known.
    feed: Option<String>,
    found: Vec<(Step, Outcome)>,
    /// Why stdout could not be written.
    failed: Option<io::Error>,
}

impl Printer {
    pub(super) const fn new(is_json: bool) -> Self {
        Self { is_json, feed: None, found: Vec::new(), failed: None }
    }

    /// Says which feed it is.
    pub(super) fn begin(&mut self, name: &str, kind: &str) {
        self.feed = Some(name.to_owned());
        if !self.is_json {
            self.line(&format!("feed {name}: {kind}"));
        }
    }

    pub(super) fn finding(&mut self, finding: &Finding) {
        self.found.push((finding.step, finding.outcome));
        if self.is_json {
            return self.line(&record(finding));
        }
        let (step, outcome) = (finding.step.as_str(), finding.outcome.as_str());
        self.line(&format!("  {outcome:<8} {step:<14} {}", finding.what));
        if let Some(remedy) = &finding.remedy {
            self.line(&format!("  {:<8} {:<14} -> {remedy}", "", ""));
        }
    }

    /// The first step that failed.
    pub(super) fn first_failure(&self) -> Option<Step> {
        self.found.iter().find(|(_, outcome)| is_failure(*outcome)).map(|(step, _)| *step)
    }

    /// Says what all came to, or that it was ended before.
    ///
    /// # Errors
    /// When stdout could not be written.
    pub(super) fn verdict(&mut self, is_whole: bool) -> io::Result<()> {
        let count = |wanted| self.found.iter().filter(|(_, outcome)| *outcome == wanted).count();
        let [good, warnings, failed, skipped] =
            [Outcome::Ok, Outcome::Warning, Outcome::Failed, Outcome::Skipped].map(count);
        let first = self.first_failure();
        let text = if self.is_json {
            json!({
                "feed": self.feed,
                "verdict": if !is_whole { "interrupted" } else if first.is_some() { "failed" } else { "ok" },
                "first_failure": first.map(Step::as_str),
                "exit_code": if is_whole { first.map_or(0, code) } else { EXIT_INTERRUPTED },
                "ok": good, "warning": warnings, "failed": failed, "skipped": skipped,
            })
            .to_string()
        } else {
            let counts = format!("{good} ok, {warnings} warning, {failed} failed, {skipped} skipped");
            match first {
                _ if !is_whole => format!("{counts}: ended before it was done"),
                None if warnings > 0 => format!("{counts}: it works, and the warnings are worth a look"),
                None => format!("{counts}: all is well"),
                Some(step) => format!("{counts}: begin with {} (exit code {})", step.as_str(), code(step)),
            }
        };
        self.line(&text);
        self.failed.take().map_or(Ok(()), Err)
    }

    fn line(&mut self, text: &str) {
        if let Err(why) = print(|out| writeln!(out, "{text}")) {
            self.failed.get_or_insert(why);
        }
    }
}

fn record(finding: &Finding) -> String {
    let mut record = Map::new();
    record.insert("step".into(), json!(finding.step.as_str()));
    record.insert("outcome".into(), json!(finding.outcome.as_str()));
    record.insert("what".into(), json!(finding.what));
    record.insert("remedy".into(), json!(finding.remedy));
    record.insert("measured".into(), Value::Object(finding.measured.clone()));
    Value::Object(record).to_string()
}
