//! The proxy-checker binary: everything is in the library, so that tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    proxy_checker::allocator::tune();
    proxy_checker::shutdown::outlive_limits_of_files();
    proxy_checker::cli::run()
}
