//! Commands that a build without the feature `tools` does not have: it knows their names, and says what to do instead.

use std::ffi::OsString;

use anyhow::bail;
use clap::Args;

/// Whatever was asked of a command that is not here.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct AbsentArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _ignored: Vec<OsString>,
}

/// Says how to get the command.
///
/// # Errors
/// Always: this build cannot do it.
pub fn run(name: &str) -> anyhow::Result<()> {
    bail!(
        "this build has no `{name}`: it was made with --no-default-features, as the server's image is. \
         Build tickcast with its default features (`cargo build --release`) and run `tickcast {name}` there"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        _absent: AbsentArgs,
    }

    #[test]
    fn a_command_that_was_left_out_takes_any_arguments_and_says_what_to_do() {
        for line in [&["watch"][..], &["watch", "--help"], &["watch", "--url", "ws://x", "BTC-USD", "--once"]]
        {
            assert!(Line::try_parse_from(line).is_ok(), "{line:?}");
        }
        let said = run("watch").unwrap_err().to_string();
        assert!(said.contains("no `watch`") && said.contains("cargo build --release"), "{said}");
    }
}
