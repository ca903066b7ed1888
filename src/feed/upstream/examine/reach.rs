//! How far the network is good: names, proxy, TCP by both families, TLS.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{
    super::{
        UpstreamPlan,
        network::{Address, Journey, NextHop, connect, knock, within},
    },
    finding::{Finding, Step},
    remedy, tls,
    words::{list, millis},
};
use crate::{clock::Instant, limits::DOCTOR_LOOKUP};

/// One address of the venue, and what is known of the way to it.
struct Target {
    address: Address,
    is_list: bool,
    /// Or what is wrong with the proxy that is named.
    way: Result<NextHop, String>,
    /// To what the TCP connection may go, or why that is not known; how long the look-up took.
    found: Result<Vec<SocketAddr>, String>,
    took: Duration,
    is_reached: bool,
}

/// What is known of the network.
#[derive(Default)]
pub(super) struct Reach {
    targets: Vec<Target>,
    /// Why there is no use in a handshake.
    no_way: Option<&'static str>,
}

impl Reach {
    /// Why there is no use in a handshake, if there is none.
    pub(super) const fn no_way(&self) -> Option<&'static str> {
        self.no_way
    }

    fn streams(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| !target.is_list)
    }

    /// Names to addresses.
    pub(super) async fn look_up(&mut self, plan: &UpstreamPlan, product_list: Option<&Address>) -> Finding {
        let streams = plan.addresses.all().iter().map(|address| (address, false));
        let all = streams.chain(product_list.map(|address| (address, true)));
        self.targets = join_all(all.map(|(address, is_list)| target(plan, address, is_list))).await;
        let step = Step::Dns;
        if self.streams().all(|target| target.way.is_err()) {
            return Finding::skipped(step, "it is not known which way to go");
        }
        let (mut hosts, mut told, mut counts) = (BTreeSet::new(), Vec::new(), Vec::new());
        for target in &self.targets {
            let Ok(way) = &target.way else { continue };
            if hosts.insert(way.host.clone()) {
                let (what, families) = target.told(way);
                told.push(what);
                counts.push(json!({"host": way.host, "ipv4": families.0, "ipv6": families.1, "took_ms": millis(target.took)}));
            }
        }
        let what = told.join("; ");
        let finding = if self.streams().all(|target| target.found.is_err()) {
            self.no_way = Some("there is no address to connect to");
            Finding::failed(step, what, remedy::LOOK_UP)
        } else if self.targets.iter().any(|target| target.found.is_err()) {
            Finding::warning(step, what, remedy::OTHER_LOOK_UP)
        } else {
            Finding::ok(step, what)
        };
        finding.with("hosts", counts)
    }

    /// Which proxy is gone by, and whether it lets us through to each address: many take one port and not another.
    pub(super) async fn proxy(&mut self, plan: &UpstreamPlan) -> Finding {
        let step = Step::Proxy;
        let (mut told, mut direct, mut proxies) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let (mut is_open, mut has_failed, mut remedy) = (false, false, remedy::PROXY);
        for target in &self.targets {
            let asked = match &target.way {
                Err(why) => {
                    remedy = remedy::PROXY_VARIABLE;
                    Err(why.clone())
                }
                Ok(hop) => match &hop.proxy {
                    None => {
                        direct.insert(hop.why.clone());
                        is_open |= !target.is_list;
                        continue;
                    }
                    Some(proxy) => {
                        proxies.insert(proxy.clone());
                        let told = |what: String| format!("{proxy} ({}) {what}", hop.why);
                        ask(plan, &target.address).await.map(&told).map_err(&told)
                    }
                },
            };
            is_open |= asked.is_ok() && !target.is_list;
            has_failed |= asked.is_err();
            told.push(asked.unwrap_or_else(|why| why));
        }
        if told.is_empty() {
            return Finding::ok(step, format!("none: {}", list(direct)));
        }
        let what = told.join("; ");
        let finding = if !is_open {
            self.no_way = self.no_way.or(Some("the proxy does not let us through"));
            Finding::failed(step, what, remedy)
        } else if has_failed {
            Finding::warning(step, what, remedy)
        } else {
            Finding::ok(step, what)
        };
        finding.with("proxies", proxies.into_iter().collect::<Vec<_>>())
    }

    /// One connection by each family to each address of the stream, or to the proxy.
    pub(super) async fn connect(&mut self, plan: &UpstreamPlan) -> Finding {
        let step = Step::Tcp;
        let (mut told, mut measured, mut has_failed, mut knocked) =
            (Vec::new(), Vec::new(), false, BTreeSet::new());
        for target in self.targets.iter_mut().filter(|target| !target.is_list) {
            let Ok(found) = &target.found else { continue };
            let each = [true, false].map(|v4| found.iter().find(|address| address.is_ipv4() == v4).copied());
            let answers = join_all(each.into_iter().flatten().map(|address| async move {
                let late = |_elapsed| format!("no answer within {} ms", plan.connect_timeout.as_millis());
                let answer = timeout(plan.connect_timeout, knock(address)).await.map_err(late);
                (address, answer.and_then(|answer| answer.map_err(|why| why.to_string())))
            }));
            for (address, answer) in answers.await {
                target.is_reached |= answer.is_ok();
                has_failed |= answer.is_err();
                if !knocked.insert(address) {
                    continue;
                }
                told.push(match &answer {
                    Ok(took) => format!("{address} in {} ms", millis(*took)),
                    Err(why) => format!("{address} fails: {why}"),
                });
                measured.push(json!({"address": address.to_string(), "took_ms": answer.ok().map(millis)}));
            }
        }
        if measured.is_empty() {
            return Finding::skipped(step, "there is no address to connect to");
        }
        let what = told.join(", ");
        let finding = if self.streams().all(|target| !target.is_reached) {
            self.no_way = self.no_way.or(Some("no address can be reached"));
            Finding::failed(step, what, remedy::REACH)
        } else if has_failed {
            Finding::warning(step, what, remedy::ONE_FAMILY)
        } else {
            Finding::ok(step, what)
        };
        finding.with("addresses", measured)
    }

    /// TLS with the first address of the stream that has it.
    pub(super) async fn encrypt(&mut self, plan: &UpstreamPlan) -> Finding {
        let step = Step::Tls;
        if let Some(why) = self.no_way {
            return Finding::skipped(step, why);
        }
        let reached: Vec<_> = self.streams().filter(|target| target.is_reached).collect();
        let mut failed = None;
        for target in &reached {
            match tls::encrypt(plan, &target.address).await {
                Ok(finding) => return finding,
                Err(finding) => {
                    failed.get_or_insert(finding);
                }
            }
        }
        self.no_way = Some("TLS does not work");
        failed.unwrap_or_else(|| Finding::skipped(step, "no address can be reached"))
    }
}

