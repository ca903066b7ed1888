//! The examination of a venue, for `tickcast doctor`: each step of the way from the configuration to the first data, by
//! the code that the feed itself runs on. Every step that can be made is made, even if an earlier one has failed.
//!
//! Refuses to guess: a step says what was measured, and a failure says the remedy.

mod certificate;
mod finding;
mod lists;
mod reach;
mod remedy;
mod report;
mod session;
mod tls;
mod words;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

pub use finding::{Finding, Outcome, Step};

use self::{
    reach::Reach,
    session::Session,
    words::{counted, discreet, list, millis, shown},
};
use super::{Upstream, UpstreamPlan, broken::Break, link::Link};
use crate::{
    clock::Instant,
    dialect::Venue,
    feed::Publisher,
    limits::{DOCTOR_CLOCK_OFF, DOCTOR_CLOCK_WRONG, DOCTOR_SYMBOLS},
    market::Symbol,
};

/// Where findings go, one after the other.
type Tell<'a> = &'a mut (dyn FnMut(Finding) + Send);

impl Upstream {
    /// Examines the venue, and tells what each step came to, in order: one finding for each step. First data are waited
    /// for at most `wait`.
    ///
    /// # Cancel safety
    /// A connection is dropped without a goodbye.
    pub async fn examine(mut self, out: &Publisher, wait: Duration, tell: Tell<'_>) {
        let plan = Arc::clone(&self.plan);
        tell(self.configuration());
        let mut reach = Reach::default();
        let source = self.list_source();
        tell(reach.look_up(&plan, source.as_deref().map(|source| &source.url)).await);
        tell(reach.proxy(&plan).await);
        tell(reach.connect(&plan).await);
        tell(reach.encrypt(&plan).await);
        let products = self.products(source).await;
        let (own, wrong) = self.chosen(products.listed.as_ref());
        let (handshake, link) = handshake(&plan, &reach, own.iter().chain(&wrong).copied().collect()).await;
        tell(clock(&plan));
        tell(products.finding);
        tell(handshake);
        let Some(link) = link else {
            for step in [Step::Login, Step::Subscription, Step::Data, Step::Pace] {
                tell(Finding::skipped(step, "there is no connection"));
            }
            return;
        };
        let mut session = Session::new(plan, out, link);
        self.converse(&mut session, (&own, wrong), wait, tell).await;
        Box::pin(session.close()).await;
    }

    fn configuration(&self) -> Finding {
        let plan = &self.plan;
        let urls = list(plan.addresses.all().iter().map(shown));
        let named = counted(self.symbols(), "symbol");
        let patterns = if self.has_patterns() { " and patterns" } else { "" };
        let what = format!("{} at {urls}, {named}{patterns}", plan.venue.as_str());
        let finding = match (plan.needs_credentials, &plan.credentials) {
            (false, _) => Finding::ok(Step::Configuration, format!("{what}; it asks for no credentials")),
            (true, Some(_)) => Finding::ok(Step::Configuration, format!("{what}; there are credentials")),
            (true, None) => Finding::failed(
                Step::Configuration,
                format!("{what}; it asks for credentials, and there are none"),
                remedy::NO_CREDENTIALS,
            ),
        };
        finding
            .with("venue", plan.venue.as_str())
            .with("urls", plan.addresses.all().iter().map(shown).collect::<Vec<_>>())
            .with("symbols", self.symbols())
    }

    /// The symbols of the one subscription: some of the feed's own, and one that no venue has.
    fn chosen(&self, listed: Option<&BTreeSet<Symbol>>) -> (Vec<Symbol>, Option<Symbol>) {
        let mut names = self.plan.names().as_ref().clone();
        let mut all: Vec<_> = names.all().collect();
        // Those that trade come first: what is not listed was told before.
        all.sort_unstable_by_key(|symbol| (listed.is_some_and(|listed| !listed.contains(symbol)), *symbol));
        all.truncate(DOCTOR_SYMBOLS.min(self.plan.places).saturating_sub(1).max(1));
        let Some(like) = all.first().and_then(|symbol| names.theirs(*symbol)) else { return (all, None) };
        // Shares have no currency in their names.
        let is_share = self.plan.venue == Venue::Alpaca && !like.contains('/');
        let wrong = if is_share { "NOSUCHX" } else { "NOSUCH-USD" };
        let Ok(wrong) = Symbol::new(wrong) else { return (all, None) };
        let added = self.plan.places > 1 && names.add(self.plan.venue, wrong, None).is_ok();
        if added {
            *self.plan.names.write() = Arc::new(names);
        }
        (all, added.then_some(wrong))
    }

