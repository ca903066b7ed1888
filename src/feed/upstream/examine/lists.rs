//! The venue's product list, fetched and read as the feed does, and which of the feed's symbols are in it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use serde_json::json;

use super::{
    super::{
        Upstream, UpstreamPlan, definition,
        fetch::{FetchError, ProductSource, fetch},
    },
    finding::{Finding, Step},
    remedy,
    words::{counted, discreet, list, millis, shown},
};
use crate::{
    clock::Instant,
    dialect::{Listing, ProductList},
    market::Symbol,
};

/// What came of the product list.
pub(super) struct Products {
    pub(super) finding: Finding,
    /// Those of the feed's symbols that are in the list and trade.
    pub(super) listed: Option<BTreeSet<Symbol>>,
}

impl Products {
    const fn none(finding: Finding) -> Self {
        Self { finding, listed: None }
    }
}

impl Upstream {
    /// Where the list is; without patterns, where it usually is.
    pub(super) fn list_source(&self) -> Option<Arc<ProductSource>> {
        let own = self.plan.product_source.clone();
        own.or_else(|| definition::usual_list(&self.plan).map(Arc::new))
    }

    /// Fetches the list, and lets the patterns find what is in it.
    pub(super) async fn products(&mut self, source: Option<Arc<ProductSource>>) -> Products {
        let (plan, step) = (Arc::clone(&self.plan), Step::Products);
        let Some(source) = source else {
            let why = "there are no patterns, and the url is not the venue's own: no product list is known";
            return Products::none(Finding::skipped(step, why));
        };
        if plan.venue.credential_headers().is_some() && plan.credentials.is_none() {
            return Products::none(Finding::skipped(
                step,
                "the list asks for credentials, and there are none",
            ));
        }
        let began = Instant::now();
        match fetch(&plan, &source).await {
            Ok(products) => self.compared(products, &source, began.elapsed()),
            Err(why) => Products::none(self.without_list(&plan, &source, &why)),
        }
    }

    fn without_list(&self, plan: &UpstreamPlan, source: &ProductSource, why: &FetchError) -> Finding {
        let mut what = discreet(&why.to_string(), &source.url);
        let remedy = match why {
            FetchError::Status { status, retry_after, .. } => {
                if let Some(time) = retry_after {
                    // The stream keeps to it as well.
                    plan.hold.extend(Instant::now(), *time);
                    what.push_str(&format!("; it asks to be left alone for {} s", time.as_secs()));
                }
                remedy::of_status(*status, plan, "products_url")
            }
            FetchError::Proxy(_) => remedy::PROXY.into(),
            FetchError::Late(_) => "products_timeout_ms allows for a slower way, and proxy for another one".into(),
            FetchError::Connect(_) => "check products_url, or set proxy if this network lets nothing out without one".into(),
            FetchError::Oversize(_) | FetchError::Unreadable(_) | FetchError::Strange(_) => {
                "check that products_url is the venue's product list, and that nothing on the way answers in its place".into()
            }
        };
        let what = format!("{}: {what}", shown(&source.url));
        let finding = if self.has_patterns() {
            Finding::failed(Step::Products, what, remedy)
        } else {
            let what = format!("{what}; without patterns the feed does not need the list");
            Finding::warning(Step::Products, what, remedy)
        };
        let FetchError::Status { status, retry_after, .. } = why else { return finding };
        finding.with("status", *status).with("retry_after_s", retry_after.map(|time| time.as_secs()))
    }

    fn compared(&mut self, products: ProductList, source: &ProductSource, took: Duration) -> Products {
        let step = Step::Products;
        let count = products.products.len();
        let by_name: HashMap<_, _> =
            products.products.iter().map(|product| (product.theirs.as_str(), &product.listing)).collect();
        let mut names = self.plan.names().as_ref().clone();
        let (mut listed, mut missing, mut halted) = (BTreeSet::new(), Vec::new(), Vec::new());
        let mut own: Vec<_> = names.all().collect();
        own.sort_unstable();
        for symbol in own {
            match names.theirs(symbol).and_then(|theirs| by_name.get(theirs)) {
                Some(Listing::Trades) => drop(listed.insert(symbol)),
                Some(Listing::Halted(word)) => halted.push(format!("{symbol} ({word:?})")),
                Some(Listing::Delisted) | None => missing.push(symbol.to_string()),
            }
        }
        let mut found = None;
        if let Some(catalogue) = &mut self.catalogue {
            let changes = catalogue.take(&mut names, products.products);
            listed.extend(changes.found.iter().copied());
            found = Some(changes.found.len());
            *self.plan.names.write() = Arc::new(names);
        }
        let parts = [
            Some(format!("{} in {} ms", counted(count, "product"), millis(took))),
            found.map(|found| format!("the patterns find {}", counted(found, "symbol"))),
            (!halted.is_empty()).then(|| format!("not trading now: {}", list(halted.iter().cloned()))),
            (!missing.is_empty()).then(|| format!("not in the list: {}", list(missing.iter().cloned()))),
            (products.skipped > 0)
                .then(|| format!("{} could not be read", counted(products.skipped, "entry"))),
        ];
        let what =
            format!("{}: {}", shown(&source.url), parts.into_iter().flatten().collect::<Vec<_>>().join("; "));
        let finding = if found == Some(0) && listed.is_empty() {
            Finding::failed(step, what, remedy::NOTHING_FOUND)
        } else if !missing.is_empty() {
            Finding::warning(step, what, remedy::NOT_LISTED)
        } else {
            Finding::ok(step, what)
        };
        let finding =
            finding.with("products", count).with("missing", json!(missing)).with("found", json!(found));
        Products { finding, listed: Some(listed) }
    }
}
