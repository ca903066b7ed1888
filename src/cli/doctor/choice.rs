//! Which feed is meant: one of the configuration's, as `serve` would run it, or that of a definition file.

use std::path::Path;

use anyhow::Context as _;

use super::DoctorArgs;
use crate::{
    config::{Config, ConfigErrors, FeedConfig, Flags, environment},
    feed::upstream::{Finding, Step},
};

/// What `--feed` comes to.
pub(super) enum Choice {
    Feed(Box<FeedConfig>),
    /// What is wrong with it, or with the configuration.
    Mistake(Finding),
}

/// Finds the feed. A file of that name goes before a feed of that name.
///
/// # Errors
/// When there is no working directory.
pub(super) fn choose(args: &DoctorArgs) -> anyhow::Result<Choice> {
    let file = Path::new(&args.feed);
    if file.is_file() || file.extension().is_some_and(|extension| extension == "toml") {
        return Ok(match Config::load_definition(file, environment()) {
            Ok(feeds) => only(feeds, &args.feed),
            Err(errors) => mistakes(&errors),
        });
    }
    let directory = std::env::current_dir().context("the working directory is gone")?;
    let flags = Flags { config: args.config.clone(), ..Flags::default() };
    Ok(match Config::load(&flags, environment(), &directory) {
        Ok(config) => named(config.feeds, &args.feed),
        Err(errors) => mistakes(&errors),
    })
}

fn mistakes(errors: &ConfigErrors) -> Choice {
    let lines: Vec<_> = errors.0.iter().map(ToString::to_string).collect();
    let remedy = "mend what is named; `tickcast check` reads the same and connects to nothing";
    Choice::Mistake(Finding::failed(Step::Configuration, lines.join("; "), remedy))
}

fn only(mut feeds: Vec<FeedConfig>, file: &str) -> Choice {
    match (feeds.pop(), feeds.len()) {
        (Some(feed), 0) => Choice::Feed(Box::new(feed)),
        (_, others) => {
            let what = format!("{file} has {} feeds, and one is examined at a time", others + 1);
            let remedy = "name the file in feeds of a configuration, and one of its feeds in --feed";
            Choice::Mistake(Finding::failed(Step::Configuration, what, remedy))
        }
    }
}

fn named(feeds: Vec<FeedConfig>, name: &str) -> Choice {
    let known: Vec<_> = feeds.iter().map(|feed| feed.name.to_string()).collect();
    match feeds.into_iter().find(|feed| feed.name.as_str() == name) {
        Some(feed) => Choice::Feed(Box::new(feed)),
        None => {
            let what =
                format!("no feed is called {name:?}, and no file either; there are {}", known.join(", "));
            let remedy =
                "give --feed one of these names, or the path of a definition such as feeds/binance.toml";
            Choice::Mistake(Finding::failed(Step::Configuration, what, remedy))
        }
    }
}
