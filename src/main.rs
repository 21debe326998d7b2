//! Parses, runs, and turns the outcome into an exit code; nothing else.

use mqtt_client::{cli, output, role::Kind, run};

fn main() {
    let outcome = cli::parse(std::env::args_os().skip(1), &|name| std::env::var_os(name)).and_then(
        |(verbosity, command)| {
            output::start_log(verbosity);
            run::run(command)
        },
    );
    let code = match outcome {
        Ok(code) => code,
        Err(failure) => {
            output::complain(&failure);
            if failure.kind == Kind::Usage {
                output::complain(&"try `mqtt_client --help`");
            }
            failure.kind.exit_code()
        }
    };
    // Not a return: rumqttc's runtime would wait for a name look-up that may take seconds more.
    std::process::exit(code.into());
}