impl Target {
    /// What the look-up came to, and how many addresses of each family there are.
    fn told(&self, way: &NextHop) -> (String, (usize, usize)) {
        let whose = if way.proxy.is_some() { " (the proxy, which looks up the venue)" } else { "" };
        let host = format!("{}{whose}", way.host);
        match &self.found {
            Err(why) => (format!("{why}{whose}"), (0, 0)),
            Ok(found) => {
                let v4 = found.iter().filter(|address| address.is_ipv4()).count();
                let v6 = found.len() - v4;
                if way.host.parse::<std::net::IpAddr>().is_ok() {
                    return (format!("{host} is an address already"), (v4, v6));
                }
                (format!("{host}: {v4} IPv4 and {v6} IPv6 in {} ms", millis(self.took)), (v4, v6))
            }
        }
    }
}

/// Asks the proxy for a connection to an address.
async fn ask(plan: &UpstreamPlan, address: &Address) -> Result<String, String> {
    let bare = Address { is_tls: false, ..address.clone() };
    let (journey, began) = (Journey::default(), Instant::now());
    let asked = within(plan.connect_timeout, connect(&plan.network, &bare, &journey)).await;
    match asked.unwrap_or_else(|_late| Err(journey.late(plan.connect_timeout))) {
        Ok(_stream) => {
            let place = format!("{}:{}", address.host, address.port);
            Ok(format!("connects to {place} in {} ms", millis(began.elapsed())))
        }
        Err(why) => Err(format!("fails: {why}")),
    }
}

async fn target(plan: &UpstreamPlan, address: &Address, is_list: bool) -> Target {
    let way = plan.network.way(address);
    let began = Instant::now();
    let found = match &way {
        Err(why) => Err(why.clone()),
        Ok(way) => match timeout(DOCTOR_LOOKUP, plan.network.look_up(way)).await {
            Ok(found) => found.map_err(|why| why.to_string()),
            Err(_late) => Err(format!("no answer within {} s", DOCTOR_LOOKUP.as_secs())),
        },
    };
    Target { address: address.clone(), is_list, way, found, took: began.elapsed(), is_reached: false }
}