    /// Everything over one open connection.
    async fn converse(
        &self,
        session: &mut Session<'_>,
        (own, wrong): (&[Symbol], Option<Symbol>),
        wait: Duration,
        tell: Tell<'_>,
    ) {
        let plan = &self.plan;
        let address = plan.addresses.current();
        let broke = |step, broken: &Break| {
            let what = discreet(&broken.to_string(), address);
            Finding::failed(step, what, remedy::of_break(broken, plan))
        };
        let skip = |tell: Tell<'_>, steps: &[Step], why: &str| {
            steps.iter().for_each(|step| tell(Finding::skipped(*step, why)));
        };
        match session.login().await {
            Ok(_) if !plan.needs_credentials => {
                tell(Finding::skipped(Step::Login, "the venue has none for its market data"));
            }
            Ok(_) if plan.credentials.is_none() => {
                tell(Finding::skipped(Step::Login, "there are no credentials"));
                return skip(
                    tell,
                    &[Step::Subscription, Step::Data, Step::Pace],
                    "the venue was not logged in to",
                );
            }
            Ok(took) => {
                let what = format!("the venue accepts the credentials, after {} ms", millis(took));
                tell(Finding::ok(Step::Login, what).with("took_ms", millis(took)));
            }
            Err(broken) => {
                tell(broke(Step::Login, &broken));
                let why = "the venue has not let us in";
                return skip(tell, &[Step::Subscription, Step::Data, Step::Pace], why);
            }
        }
        if own.is_empty() {
            let why = "the feed has no symbol of its own: its patterns have found none";
            return skip(tell, &[Step::Subscription, Step::Data, Step::Pace], why);
        }
        let asked = session.subscribe().await;
        match &asked {
            Ok(is_decided) => tell(report::subscription(plan, session, (own, wrong), *is_decided)),
            Err(broken) => tell(broke(Step::Subscription, broken)),
        }
        let accepted: Vec<_> = own.iter().copied().filter(|symbol| session.accepts(*symbol)).collect();
        if asked.is_err() || accepted.is_empty() {
            let why = if asked.is_err() { "the connection is gone" } else { "no symbol is subscribed" };
            return skip(tell, &[Step::Data, Step::Pace], why);
        }
        match session.listen(&accepted, wait).await {
            Ok(()) => tell(report::data(plan, session, &accepted, wait)),
            Err(broken) => {
                tell(broke(Step::Data, &broken));
                return skip(tell, &[Step::Pace], "the connection is gone");
            }
        }
        match session.measure().await {
            Ok(time) => tell(report::pace(plan, session, time)),
            Err(broken) => tell(broke(Step::Pace, &broken)),
        }
    }
}

/// Opens the WebSocket: at the first address of the venue at which that can be done.
async fn handshake(
    plan: &Arc<UpstreamPlan>,
    reach: &Reach,
    symbols: BTreeSet<Symbol>,
) -> (Finding, Option<Link>) {
    let step = Step::Handshake;
    if let Some(why) = reach.no_way() {
        return (Finding::skipped(step, why), None);
    }
    if let Some(left) = plan.hold.left(Instant::now()) {
        let why = format!("the venue asks to be left alone for {} s", left.as_secs().max(1));
        return (Finding::skipped(step, why), None);
    }
    let mut failed = None;
    for _ in plan.addresses.all() {
        let address = plan.addresses.current();
        let began = Instant::now();
        match Link::open(plan, &symbols).await {
            Ok(link) => {
                let took = millis(began.elapsed());
                let what = format!("{} answers after {took} ms", shown(address));
                let finding = match failed {
                    None => Finding::ok(step, what),
                    Some((first, _)) => {
                        Finding::warning(step, format!("{what}; before, {first}"), remedy::FIRST_URL)
                    }
                };
                return (finding.with("took_ms", took), Some(link));
            }
            Err(broken) => {
                // Another address is no better when the venue has said no.
                let is_decided =
                    !broken.reason.is_about_the_way() || plan.hold.left(Instant::now()).is_some();
                let remedy = remedy::of_break(&broken, plan);
                failed.get_or_insert((discreet(&broken.what, address), remedy));
                if is_decided {
                    break;
                }
            }
        }
    }
    let (what, remedy) = failed.unwrap_or_default();
    (Finding::failed(step, what, remedy), None)
}

/// The machine's clock beside what answers so far have said.
fn clock(plan: &UpstreamPlan) -> Finding {
    let step = Step::Clock;
    let Some(ahead) = plan.dated.ahead() else {
        return Finding::skipped(step, "no answer of the venue has told the time");
    };
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    let off = Duration::from_micros(ahead.unsigned_abs());
    let what = format!("the machine's clock is {} {way} the venue's", words::seconds(ahead));
    let finding = if off > DOCTOR_CLOCK_WRONG {
        Finding::failed(step, what, remedy::CLOCK)
    } else if off > DOCTOR_CLOCK_OFF {
        Finding::warning(step, what, remedy::CLOCK)
    } else {
        let within = DOCTOR_CLOCK_OFF.as_secs();
        Finding::ok(step, format!("the machine's clock agrees with the venue's within {within} s"))
    };
    finding.with("ahead_ms", ahead / 1_000)
}
