//! Parses, runs, and turns the outcome into an exit code; nothing else.

use mqtt_client::link::programs;
use mqtt_client::role::Kind;
use mqtt_client::{cli, program};

fn main() {
    let outcome = cli::parse(std::env::args_os().skip(1), &|name| std::env::var_os(name))
        .inspect_err(program::misunderstood)
        .and_then(|(verbosity, invocation)| {
            program::output::start_log(verbosity);
            program::run(invocation)
        });
    let code = match outcome {
        Ok(code) => code,
        Err(failure) => {
            program::output::complain(&failure);
            if failure.kind == Kind::Usage {
                program::output::complain(&"try `mqtt_client --help`");
            }
            failure.kind.exit_code()
        }
    };
    programs::end_all();
    // Not a return: the link's runtime would wait for a name look-up that may take seconds more.
    std::process::exit(code.into());
}
